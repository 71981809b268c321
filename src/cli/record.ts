import { parseAddress } from '../formats/wire/address.ts';
import { type Command, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, UsageError } from './command.ts';
import { parseDuration, parsePort, SUDO } from './host-options.ts';
import { interruptSignal } from './interrupt.ts';

/** What the options of `record` were set to. */
export interface RecordOptions {
  readonly output?: string;
  readonly on: string;
  readonly sudo?: boolean;
  readonly port?: number;
  readonly from?: string;
  readonly for: number;
  readonly anonymize?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

const DEFAULT_FOR_MS = 10_000;

export const command: Command = {
  name: 'record',
  argument: '',
  argumentDescription: '',
  summary: 'everything that a diagnosis needs, in one file',
  examples: [
    ['sudo synscope record -o web7.syn --port 443', 'watch port 443 for ten seconds while clients try'],
    ['sudo synscope record -o web7.syn --from 2001:db8::7', 'no traffic needed: also what a SYN from there would meet'],
    [
      'synscope record -o web7.syn --on ssh:root@web7 --anonymize',
      'of another machine, without its addresses and names',
    ],
    ['synscope listen 443 --on bundle:web7.syn', 'judge it, years later, on any machine'],
  ],
  options: [
    { flags: '-o, --output <file>', description: 'the file to write (docs/hosts.md says what is in it)' },
    {
      flags: '--on <host>',
      description: 'local, netns:, pid:, docker:, pod: or ssh:[user@]host[:port] (docs/hosts.md)',
      initial: 'local',
      parse: (text) => text,
    },
    SUDO,
    {
      flags: '--port <number>',
      description: 'the port that clients cannot reach (every listening one)',
      parse: (text) => parsePort('--port', text),
    },
    { flags: '--from <address>', description: 'also what a SYN from this address would meet', parse: parseFrom },
    {
      flags: '--for <time>',
      description: 'watch for so long: 30s, 2m (10s unless given); 0 records the state alone',
      parse: (text) => parseDuration('--for', text),
      initial: DEFAULT_FOR_MS,
    },
    { flags: '--anonymize', description: 'replace addresses and names by others, so that prefixes still match' },
    { flags: '--force', description: 'replace the file when there is one' },
    { flags: '--json', description: 'print what was recorded as one JSON object (docs/hosts.md)' },
  ],
  async run(args, given) {
    const options = given as unknown as RecordOptions;
    if (args.length > 0) throw new UsageError(`record takes options only; for a port: --port ${args[0]}`);
    const { output } = options;
    if (output === undefined || output === '' || output === '-') {
      throw new UsageError('record writes a file: name it with -o FILE');
    }
    if (options.on.startsWith('bundle:')) throw new UsageError('a recording cannot be recorded again; copy the file');
    const { runRecord } = await import('./record-run.ts');
    const isComplete = await runRecord({ ...options, output }, interruptSignal());
    return isComplete ? EXIT_NOTHING_WRONG : EXIT_UNDECIDED;
  },
};

function parseFrom(text: string): string {
  if (parseAddress(text.replace(/%.+$/, '')) === undefined) {
    throw new UsageError(`--from takes an IP address, and "${text}" is none`);
  }
  return text;
}
