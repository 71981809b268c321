import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../host.ts';
import { openHost } from '../open-host.ts';
import { makeNamespacePair, type NamespacePair, SERVER_V4 } from '../testing/namespaces.ts';
import { type SshServer, sshMissing, startSshServer } from '../testing/ssh-server.ts';
import { containersMissing, type FakeContainer, startFakeContainer } from './testing/fake-container.ts';

/** Where cgroups of version 2 are. */
const cgroups = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'utf8'))?.[1];
const ID = '0123456789abcdef'.repeat(4);
if (cgroups === undefined) console.log('skipped: a pod found by its cgroup (needs cgroup2)');
const missing = containersMissing();
if (missing !== undefined) console.log(`skipped: containers of docker and kubectl (${missing})`);

/** Programs that stand for docker, podman and kubectl: they record their arguments and answer as a script says. */
class StandIns {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'synscope-engines-'));
  private readonly path = process.env.PATH;

  /** @param script what it does with its arguments, after they are recorded. */
  add(name: string, script: string): void {
    const file = join(this.folder, name);
    const record = `{ printf '%s' ${name}; printf '\\037%s' "$@"; printf '\\036'; } >> ${join(this.folder, 'log')}`;
    writeFileSync(file, `#!/bin/sh\n${record}\n${script}\n`);
    chmodSync(file, 0o755);
  }

  begin(): void {
    writeFileSync(join(this.folder, 'log'), '');
    process.env.PATH = `${this.folder}:${this.path}`;
  }

  /** Arguments of every call. */
  calls(): string[][] {
    const calls = readFileSync(join(this.folder, 'log'), 'utf8').split('\u001e').slice(0, -1);
    return calls.map((call) => call.split('\u001f'));
  }

  remove(): void {
    process.env.PATH = this.path;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs what follows the id: the "container" is this machine. */
const EXEC = 'while [ "$1" != "$last" ]; do shift; done; shift; exec "$@"';

let engines: StandIns;
beforeEach(() => {
  engines = new StandIns();
  engines.begin();
});
afterEach(() => engines.remove());

describe('a container that runs elsewhere', () => {
  const inspect = ['docker', 'inspect', ...['--type', 'container', '--format', '{{.State.Pid}} {{.Id}}', 'web.1']];

  it('is reached through docker exec', async () => {
    engines.add('docker', `if [ "$1" = inspect ]; then echo "1 ${ID}"; exit; fi; last=${ID}; ${EXEC}`);
    const host = await openHost('docker:web.1');
    expect(host.spec).toBe('docker:web.1');
    const odd = ['a b', "it's", '$HOME', '', '*', '-n'];
    expect((await host.run(['printf', '%s|', ...odd])).stdout).toBe(odd.map((word) => `${word}|`).join(''));
    expect((await host.run(['cat'], { input: 'in' })).stdout).toBe('in');
    expect(await host.readFile('/proc/sys/kernel/osrelease')).toMatch(/^\d/);
    expect(await host.listDirectory('/proc/sys/net')).toContain('ipv4');
    await expect(host.readFile('/no/such')).rejects.toMatchObject({
      code: 'not-found',
      message: 'there is no /no/such',
    });
    await expect(host.run(['no-such-program-of-synscope'])).rejects.toMatchObject({
      code: 'not-found',
      message: 'the image of container web.1 has no no-such-program-of-synscope',
    });
    expect((await host.run(['sh', '-c', 'echo "Error: x" >&2; exit 1'])).exitCode).toBe(1);
    await host.close();
    const [first, second, third, fourth] = engines.calls();
    expect(first).toEqual(inspect);
    expect(second?.slice(0, 4)).toEqual(['docker', 'exec', ID, 'sh']);
    expect(third?.slice(-8)).toEqual(['printf', '%s|', ...odd]);
    expect(fourth?.slice(0, 4)).toEqual(['docker', 'exec', '--interactive', ID]);
  });

  it('gets its streams ended', async () => {
    engines.add('docker', `if [ "$1" = inspect ]; then echo "1 ${ID}"; exit; fi; last=${ID}; ${EXEC}`);
    const host = await openHost('docker:web.1');
    const stream = host.stream(['sh', '-c', 'echo $$; exec sleep 1000']);
    const chunks = stream.chunks[Symbol.asyncIterator]();
    const pid = Number(Buffer.from((await chunks.next()).value).toString());
    stream.stop();
    expect((await chunks.next()).done).toBe(true);
    await expect.poll(() => isThere(pid)).toBe(false);
    await host.close();
  });

  it('may be of podman', async () => {
    engines.add('docker', 'echo "Error: No such container: web.1" >&2; exit 1');
    engines.add('podman', `if [ "$1" = inspect ]; then echo "1 ${ID}"; exit; fi; last=${ID}; ${EXEC}`);
    const host = await openHost('docker:web.1');
    expect((await host.run(['true'])).exitCode).toBe(0);
    expect(engines.calls().map(([program, verb]) => `${program} ${verb}`)).toEqual([
      'docker inspect',
      'podman inspect',
      'podman exec',
      'podman exec',
    ]);
  });

  it.each([
    [
      'echo "Error: No such container: web.1" >&2; exit 1',
      /^There is no container web\.1 .*docker says: No such container/,
    ],
    ['echo "Cannot connect to the Docker daemon" >&2; exit 1', /docker says: Cannot connect to the Docker daemon/],
    [`echo "0 ${ID}"`, /^Container web\.1 does not run\.$/],
    ['echo "1 --privileged"', /cannot be read/],
    ['echo "1; id 0123"', /cannot be read/],
    ['echo', /cannot be read/],
    [
      `if [ "$1" = inspect ]; then echo "1 ${ID}"; exit; fi; echo 'exec: "sh": executable file not found in $PATH' >&2; exit 127`,
      /^Nothing can be run in container web\.1: the image of container web\.1 has no shell\.$/,
    ],
    [
      `if [ "$1" = inspect ]; then echo "1 ${ID}"; exit; fi; echo "Error response from daemon: container x is paused" >&2; exit 1`,
      /container web\.1 is not reached: Error response from daemon: container x is paused/,
    ],
  ])('says why it cannot be looked at: %s', async (script, message) => {
    engines.add('docker', script);
    engines.add('podman', 'echo "Error: no such container" >&2; exit 125');
    await expect(openHost('docker:web.1')).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(message),
    });
  });
});

