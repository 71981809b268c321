import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { checkPrograms } from '../src/service/install/programs.ts';
import { CAPABILITIES } from '../src/service/install/unit.ts';
import { root, run } from './run-cli.ts';

/** linux/capability.h. */
const NUMBERS: Readonly<Record<string, number>> = {
  CAP_DAC_READ_SEARCH: 2,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
};

const missing = whatIsMissing();
if (missing !== undefined) console.log(`skipped: the service under a real systemd: ${missing}`);

describe.skipIf(missing !== undefined)('the service under a real systemd', () => {
  it('is installed, finds an incident, outlives a kill, and is removed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-systemd-'));
    const steps = join(root, 'test/deploy-systemd-steps.sh');
    const { status, stdout, stderr } = run(join(root, 'test/deploy-systemd.sh'), [folder, steps], root);
    const text = output(folder);
    rmSync(folder, { recursive: true, force: true });
    expect(status, `${stdout}${stderr}${text}`).toBe(0);
    const answers = Object.fromEntries(
      [...text.matchAll(/^([a-z-]+): (.*)$/gm)].map(([, name, answer]) => [name, answer]),
    );
    const mask = CAPABILITIES.reduce((sum, { name }) => sum | (1n << BigInt(NUMBERS[name]!)), 0n);
    expect(answers, text).toMatchObject({
      install: '0',
      health: 'ok',
      user: 'synscope',
      capabilities: `${mask.toString(16).padStart(16, '0')} `,
      'no-new-privileges': '1',
      mounts: '/ ro, /proc/sys ro, /proc/sys/net rw',
      'later-namespace': '0',
      incident: '0',
      'wrong-configuration': '0 active',
      restarted: '0',
      history: '0',
      again: '0',
      uninstall: '0 inactive kept',
      purge: '0 gone ',
    });
  });
});

function output(folder: string): string {
  const file = join(folder, 'output');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function whatIsMissing(): string | undefined {
  if (process.env.FULL !== '1') return 'it takes a minute; run scripts/test.sh --full';
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/lib/systemd/systemd')) return 'needs systemd';
  if (!existsSync(join(root, 'dist/cli/main.cjs'))) return 'needs a build';
  for (const name of ['unshare', 'ip', 'curl', 'systemd-sysusers']) {
    if (spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0) return `needs ${name}`;
  }
  try {
    checkPrograms({ node: join(root, 'node_modules/node/bin/node'), program: join(root, 'bin/synscope.js') });
  } catch (error) {
    return (error as Error).message;
  }
  const mounts =
    'mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/m && mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/m';
  const tried = spawnSync('unshare', ['--mount', '--cgroup', 'sh', '-c', mounts], { encoding: 'utf8' });
  return tried.status === 0 ? undefined : `no overlay can be mounted here: ${tried.stderr.trim()}`;
}
