import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLE_CONFIG } from './example-config.ts';
import type { Programs } from './programs.ts';
import type { CommandStep, Step } from './steps.ts';
import { renderSysusers, renderUnit, SERVICE_USER, UNIT } from './unit.ts';

const UNIT_PATH = `/etc/systemd/system/${UNIT}`;
const SYSUSERS_PATH = '/etc/sysusers.d/synscope.conf';
/** Where the service keeps its history. */
export const STATE_PATH = '/var/lib/synscope';

/** What is to be installed, and where. */
export interface InstallOptions {
  /** The folder that is the root of the machine. */
  readonly root: string;
  readonly programs: Programs;
  readonly config: string;
  readonly kernelEvents: boolean;
  /** Whether it is started at once, and not only when the machine starts. */
  readonly start: boolean;
  /** Whether there is systemd-sysusers. */
  readonly hasSysusers: boolean;
  /** Whether there is a group, of those of the machine. */
  readonly hasGroup: (name: string) => boolean;
}

/** The steps that make the service. */
export function installSteps(options: InstallOptions): readonly Step[] {
  const { root, programs, config, kernelEvents, start, hasSysusers, hasGroup } = options;
  const journal = hasGroup('systemd-journal');
  const isImage = root !== '/';
  return [
    { kind: 'file', path: SYSUSERS_PATH, text: renderSysusers(), mode: 0o644, isOfUser: false },
    ...userSteps(root, hasSysusers, hasGroup(SERVICE_USER)),
    // It may hold a token.
    { kind: 'file', path: config, text: EXAMPLE_CONFIG, mode: 0o640, group: SERVICE_USER, isOfUser: true },
    {
      kind: 'file',
      path: UNIT_PATH,
      text: renderUnit({ ...programs, config, kernelEvents, journal }),
      mode: 0o644,
      isOfUser: false,
    },
    ...(isImage ? [] : [command('systemd reads the unit', 'systemctl', 'daemon-reload')]),
    command('it starts with the machine', 'systemctl', ...inImage(root), 'enable', '--quiet', UNIT),
    ...(isImage || !start ? [] : [command('it starts now', 'systemctl', 'restart', UNIT)]),
  ];
}

/** What is to be removed. */
export interface UninstallOptions {
  readonly root: string;
  /** Also data, configuration, drop-ins and the user. */
  readonly purge: boolean;
  readonly config: string;
}

/** The steps that remove the service. */
export function uninstallSteps({ root, purge, config }: UninstallOptions): readonly Step[] {
  const isImage = root !== '/';
  const hasUnit = existsSync(join(root, UNIT_PATH));
  const now = isImage ? [] : ['--now'];
  const stop = command('it ends', 'systemctl', ...inImage(root), 'disable', '--quiet', ...now, UNIT);
  return [
    ...(hasUnit ? [stop] : []),
    { kind: 'remove', path: UNIT_PATH, onlyIfOurs: true },
    { kind: 'remove', path: SYSUSERS_PATH, onlyIfOurs: true },
    ...(isImage ? [] : [command('systemd forgets the unit', 'systemctl', 'daemon-reload')]),
    ...(purge ? purgeSteps(root, config) : []),
  ];
}

function purgeSteps(root: string, config: string): readonly Step[] {
  const words = root === '/' ? [] : ['--root', root];
  return [
    { kind: 'remove', path: STATE_PATH, onlyIfOurs: false },
    { kind: 'remove', path: config, onlyIfOurs: false },
    { kind: 'remove', path: `${UNIT_PATH}.d`, onlyIfOurs: false },
    // Nobody is left that the user could be needed for; it may never have been made.
    { ...command('nobody needs the user', 'userdel', ...words, SERVICE_USER), mayFail: true },
  ];
}

function userSteps(root: string, hasSysusers: boolean, hasUser: boolean): readonly Step[] {
  const why = 'the service gets a user of its own';
  if (hasSysusers) return [command(why, 'systemd-sysusers', ...inImage(root), 'synscope.conf')];
  if (hasUser) return [];
  const words = root === '/' ? [] : ['--root', root];
  const settings = ['--system', '--user-group', '--home-dir', STATE_PATH, '--no-create-home'];
  return [command(why, 'useradd', ...words, ...settings, '--shell', '/usr/sbin/nologin', SERVICE_USER)];
}

/** Makes systemd's programs work on an image. */
function inImage(root: string): string[] {
  return root === '/' ? [] : [`--root=${root}`];
}

function command(why: string, ...argv: string[]): CommandStep {
  return { kind: 'command', argv, why };
}
