import { parseAddress } from '../formats/wire/address.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { type Command, EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, UsageError } from './command.ts';
import { ALLOW_CHANGES, HOST_OPTIONS, type HostCommandOptions, parseDuration } from './host-options.ts';
import { interruptSignal } from './interrupt.ts';
import { checkOutputFiles } from './output-files.ts';

interface ListenCommandOptions extends HostCommandOptions {
  readonly prove?: boolean;
  readonly from?: string;
  readonly for: number;
  readonly keep?: boolean;
  readonly limit?: number;
  readonly allowChanges?: boolean;
}

const DEFAULT_FOR_MS = 30_000;

export const command: Command = {
  name: 'listen',
  argument: '<[address:]port>',
  argumentDescription: 'the port that clients cannot reach; with an address when only one is meant',
  summary: "why can't they connect to me? (on the server)",
  examples: [
    ['sudo synscope listen 443', 'watches real attempts until one fails, and says why'],
    ['synscope listen 443 --from 2001:db8::7', 'no traffic needed: would a SYN from there be answered?'],
    ['sudo synscope listen 443 --for 10m --keep', 'goes on, and sums up'],
    ['synscope listen 443 --on ssh:root@web7', 'another machine, with nothing installed there'],
  ],
  options: [
    { flags: '--from <address>', description: 'judge a SYN from this address without sending one', parse: parseFrom },
    {
      flags: '--for <time>',
      description: 'watch for so long: 30s, 2m (30s unless given)',
      parse: (text) => parseDuration('--for', text),
      initial: DEFAULT_FOR_MS,
    },
    { flags: '--keep', description: 'go on after the first failure that was explained' },
    {
      flags: '--limit <count>',
      description: 'diagnose at most so many failed attempts (20 unless given)',
      parse: parseCount,
    },
    { flags: '--prove', description: 'prove what was found on a copy of the host (docs/prove.md)' },
    ALLOW_CHANGES,
    ...HOST_OPTIONS,
  ],
  async run([target = '', ...more], given) {
    const options = given as unknown as ListenCommandOptions;
    if (more.length > 0) throw new UsageError('listen takes one port; start it once for each');
    const { port, address } = parseListenTarget(target);
    checkOutputFiles(options, []);
    const { runListen } = await import('./listen-run.ts');
    const { from, keep, limit, allowChanges } = options;
    if (allowChanges && from !== undefined) {
      throw new UsageError('--allow-changes traces packets, and --from sends none; leave one of them out');
    }
    const report = await runListen(options, {
      port,
      forMs: options.for,
      signal: interruptSignal(),
      ...(address === undefined ? {} : { address }),
      ...(from === undefined ? {} : { from }),
      ...(keep === undefined ? {} : { keep }),
      ...(allowChanges === undefined ? {} : { allowChanges }),
      ...(limit === undefined ? {} : { limit }),
    });
    return hostExitCode(report);
  },
};

/** 1 when a cause was found, 0 when nothing is wrong, 3 when something failed, or nothing was seen, and no cause stands out. */
export function hostExitCode({ diagnoses, summary }: CaptureReport): number {
  if (diagnoses.some(({ cause }) => cause !== null)) return EXIT_CAUSE_FOUND;
  if (summary.failed > 0) return EXIT_UNDECIDED;
  if (diagnoses.some(({ incomplete }) => incomplete)) return EXIT_UNDECIDED;
  const supposed = diagnoses.some((diagnosis) => diagnosis.supposed);
  return supposed || (summary.outcomes.established ?? 0) > 0 ? EXIT_NOTHING_WRONG : EXIT_UNDECIDED;
}

/** Reads `443`, `192.0.2.1:443`, `[2001:db8::1]:443`. @param name of the command, for the message. @throws UsageError */
export function parseListenTarget(
  text: string,
  name: string = 'listen',
): { readonly port: number; readonly address?: string } {
  const [, v6, v4, digits] = /^(?:(?:\[([\da-f:.]+)\]|([\d.]+)|\*):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  const address = v6 ?? v4;
  if (
    digits === undefined ||
    port < 1 ||
    port > 65535 ||
    (address !== undefined && parseAddress(address) === undefined)
  ) {
    throw new UsageError(
      `${name} takes a port (443), or an address of this host and a port (192.0.2.1:443, [2001:db8::1]:443), and "${text}" is neither`,
    );
  }
  return address === undefined ? { port } : { port, address };
}

function parseFrom(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, '$1');
  if (parseAddress(address.split('%')[0] ?? '') === undefined) {
    throw new UsageError(`--from takes the IP address of a client, and "${text}" is none`);
  }
  return address;
}

function parseCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`--limit takes a whole number above 0, and "${text}" is none`);
  return Number(text);
}
