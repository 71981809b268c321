import type { AttemptFilter, TimePoint } from '../engine/attempt-filter.ts';
import { parseAddress } from '../formats/wire/address.ts';
import { type CommandOption, UsageError } from './command.ts';

/** What the options shared by `read` and `compare` were set to. */
export interface CaptureCommandOptions {
  readonly json?: boolean;
  readonly html?: string;
  readonly annotate?: string;
  readonly host?: readonly string[];
  readonly port?: readonly number[];
  readonly since?: TimePoint;
  readonly until?: TimePoint;
  readonly failed?: boolean;
  readonly all?: boolean;
  readonly limit?: number;
  readonly verbose: number;
}

/** Options shared by `read` and `compare`. */
export const CAPTURE_OPTIONS: readonly CommandOption[] = [
  { flags: '--json', description: 'print everything as one JSON object (docs/json.md)' },
  { flags: '--html <file>', description: 'also write a page that shows everything, in one file' },
  { flags: '--annotate <file>', description: 'also write a pcapng file with the verdicts as packet comments' },
  { flags: '--host <address>', description: 'only attempts from or to this address (repeatable)', parse: appendHost },
  { flags: '--port <number>', description: 'only attempts to this server port (repeatable)', parse: appendPort },
  {
    flags: '--since <time>',
    description: 'only attempts that begin at or after: 2026-11-20T10:00:00Z, or +30s from the first packet',
    parse: (text) => parseTime('--since', text),
  },
  {
    flags: '--until <time>',
    description: 'only attempts that begin at or before',
    parse: (text) => parseTime('--until', text),
  },
  { flags: '--failed', description: 'leave out attempts that were late or cannot be judged' },
  { flags: '--all', description: 'list established attempts one by one as well' },
  {
    flags: '--limit <count>',
    description: 'list at most so many attempts one by one; groups and counts stay complete',
    parse: parseLimit,
  },
  {
    flags: '-v, --verbose',
    description: 'show every group in full; twice: every attempt',
    parse: (_, previous) => Number(previous ?? 0) + 1,
    initial: 0,
  },
];

/** The attempts that the options ask for. */
export function attemptFilter({ host, port, since, until }: CaptureCommandOptions): AttemptFilter {
  return {
    ...(host === undefined ? {} : { hosts: host }),
    ...(port === undefined ? {} : { ports: port }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

function appendHost(text: string, previous: unknown): string[] {
  const address = text.replace(/^\[(.*)\]$/, '$1');
  if (parseAddress(address) === undefined) {
    throw new UsageError(
      `--host takes an IP address, and "${text}" is none; names are not looked up, because a capture has none`,
    );
  }
  return [...((previous as string[] | undefined) ?? []), address];
}

function appendPort(text: string, previous: unknown): number[] {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) {
    throw new UsageError(`--port takes a number from 0 to 65535, and "${text}" is none`);
  }
  return [...((previous as number[] | undefined) ?? []), port];
}

function parseLimit(text: string): number {
  if (!/^\d+$/.test(text)) throw new UsageError(`--limit takes a whole number, and "${text}" is none`);
  return Number(text);
}

const UNIT_NS: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9 };

function parseTime(option: string, text: string): TimePoint {
  const relative = /^\+(\d+(?:\.\d+)?)(ms|s|m|min|h)?$/.exec(text);
  if (relative !== null) {
    return { ns: BigInt(Math.round(Number(relative[1]) * (UNIT_NS[relative[2] ?? 's'] as number))), relative: true };
  }
  const seconds = /^(\d{9,11})(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds !== null) {
    return {
      ns: BigInt(seconds[1] as string) * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0')),
      relative: false,
    };
  }
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new UsageError(
      `${option} takes a time, and "${text}" is none; give 2026-11-20T10:00:00Z, seconds since 1970, or +30s, +5m from the first packet of the capture`,
    );
  }
  return { ns: BigInt(ms) * 1_000_000n, relative: false };
}
