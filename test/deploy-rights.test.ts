import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeNamespacePair, type NamespacePair, namespacesMissing } from '../src/host/testing/namespaces.ts';
import { CAPABILITIES } from '../src/service/install/unit.ts';
import { root } from './run-cli.ts';

/** The user that owns nothing. */
const NOBODY = '65534';
const LISTEN = "require('node:net').createServer().listen(8443, '0.0.0.0', () => console.log('ready'))";

const missing =
  namespacesMissing() ??
  ['setpriv', 'unshare', 'nsenter', 'nft', 'ss'].find(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  ) ??
  (isReachable(process.execPath) && isReachable(join(root, 'src'))
    ? undefined
    : 'a checkout that other users can read');
if (missing !== undefined) console.log(`skipped: the rights of the service (${missing})`);

describe.skipIf(missing !== undefined)('the rights of the service', () => {
  let pair: NamespacePair;
  let listener: ChildProcess;

  beforeAll(async () => {
    pair = makeNamespacePair('synr');
    const words = ['--', 'unshare', '--mount', '--uts', process.execPath, '-e', LISTEN];
    listener = spawn('nsenter', [`--net=/run/netns/${pair.server}`, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => listener.stdout?.once('data', resolve));
  });
  afterAll(() => {
    listener?.kill();
    pair?.remove();
  });

  /** What fails for a user with these capabilities and no others, as the unit gives them. */
  function failures(names: readonly string[], uid: string = NOBODY): string[] {
    const list = ['-all', ...names.map((name) => `+${name.replace('CAP_', '').toLowerCase()}`)].join(',');
    const rights = ['bounding-set', 'inh-caps', 'ambient-caps'].map((kind) => `--${kind}=${list}`);
    const user = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs'];
    const program = [process.execPath, join(root, 'test/deploy-rights.ts'), pair.server, `${listener.pid}`];
    const { status, stdout, stderr } = spawnSync('setpriv', [...user, ...rights, ...program], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const answers = stdout.trim().split('\n');
    expect(answers.length).toBeGreaterThan(10);
    return answers.filter((line) => !line.endsWith(' ok')).map((line) => line.split(' ')[0]!);
  }

  const all = CAPABILITIES.map(({ name }) => name);

  it('suffice for everything that the watch does', () => {
    expect(failures(all)).toEqual([]);
  });

  it('suffice for root in a container, which has no others either', () => {
    expect(failures(all, '0')).toEqual([]);
  });

  const entering = ['capture-in-namespace', 'capture-in-container', 'set', 'route', 'owner'];
  it.each([
    ['CAP_NET_RAW', ['capture', 'capture-in-namespace', 'capture-in-container']],
    ['CAP_NET_ADMIN', ['rules', 'policies', 'set', 'route']],
    ['CAP_SYS_ADMIN', entering],
    ['CAP_SYS_PTRACE', ['capture-in-container', 'find-namespace', 'container-names', 'owner']],
    ['CAP_DAC_READ_SEARCH', ['owner', 'open-files']],
  ])('are none too many: %s', (name, expected) => {
    expect(all).toContain(name);
    expect(failures(all.filter((other) => other !== name))).toEqual(expect.arrayContaining(expected));
  });
});

/** Whether any user may read a path. */
function isReachable(path: string): boolean {
  const { mode } = statSync(path);
  return (mode & 0o005) === 0o005 && (path === '/' || isReachable(dirname(path)));
}
