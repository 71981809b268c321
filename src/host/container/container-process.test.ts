import { describe, expect, it } from 'vitest';
import { ScriptedHost } from '../testing/scripted-host.ts';
import { isProcessOf, processOfContainer } from './container-process.ts';

const ID = 'ab'.repeat(32);

describe('processOfContainer', () => {
  const find = (cgroups: readonly string[]): Promise<number | undefined> => {
    const command = ['sh', '-c', 'grep -sHF -e "$1" /proc/[0-9]*/cgroup', 'sh', ID].join(' ');
    return processOfContainer(new ScriptedHost({ commands: { [command]: cgroups.join('\n') } }), ID);
  };

  it('is the first process in the cgroup of the container', async () => {
    expect(
      await find([
        `/proc/30/cgroup:0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope`,
        `/proc/7/cgroup:0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope`,
        `/proc/7/cgroup:4:memory:/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope`,
      ]),
    ).toBe(7);
  });

  it('is not its monitor, nor a process of a container inside it', async () => {
    expect(
      await find([
        `/proc/5/cgroup:0::/machine.slice/crio-conmon-${ID}.scope`,
        `/proc/6/cgroup:0::/machine.slice/crio-${ID}.scope/docker/${'c'.repeat(64)}`,
        `/proc/9/cgroup:0::/machine.slice/crio-${ID}.scope`,
      ]),
    ).toBe(9);
  });

  it('may not be there', async () => {
    expect(await find([])).toBeUndefined();
    expect(await find([`/proc/5/cgroup:0::/machine.slice/libpod-conmon-${ID}.scope`])).toBeUndefined();
  });
});

describe('isProcessOf', () => {
  it('knows a process by its cgroup or by its mounts', async () => {
    const files = {
      '/proc/5/cgroup': `0::/system.slice/docker-${ID}.scope\n`,
      '/proc/6/cgroup': '0::/\n',
      '/proc/6/mountinfo': `700 1 8:1 /var/lib/docker/containers/${ID}/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n`,
      '/proc/7/cgroup': '0::/init.scope\n',
    };
    const host = new ScriptedHost({ files });
    const pids = [5, 6, 7, 8];
    expect(await Promise.all(pids.map((pid) => isProcessOf(host, pid, ID)))).toEqual([true, true, false, false]);
  });
});
