import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXAMPLE_CONFIG } from '../src/service/install/example-config.ts';
import { checkPrograms } from '../src/service/install/programs.ts';
import { renderUnit } from '../src/service/install/unit.ts';
import { defaultConfig } from '../src/service/watch/config.ts';
import { parseConfig } from '../src/service/watch/read-config.ts';
import { root, runCli } from './run-cli.ts';

/** The worst that `systemd-analyze security` may say: 0 is no exposure at all, 10 all. */
const MAX_EXPOSURE = 4;

const isRoot = process.getuid?.() === 0;
const missing = ['systemd-analyze', 'systemd-sysusers', 'systemctl', 'unshare', 'useradd', 'userdel'].filter(
  (name) =>
    spawnSync('sh', ['-c', `command -v ${name}`], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }).status !== 0,
);
if (missing.length > 0) console.log(`skipped: the service in an image (needs ${missing.join(', ')})`);
else if (!isRoot) console.log('skipped: the service in an image (needs root)');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'synscope-service-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the unit', () => {
  const unit = (kernelEvents: boolean): string =>
    renderUnit({
      ...{ node: process.execPath, program: join(root, 'bin/synscope.js'), config: '/etc/synscope.yaml' },
      ...{ kernelEvents, journal: true },
    });

  it.skipIf(missing.includes('systemd-analyze')).each([false, true])(
    'is one that systemd understands (%s)',
    (events) => {
      // Without a machine that has the user, systemd would complain of that.
      const file = join(folder, 'synscope.service');
      writeFileSync(file, unit(events).replaceAll(/^(?:User|Group|SupplementaryGroups)=.*\n/gm, ''));
      const verify = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
      expect(verify.stderr.split('\n').filter((line) => line.includes('synscope'))).toEqual([]);
      expect(verify.status).toBe(0);
    },
  );

  it.skipIf(missing.includes('systemd-analyze')).each([false, true])('exposes little (%s)', (events) => {
    const file = join(folder, 'synscope.service');
    writeFileSync(file, unit(events));
    const argv = ['security', '--offline=true', '--no-pager', `--threshold=${MAX_EXPOSURE * 10}`, file];
    const { status, stdout, stderr } = spawnSync('systemd-analyze', argv, { encoding: 'utf8' });
    expect(stderr).not.toMatch(/Unknown|unrecognized/);
    expect(stdout).toMatch(/Overall exposure level for synscope\.service: [0-3]\.\d/);
    expect(status).toBe(0);
  });

  it('is the one that is in the repository', () => {
    const file = join(root, 'deploy/systemd/synscope.service');
    const text = renderUnit({
      ...{ node: '/usr/bin/node', program: '/usr/lib/node_modules/synscope/bin/synscope.js' },
      ...{ config: '/etc/synscope.yaml', kernelEvents: false, journal: true },
    });
    if (process.env.UPDATE === '1') writeFileSync(file, text);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('quotes what systemd would take for something else', () => {
    const text = renderUnit({
      ...{ node: '/opt/a b/$X/100%/"no\\de"', program: '/p', config: '/etc/c' },
      ...{ kernelEvents: false, journal: false },
    });
    expect(text).toContain('ExecStart="/opt/a b/$$X/100%%/\\"no\\\\de\\"" /p watch --config /etc/c\n');
  });
});

describe('the example configuration', () => {
  const uncommented = EXAMPLE_CONFIG.replaceAll(/^#(?! \S|$)/gm, '');

  it('changes nothing as it is', () => {
    expect(parseConfig(EXAMPLE_CONFIG, 'synscope.yaml')).toEqual(defaultConfig());
  });

  it('shows every setting, with its default where it has one', () => {
    const { alerts, remediation, page, ...rest } = parseConfig(uncommented, 'synscope.yaml');
    const { alerts: _, remediation: repairs, page: plainPage, ...defaults } = defaultConfig();
    expect(rest).toEqual(defaults);
    expect(alerts.map(({ kind }) => kind)).toEqual(['webhook', 'syslog', 'otlp']);
    expect({ ...remediation, causes: {}, allowKinds: [], windows: [] }).toEqual(repairs);
    expect({ ...page, tokenFile: undefined }).toEqual({ ...plainPage, tokenFile: undefined });
  });

  it('is the one that is in the repository', () => {
    const file = join(root, 'deploy/synscope.yaml');
    if (process.env.UPDATE === '1') writeFileSync(file, EXAMPLE_CONFIG);
    expect(readFileSync(file, 'utf8')).toBe(EXAMPLE_CONFIG);
  });
});

describe.skipIf(!isRoot || missing.length > 0)('an image of a machine', () => {
  const at = (path: string): string => join(folder, path);
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    runCli([...args, '--root', folder]);
  const outcomes = (stdout: string): string[] =>
    (JSON.parse(stdout) as { steps: { path?: string; argv?: string[]; outcome: string }[] }).steps.map(
      ({ path, argv, outcome }) => `${outcome} ${path ?? argv?.[0]}`,
    );

  beforeEach(() => {
    mkdirSync(at('etc'));
    writeFileSync(at('etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
    writeFileSync(at('etc/group'), 'root:x:0:\nsystemd-journal:x:101:\n');
  });

  it('gets the service, and loses it again', () => {
    expect(run('install-service')).toMatchObject({ status: 0, stderr: '' });
    const gid = /^synscope:x:(\d+):/m.exec(readFileSync(at('etc/group'), 'utf8'))?.[1];
    expect(readFileSync(at('etc/passwd'), 'utf8')).toMatch(/^synscope:x:\d+:\d+:.*:\/usr\/sbin\/nologin$/m);
    const config = statSync(at('etc/synscope.yaml'));
    expect([config.mode & 0o777, config.uid, config.gid]).toEqual([0o640, 0, Number(gid)]);
    const unit = '/etc/systemd/system/synscope.service';
    expect(readFileSync(at(unit), 'utf8')).toContain('SupplementaryGroups=systemd-journal\n');
    expect(readlinkSync(at('etc/systemd/system/multi-user.target.wants/synscope.service'))).toBe(unit);

    writeFileSync(at('etc/synscope.yaml'), 'page: {enabled: false}\n');
    expect(outcomes(run('install-service', '--json').stdout)).toEqual([
      'unchanged /etc/sysusers.d/synscope.conf',
      'ran systemd-sysusers',
      'kept /etc/synscope.yaml',
      `unchanged ${unit}`,
      'ran systemctl',
    ]);
    expect(outcomes(run('install-service', '--kernel-events', '--json').stdout)).toContain(`changed ${unit}`);
    expect(readFileSync(at(unit), 'utf8')).toContain(
      'AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE\n',
    );

    mkdirSync(at('var/lib/synscope'), { recursive: true });
    writeFileSync(at('var/lib/synscope/history.duckdb'), 'x');
    expect(run('uninstall-service')).toMatchObject({ status: 0 });
    expect(existsSync(at(unit))).toBe(false);
    expect(existsSync(at('etc/systemd/system/multi-user.target.wants/synscope.service'))).toBe(false);
    expect(readFileSync(at('etc/synscope.yaml'), 'utf8')).toBe('page: {enabled: false}\n');
    expect(existsSync(at('var/lib/synscope/history.duckdb'))).toBe(true);
    expect(run('uninstall-service')).toMatchObject({ status: 0 });
    expect(run('uninstall-service', '--purge')).toMatchObject({ status: 0 });
    for (const path of ['var/lib/synscope', 'etc/synscope.yaml', unit]) expect(existsSync(at(path))).toBe(false);
    expect(readFileSync(at('etc/passwd'), 'utf8')).not.toContain('synscope');
  });

  it('stays as it is when only asked what would be done', () => {
    const { status, stdout } = run('install-service', '--dry-run');
    expect(status).toBe(0);
    expect(stdout).toContain('ExecStart=');
    expect(stdout).toContain('would run    systemd-sysusers');
    expect(existsSync(at('etc/synscope.yaml'))).toBe(false);
    expect(readFileSync(at('etc/group'), 'utf8')).not.toContain('synscope');
  });

  it('keeps what somebody else made', () => {
    mkdirSync(at('etc/systemd/system'), { recursive: true });
    writeFileSync(at('etc/systemd/system/synscope.service'), '[Service]\nExecStart=/bin/true\n');
    const message = /synscope\.service was not made by install-service, so it is left alone\./;
    for (const command of ['install-service', 'uninstall-service']) {
      const { status, stderr } = run(command);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
    }
    expect(readFileSync(at('etc/systemd/system/synscope.service'), 'utf8')).toContain('/bin/true');
  });
});

describe.skipIf(!isRoot || missing.length > 0)('a machine with systemd', () => {
  /** Runs the command where /etc/systemd, /run and the groups are copies, with a systemctl that only records. */
  function runThere(
    args: readonly string[],
    script: string,
  ): { status: number | null; stdout: string; stderr: string } {
    for (const name of ['etc', 'bin']) mkdirSync(join(folder, name), { recursive: true });
    for (const name of ['systemctl', 'systemd-sysusers']) {
      writeFileSync(join(folder, 'bin', name), `#!/bin/sh\necho "${name} $*" >> ${folder}/log\n${script}\n`);
      chmodSync(join(folder, 'bin', name), 0o755);
    }
    const groups = readFileSync('/etc/group', 'utf8').replaceAll(/^synscope:.*\n/gm, '');
    writeFileSync(join(folder, 'group'), `${groups}synscope:x:9999:\n`);
    const mounts = [
      `mount --bind ${folder}/group /etc/group`,
      ...['systemd/system', 'sysusers.d'].map((name) => `mkdir -p /etc/${name} && mount -t tmpfs tmpfs /etc/${name}`),
      'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system',
      `PATH=${folder}/bin:$PATH "$@"; code=$?`,
      `cp /etc/systemd/system/synscope.service ${folder}/unit; rm -f ${folder}/etc/synscope.yaml; exit $code`,
    ];
    const command = [process.execPath, join(root, 'src/cli/main.ts'), ...args];
    return spawnSync('unshare', ['--mount', 'sh', '-c', mounts.join('\n'), 'sh', ...command], { encoding: 'utf8' });
  }
  const config = ['--config', '/tmp/synscope-test-config.yaml'];
  afterEach(() => rmSync('/tmp/synscope-test-config.yaml', { force: true }));
  const isSafe = ((): boolean => {
    try {
      checkPrograms({ node: process.execPath, program: join(root, 'bin/synscope.js') });
      return true;
    } catch {
      return false;
    }
  })();
  if (!isSafe) console.log('skipped: the service of this machine (its checkout is not one that only root may change)');

  it.skipIf(!isSafe)('starts the service', () => {
    const { status, stdout, stderr } = runThere(['install-service', ...config], 'exit 0');
    expect(stderr).toBe('');
    expect(stdout).toContain('made      /etc/systemd/system/synscope.service');
    expect(stdout).toContain('Page: http://127.0.0.1:7321');
    expect(status).toBe(0);
    expect(readFileSync(join(folder, 'log'), 'utf8').trim().split('\n')).toEqual([
      'systemd-sysusers synscope.conf',
      'systemctl daemon-reload',
      'systemctl enable --quiet synscope.service',
      'systemctl restart synscope.service',
      'systemctl is-active --quiet synscope.service',
    ]);
    expect(statSync('/tmp/synscope-test-config.yaml').gid).toBe(9999);
    expect(readFileSync(join(folder, 'unit'), 'utf8')).toContain(`--config ${config[1]}\n`);
  });

  it.skipIf(!isSafe)('says when the service does not stay up', () => {
    const { status, stdout } = runThere(['install-service', ...config], '[ "$1" != is-active ]');
    expect(stdout).toContain('It does not stay up. Why: journalctl -u synscope.service -n 20');
    expect(status).toBe(1);
  });

  it.skipIf(!isSafe)('says which command failed, and goes no further', () => {
    const { status, stdout } = runThere(['install-service', ...config], 'echo "no bus" >&2; [ "$1" != daemon-reload ]');
    expect(stdout).toContain('failed    systemctl daemon-reload: no bus');
    expect(stdout).not.toContain('enable');
    expect(status).toBe(1);
  });
});

describe('programs that others may change', () => {
  const make = (path: string, mode: number): string => {
    writeFileSync(join(folder, path), '');
    chmodSync(join(folder, path), mode);
    return join(folder, path);
  };
  const problem = (node: string): string => {
    try {
      checkPrograms({ node, program: '/nowhere/bin/synscope.js' });
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  it.skipIf(!isRoot)('are refused', () => {
    chmodSync(folder, 0o755);
    // The folder for temporary files is everybody's.
    expect(problem(make('node', 0o755))).toBe(`${folder}/node is in ${tmpdir()}, which everybody may change.`);
    expect(problem(make('open', 0o757))).toBe(`${folder}/open everybody may change.`);
    expect(problem(make('closed', 0o700))).toBe(`${folder}/closed other users may not read.`);
    symlinkSync('node', join(folder, 'link'));
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
    expect(problem('/root/node')).toBe('/root/node lies in the home of a user, which a service cannot see.');
    execFileSync('chown', ['65534', join(folder, 'node')]);
    expect(problem(join(folder, 'node'))).toBe(`${folder}/node belongs to user id 65534, not to root.`);
  });
});

describe('wrong usage', () => {
  it.each([
    [['install-service', 'now'], 'install-service takes options only'],
    [['uninstall-service', 'now'], 'uninstall-service takes options only'],
    [['install-service', '--config', 'x.yaml'], '--config takes the whole path of a file'],
    [['install-service', '--config', '/etc/../x.yaml'], '--config takes the whole path of a file'],
    [['install-service', '--root', '/no/such/folder'], '/no/such/folder is not the root of a machine'],
  ])('%j', (args, message) => {
    const { status, stderr } = runCli(args);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(status).toBe(2);
  });
});
