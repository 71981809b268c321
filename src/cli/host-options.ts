import { type CommandOption, UsageError } from './command.ts';

/** What the options shared by the commands that look at a host were set to. */
export interface HostCommandOptions {
  readonly on: string;
  readonly sudo?: boolean;
  readonly json?: boolean;
  readonly html?: string;
  readonly verbose: number;
}

/** Of the commands that may look at a host over ssh. */
export const SUDO: CommandOption = {
  flags: '--sudo',
  description: 'with ssh: run the commands there through sudo -n, as far as it allows (docs/hosts.md)',
};

/** Options shared by the commands that print a report. */
export const REPORT_OPTIONS: readonly CommandOption[] = [
  { flags: '--json', description: 'print everything as one JSON object (docs/json.md)' },
  { flags: '--html <file>', description: 'also write a page that shows everything, in one file' },
  {
    flags: '-v, --verbose',
    description: 'show every group in full; twice: every attempt',
    parse: (_, previous) => Number(previous ?? 0) + 1,
    initial: 0,
  },
];

/** Options shared by the commands that look at a host. */
export const HOST_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--on <host>',
    description: 'local, netns:, pid:, docker:, pod:, ssh:[user@]host[:port] or bundle:FILE (docs/hosts.md)',
    initial: 'local',
    parse: (text) => text,
  },
  SUDO,
  ...REPORT_OPTIONS,
];

/** Of the commands that watch packets: what they may do to see more. */
export const ALLOW_CHANGES: CommandOption = {
  flags: '--allow-changes',
  description: 'let it put a rule into nftables that traces the packets of this port, and is removed when it ends',
};

/** Milliseconds of `30s`, `2m`, `500ms`, or a number of seconds. @throws UsageError */
export function parseDuration(option: string, text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|min|h)?$/.exec(text) ?? [];
  const factor = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }[unit];
  if (amount === undefined || factor === undefined) {
    throw new UsageError(`${option} takes a time such as 30s, 2m or 500ms, and "${text}" is none`);
  }
  return Number(amount) * factor;
}

/** The number of a port. @throws UsageError */
export function parsePort(option: string, text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new UsageError(`${option} takes a number from 1 to 65535, and "${text}" is none`);
  }
  return port;
}
