import { parseAddress } from '../formats/wire/address.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import type { TwinRole } from '../twin/syn.ts';
import { type Command, EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, UsageError } from './command.ts';
import { HOST_OPTIONS, type HostCommandOptions, parseDuration } from './host-options.ts';
import { interruptSignal } from './interrupt.ts';
import { parseListenTarget } from './listen.ts';
import { checkOutputFiles } from './output-files.ts';

interface ProveCommandOptions extends HostCommandOptions {
  readonly from?: string;
  readonly pcap?: string;
  readonly as: TwinRole;
  readonly bisect?: readonly string[];
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_MS = 20_000;
const ROLES: readonly TwinRole[] = ['server', 'router', 'client'];

export const command: Command = {
  name: 'prove',
  argument: '<[address:]port>',
  argumentDescription: 'the port that does not answer; with an address when only one is meant',
  summary: 'prove the cause on a copy of the host; the host itself is only read',
  examples: [
    [
      'sudo synscope prove 443 --from 2001:db8::7',
      'copies this host, replays the SYN to the copy, finds what stops it',
    ],
    ['synscope prove 443 --from 2001:db8::7 --on ssh:root@web7', 'reads the host there; the copy is made here'],
    [
      'synscope prove 443 --on bundle:web7.syn --pcap server.pcap',
      "last night's failure, on any Linux machine, without root",
    ],
    ['synscope prove 443 --from 10.0.0.7 --bisect good.syn bad.syn', 'which difference of two recordings breaks it'],
  ],
  options: [
    { flags: '--from <address>', description: 'address of the client', parse: parseFrom },
    { flags: '--pcap <file>', description: 'a capture that holds the failed attempt: its SYN is replayed as it was' },
    {
      flags: '--as <role>',
      description: 'what the host is to the connection: server, router or client (server unless given)',
      parse: parseRole,
      initial: 'server',
    },
    {
      flags: '--bisect <recording...>',
      description: 'two recordings of a host, a good and a bad one: which difference breaks it',
      parse: (text, previous) => [...((previous as readonly string[] | undefined) ?? []), text],
    },
    {
      flags: '--timeout <time>',
      description: 'try no new change after so long (20s unless given)',
      parse: (text) => parseDuration('--timeout', text),
      initial: DEFAULT_TIMEOUT_MS,
    },
    ...HOST_OPTIONS,
  ],
  async run(args, given) {
    const options = given as unknown as ProveCommandOptions;
    const { files, rest } = splitBisect(args, options.bisect);
    const [target = '', ...more] = rest;
    if (more.length > 0) throw new UsageError('prove takes one port; start it once for each');
    const { port, address } = parseListenTarget(target, 'prove');
    const { from, pcap, timeout } = options;
    if (from === undefined && pcap === undefined && options.as !== 'client') {
      throw new UsageError(
        `prove needs to know whose SYN: the client's address (--from 192.0.2.7), or a capture that holds its attempt (--pcap FILE)`,
      );
    }
    if (address === undefined && options.as !== 'server') {
      throw new UsageError(
        `--as ${options.as} needs the address of the server: prove 192.0.2.9:${port} --as ${options.as}`,
      );
    }
    if (from === undefined && files !== undefined)
      throw new UsageError('--bisect needs the address of a client: --from');
    if (pcap !== undefined && options.as === 'client') throw new UsageError('--pcap is for --as server and router');
    checkOutputFiles(options, pcap === undefined ? [] : [pcap]);
    const { runProve, runBisect } = await import('./prove-run.ts');
    const request = {
      port,
      role: options.as,
      timeoutMs: timeout,
      signal: interruptSignal(),
      ...(address === undefined ? {} : { address }),
      ...(from === undefined ? {} : { from }),
      ...(pcap === undefined ? {} : { pcap }),
    };
    const report = files === undefined ? await runProve(options, request) : await runBisect(options, request, files);
    return proveExitCode(report);
  },
};

/** 1 when something is proven, 0 when the host is acquitted, 3 when the copy could not show it. */
function proveExitCode({ diagnoses }: CaptureReport): number {
  const outcomes = diagnoses.map(({ proof }) => proof?.outcome);
  if (outcomes.includes('proven')) return EXIT_CAUSE_FOUND;
  return outcomes.length > 0 && outcomes.every((outcome) => outcome === 'acquitted')
    ? EXIT_NOTHING_WRONG
    : EXIT_UNDECIDED;
}

/** `--bisect GOOD BAD` may take the port that stands behind it, too. */
function splitBisect(
  args: readonly string[],
  bisect: readonly string[] | undefined,
): { readonly files?: readonly [string, string]; readonly rest: readonly string[] } {
  if (bisect === undefined) return { rest: args };
  const [good, bad, ...rest] = bisect;
  if (good === undefined || bad === undefined) {
    throw new UsageError('--bisect takes two recordings, a good one and a bad one: --bisect good.syn bad.syn');
  }
  return { files: [good, bad], rest: [...args, ...rest] };
}

function parseRole(text: string): TwinRole {
  const role = ROLES.find((one) => one === text);
  if (role === undefined) throw new UsageError(`--as takes server, router or client, and "${text}" is none of them`);
  return role;
}

function parseFrom(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, '$1');
  if (parseAddress(address.split('%')[0] ?? '') === undefined) {
    throw new UsageError(`--from takes the IP address of a client, and "${text}" is none`);
  }
  return address;
}
