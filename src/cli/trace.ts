import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { type Command, EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, UsageError } from './command.ts';
import { connectingOptions, familyOf, parseConnectTarget } from './connect-options.ts';
import { parseDuration, parsePort, REPORT_OPTIONS, SUDO } from './host-options.ts';
import { interruptSignal } from './interrupt.ts';
import { checkOutputFiles } from './output-files.ts';
import type { TraceCommandOptions } from './trace-options.ts';

const DEFAULT_HOLD_MS = 100;
const DEFAULT_ATTEMPTS = 3;
const MAX_ATTEMPTS = 20;

export const command: Command = {
  name: 'trace',
  argument: '[host:port | url]',
  argumentDescription: 'what cannot be reached, as the client names it',
  summary: 'capture on both sides at once, connect, compare, diagnose',
  examples: [
    ['sudo synscope trace api.internal:443 --server ssh:root@web7', 'from here to web7: where it dies, and why'],
    [
      'synscope trace web7:443 --client ssh:ops@bastion --server ssh:root@web7 --via ssh:root@fw1',
      'from anywhere; a firewall in between as well',
    ],
    ['sudo synscope trace 10.0.0.7:443 --server ssh:web7 --sudo --wait 5m', "waits for the application's own attempt"],
    ['sudo synscope trace web7:443 --server ssh:root@web7 --pcap case7', 'keeps captures and recordings in a folder'],
    ['synscope trace --from case7', 'the same diagnosis from that folder, on any machine'],
  ],
  options: [
    {
      flags: '--server <host>',
      description: 'the host that should answer: ssh:[user@]host[:port], netns:NAME, … (docs/hosts.md)',
      parse: (text) => text,
    },
    {
      flags: '--client <host>',
      description: 'the host that connects (local unless given)',
      initial: 'local',
      parse: (text) => text,
    },
    {
      flags: '--via <host>',
      description: 'a host between them, nearest to the client first (repeatable)',
      parse: (text, previous) => [...((previous as string[] | undefined) ?? []), text],
    },
    {
      flags: '--wait [time]',
      description: "connect nothing: wait for the application's own attempts, so long (60s)",
      parse: (text) => parseDuration('--wait', text),
    },
    {
      flags: '--attempts <count>',
      description: 'connect so often as long as it works (3 unless given)',
      parse: parseAttempts,
      initial: DEFAULT_ATTEMPTS,
    },
    {
      flags: '--server-port <port>',
      description: 'the port on the server, when something translates it',
      parse: (text) => parsePort('--server-port', text),
    },
    ...connectingOptions(DEFAULT_HOLD_MS),
    { flags: '--pcap <dir>', description: 'keep the captures and a recording of every host in a new folder' },
    { flags: '--from <dir>', description: 'diagnose from such a folder; nothing is captured or connected' },
    SUDO,
    ...REPORT_OPTIONS,
  ],
  async run(targets, given) {
    const options = given as unknown as TraceCommandOptions;
    const [text, ...more] = targets;
    if (more.length > 0) throw new UsageError('trace takes one target; start it once for each');
    familyOf(options);
    checkOutputFiles(options, []);
    if (options.from !== undefined) {
      const live =
        text !== undefined || options.server !== undefined || options.pcap !== undefined || options.wait !== undefined;
      if (live)
        throw new UsageError(
          '--from DIR says everything by itself; leave the target, the hosts, --wait and --pcap out',
        );
      const { runTraceFrom } = await import('./trace-run.ts');
      return traceExitCode(await runTraceFrom(options, options.from, interruptSignal()));
    }
    if (text === undefined)
      throw new UsageError('trace needs a target, for example: synscope trace web7:443 --server ssh:root@web7');
    const { server } = options;
    if (server === undefined) {
      throw new UsageError('trace needs the host that should answer: --server ssh:root@HOST (see docs/hosts.md)');
    }
    const target = parseConnectTarget(text);
    const { runTrace } = await import('./trace-run.ts');
    return traceExitCode(await runTrace({ ...options, server }, target, interruptSignal()));
  },
};

/** 0 when it worked; 1 when a cause or the place where it died was found; 3 when neither can be told. */
function traceExitCode({ diagnoses, summary }: CaptureReport): number {
  const isPlaced = ({ path, handshake }: Diagnosis): boolean =>
    path !== undefined &&
    path.location !== 'unmatched' &&
    path.location !== 'established' &&
    path.location !== 'late' &&
    handshake.outcome !== 'established';
  if (diagnoses.some((one) => one.cause !== null || isPlaced(one))) return EXIT_CAUSE_FOUND;
  if (summary.failed > 0 || diagnoses.length === 0) return EXIT_UNDECIDED;
  return (summary.outcomes.established ?? 0) > 0 ? EXIT_NOTHING_WRONG : EXIT_UNDECIDED;
}

function parseAttempts(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MAX_ATTEMPTS) {
    throw new UsageError(`--attempts takes a whole number from 1 to ${MAX_ATTEMPTS}, and "${text}" is none`);
  }
  return count;
}