describe('a pod on another node', () => {
  const pod = {
    metadata: { namespace: 'prod', annotations: { 'kubectl.kubernetes.io/default-container': 'web' } },
    spec: { nodeName: 'node7' },
    status: {
      phase: 'Running',
      containerStatuses: [
        { name: 'sidecar', containerID: `containerd://${'b'.repeat(64)}`, state: { running: {} } },
        { name: 'web', containerID: `containerd://${ID}`, state: { running: {} } },
        { name: 'done', containerID: `containerd://${'c'.repeat(64)}`, state: { terminated: {} } },
      ],
    },
  };
  const kubectl = (value: unknown): void => {
    writeFileSync(join(engines.folder, 'pod.json'), typeof value === 'string' ? value : JSON.stringify(value));
    engines.add(
      'kubectl',
      `if [ "$1" = get ]; then cat ${join(engines.folder, 'pod.json')}; exit; fi; last=--; ${EXEC}`,
    );
  };

  it('is reached through kubectl exec', async () => {
    kubectl(pod);
    const host = await openHost('pod:prod/web-0');
    expect((await host.run(['echo', '--', 'x'])).stdout).toBe('-- x\n');
    await expect(host.run(['no-such-program-of-synscope'])).rejects.toMatchObject({
      hint: 'With the tools of its node: --on pod:prod/web-0@ssh:root@node7, or synscope there.',
    });
    const [get, exec] = engines.calls();
    expect(get).toEqual(['kubectl', 'get', 'pod', 'web-0', '--namespace', 'prod', '--output', 'json']);
    expect(exec?.slice(0, 9)).toEqual([
      ...['kubectl', 'exec', '--namespace', 'prod', 'web-0', '--container', 'web', '--', 'sh'],
    ]);
  });

  it('has more than one container', async () => {
    kubectl(pod);
    await openHost('pod:prod/web-0/sidecar');
    expect(engines.calls()[1]).toContain('sidecar');
    await openHost('pod:web-0');
    expect(engines.calls()[2]).toEqual(['kubectl', 'get', 'pod', 'web-0', '--output', 'json']);
    await expect(openHost('pod:prod/web-0/done')).rejects.toMatchObject({
      message: 'Container done of pod web-0 does not run (the pod is Running).',
      hint: 'Running: sidecar, web',
    });
  });

  it.each([
    ['no JSON', /cannot be read/],
    [{}, /No container of pod web-0 runs\./],
    [{ ...pod, status: { phase: 'Pending' } }, /the pod is Pending/],
    [{ ...pod, spec: { nodeName: '--evil' } }, /cannot be read/],
    [{ ...pod, metadata: { namespace: '-n' } }, /cannot be read/],
    [
      { ...pod, status: { containerStatuses: [{ name: 'web', containerID: 'x://-e', state: { running: {} } }] } },
      /cannot be read/,
    ],
  ])('may not be there: %j', async (value, message) => {
    kubectl(value);
    await expect(openHost('pod:prod/web-0')).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(message),
    });
  });

  it('is not found when kubectl says so', async () => {
    engines.add('kubectl', `echo 'Error from server (NotFound): pods "web-0" not found' >&2; exit 1`);
    await expect(openHost('pod:prod/web-0')).rejects.toMatchObject({
      message: 'There is no pod web-0 to look at: kubectl says: Error from server (NotFound): pods "web-0" not found.',
    });
  });
});

