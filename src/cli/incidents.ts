import type { Incident } from '../model/incident.ts';
import { MOMENT_FORMS, parseMoment } from '../service/history/parse-time.ts';
import { type Command, EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, UsageError } from './command.ts';
import { FROM_OPTION } from './incident-options.ts';

/** What the options of `incidents` were set to. */
export interface IncidentsOptions {
  readonly since?: bigint;
  readonly until?: bigint;
  readonly state?: Incident['state'];
  readonly kind?: Incident['kind'];
  readonly cause?: string;
  readonly port?: number;
  readonly limit?: number;
  readonly export?: 'jsonl' | 'csv' | 'parquet';
  readonly json?: boolean;
  /** Folder of the watch. */
  readonly from?: string;
}

export const command: Command = {
  name: 'incidents',
  argument: '[file]',
  argumentDescription: 'with --export: the file to write, or - for standard output',
  summary: 'what "synscope watch" found on this host, newest first',
  examples: [
    ['synscope incidents', 'the newest'],
    ['synscope incidents --since 2h --state open', 'those of the last two hours that are open'],
    ['synscope incidents --cause no-return-route --port 443 --json', 'for scripts'],
    ['synscope incidents --since 30d --export parquet november.parquet', 'everything of 30 days as a table'],
  ],
  options: [
    {
      flags: '--since <time>',
      description: 'seen at or after: 2h, 7d, 2026-11-20, 2026-11-20T14:00:00Z',
      parse: moment('--since'),
    },
    { flags: '--until <time>', description: 'begun at or before', parse: moment('--until') },
    { flags: '--state <state>', description: 'open or closed', parse: word('--state', ['open', 'closed']) },
    {
      flags: '--kind <kind>',
      description: 'failure, noise (flood, scan) or warning (nothing failed yet)',
      parse: word('--kind', ['failure', 'noise', 'warning']),
    },
    { flags: '--cause <id>', description: 'of this cause (synscope causes)', parse: (text) => text },
    { flags: '--port <number>', description: 'of this port', parse: count('--port', 65_535) },
    { flags: '--limit <count>', description: 'at most so many (50 unless given)', parse: count('--limit', 1_000_000) },
    {
      flags: '--export <format>',
      description: 'write all of them with their samples: jsonl, csv or parquet (docs/history.md)',
      parse: word('--export', ['jsonl', 'csv', 'parquet']),
    },
    { flags: '--json', description: 'print one JSON object (docs/api.md)' },
    FROM_OPTION,
  ],
  async run([file, ...more], given) {
    const options = given as IncidentsOptions;
    if (more.length > 0) throw new UsageError('incidents takes one file at most');
    if (file !== undefined && options.export === undefined) {
      throw new UsageError(`"${file}" would be the file of an export: say --export jsonl, csv or parquet`);
    }
    const { runIncidents } = await import('./incidents-run.ts');
    const found = await runIncidents(options, file);
    return found > 0 ? EXIT_CAUSE_FOUND : EXIT_NOTHING_WRONG;
  },
};

function moment(option: string): (text: string) => bigint {
  return (text) => {
    const ns = parseMoment(text);
    if (ns === undefined) throw new UsageError(`${option} takes ${MOMENT_FORMS}, and "${text}" is none of these`);
    return ns;
  };
}

function word(option: string, words: readonly string[]): (text: string) => string {
  return (text) => {
    if (words.includes(text)) return text;
    throw new UsageError(`${option} is one of ${words.join(', ')}, and "${text}" is none of these`);
  };
}

function count(option: string, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (value >= 1 && value <= most) return value;
    throw new UsageError(`${option} takes a whole number from 1 to ${most}, and "${text}" is none`);
  };
}