describe.skipIf(missing !== undefined)('a container of this machine', () => {
  let pair: NamespacePair;
  let container: FakeContainer;
  beforeAll(async () => {
    pair = makeNamespacePair('sync');
    container = await startFakeContainer({
      namespace: pair.server,
      mounted: { hosts: '10.7.7.5 box.synscope.test\n' },
      ...(cgroups === undefined ? {} : { cgroups }),
    });
  }, 30_000);
  afterAll(async () => {
    await container?.remove();
    pair?.remove();
  });

  it('is entered, with nothing run in it', async () => {
    engines.add('docker', `echo "${container.pid} ${container.id}"`);
    const host = await openHost('docker:box');
    expect(host.spec).toBe('docker:box');
    expect(await host.readFile('/proc/net/fib_trie')).toContain(SERVER_V4);
    expect(await host.readFile('/etc/hosts')).toContain('box.synscope.test');
    expect(engines.calls()).toHaveLength(1);
    await host.close();
  });

  it.skipIf(cgroups === undefined)('is found on its node by the id that its pod tells', async () => {
    const [namespace, name, node] = ['prod', 'web-0', 'node7'];
    const status = { name: 'web', containerID: `cri-o://${container.id}`, state: { running: {} } };
    const pod = { metadata: { namespace }, spec: { nodeName: node }, status: { containerStatuses: [status] } };
    engines.add('kubectl', `echo '${JSON.stringify(pod)}'`);
    const host = await openHost(`pod:${namespace}/${name}`);
    expect(await host.readFile('/etc/hosts')).toContain('box.synscope.test');
    expect(engines.calls()).toHaveLength(1);
    await host.close();
  });

  const noSsh = sshMissing();
  it.skipIf(noSsh !== undefined)('is entered over ssh as well', async () => {
    const server: SshServer = await startSshServer();
    const path = process.env.PATH;
    let host: Host | undefined;
    try {
      process.env.PATH = `${server.bin}:${path}`;
      host = await openHost(`pid:${container.pid}@${server.spec}`);
      expect(await host.readFile('/proc/net/fib_trie')).toContain(SERVER_V4);
      expect(await host.readFile('/proc/sys/kernel/hostname')).toBe('synscope-box\n');
      expect(await host.readFile('/etc/hosts')).toContain('box.synscope.test');
      await expect(host.readFile('/etc/passwd')).rejects.toMatchObject({ code: 'not-found' });
      expect((await host.run(['getent', 'ahosts', 'box.synscope.test'])).stdout).toContain('10.7.7.5');
      expect((await host.run(['grep', '-H', '', '/sys/class/net/eth0/carrier'])).stdout).toContain(':1');
      const capture = await host.capture({ port: 7 });
      await capture.ready;
      capture.stop();
      await container.kill();
      expect(await host.readFile('/proc/net/fib_trie')).toContain(SERVER_V4);
    } finally {
      await host?.close();
      process.env.PATH = path;
      await server.stop();
    }
    await expect(openHost(`pid:${container.pid}@ssh:-oProxyCommand=x`)).rejects.toMatchObject({ code: 'bad-host' });
  });
});

describe('names that could be taken for options', () => {
  it.each([
    ...[
      'docker:',
      'docker:-x',
      'docker:--help',
      'docker:a b',
      'docker:a/b',
      'docker:a;id',
      'docker:ä',
      'docker:a@docker:b',
    ],
    ...[
      'pod:',
      'pod:-n/x',
      'pod:a/-x',
      'pod:a/b/-c',
      'pod:a/b/c/d',
      'pod:a//b',
      'pod:A/b',
      'pod:a b/c',
      'pod:a/b@local',
    ],
  ])('%s', async (spec) => {
    await expect(openHost(spec)).rejects.toMatchObject({ name: 'InputError', code: 'bad-host' });
    expect(engines.calls()).toEqual([]);
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
