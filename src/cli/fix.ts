import { parseAddress } from '../formats/wire/address.ts';
import { type Command, UsageError } from './command.ts';
import { parseConnectTarget } from './connect-options.ts';
import { HOST_OPTIONS, parseDuration } from './host-options.ts';
import { interruptSignal } from './interrupt.ts';
import { parseListenTarget } from './listen.ts';

/** What the options of `fix` were set to. */
export interface FixCommandOptions {
  readonly on: string;
  readonly sudo?: boolean;
  readonly json?: boolean;
  readonly from?: string;
  readonly target?: string;
  readonly last?: boolean;
  readonly for: number;
  readonly remedy?: string;
  readonly gateway?: string;
  readonly device?: string;
  readonly peer?: string;
  readonly apply?: boolean;
  readonly yes?: boolean;
  readonly persist?: boolean;
  readonly iOwnThisPolicy?: boolean;
  readonly undo?: string;
  readonly journal?: boolean;
  readonly reset?: boolean;
}

/** What `fix` is to repair. */
export interface FixWish {
  readonly causeId?: string;
  readonly port?: number;
  readonly address?: string;
}

const DEFAULT_FOR_MS = 30_000;
const SHARED: ReadonlySet<string> = new Set(['--on <host>', '--sudo', '--json']);

export const command: Command = {
  name: 'fix',
  argument: '[what...]',
  argumentDescription:
    'the cause that is to be repaired (its name in "synscope causes"), and the port that clients cannot reach',
  summary: 'repair it: the plan; with --apply do it, verify it, undo it if it did not help',
  examples: [
    [
      'synscope fix no-return-route 443 --from 2001:db8::7',
      'the plan: what, why, risk, commands, how it is verified and undone',
    ],
    [
      'sudo synscope fix no-return-route 443 --apply',
      'waits for a client that fails, repairs, and watches whether it is answered',
    ],
    ['sudo synscope fix --last --apply', 'repairs what the last listen or connect has found'],
    ['sudo synscope fix --target db:5432 --apply', 'repairs what keeps this host from connecting'],
    ['sudo synscope fix --journal', 'what was repaired, when, and how it ended'],
    ['sudo synscope fix --undo 20261121-3fa9c1', 'takes a repair back'],
  ],
  options: [
    { flags: '--apply', description: 'carry the plan out, verify it, and undo it if it did not help' },
    {
      flags: '--from <address>',
      description: 'the client whose SYN is judged, without waiting for one',
      parse: parseFrom,
    },
    { flags: '--target <host:port>', description: 'repair the way from this host to a server', parse: (text) => text },
    { flags: '--last', description: 'repair what the last listen, connect, trace or prove of this host has found' },
    {
      flags: '--for <time>',
      description:
        'wait so long for a client: for the diagnosis, and for its next SYN after the change (30s unless given)',
      parse: (text) => parseDuration('--for', text),
      initial: DEFAULT_FOR_MS,
    },
    {
      flags: '--remedy <name>',
      description: 'this remedy instead of the first that changes anything',
      parse: (text) => text,
    },
    {
      flags: '--gateway <address>',
      description: 'the router that a route is to lead through',
      parse: (text) => parseAddressOf('--gateway', text),
    },
    { flags: '--device <name>', description: 'with --gateway: the interface to it', parse: parseDevice },
    {
      flags: '--peer <host>',
      description: 'verify with a real connection from this host (as --on names it)',
      parse: (text) => text,
    },
    { flags: '--persist', description: 'also write the change into the configuration of the host' },
    {
      flags: '--i-own-this-policy',
      description: 'allow a change that lets through what somebody may refuse on purpose',
    },
    { flags: '--yes', description: 'do not ask, also when the risk is high' },
    { flags: '--journal', description: 'list the repairs that were made' },
    {
      flags: '--reset',
      description: 'let the policies of a watch repair again, after several repairs that did not help',
    },
    { flags: '--undo <id>', description: 'take a repair of the journal back', parse: parseId },
    ...HOST_OPTIONS.filter(({ flags }) => SHARED.has(flags)),
  ],
  async run(words, given) {
    const options = given as unknown as FixCommandOptions;
    const wish = parseWish(words);
    checkTogether(wish, options);
    const { runFix } = await import('./fix-run.ts');
    return runFix(wish, options, interruptSignal());
  },
};

/** Reads `no-return-route 443`, `443`, `no-return-route`. @throws UsageError */
function parseWish(words: readonly string[]): FixWish {
  if (words.length > 2) throw new UsageError('fix takes the name of a cause and a port, and no more');
  const isName = (word: string): boolean => /^[a-z][a-z0-9-]*$/.test(word);
  const names = words.filter(isName);
  const targets = words.filter((word) => !isName(word));
  if (names.length > 1) throw new UsageError(`fix takes one cause, and "${names[1]}" is a second one or no port`);
  if (targets.length > 1) throw new UsageError(`fix takes one port, and "${targets[1]}" is a second one`);
  const [causeId] = names;
  const [target] = targets;
  return { ...(causeId === undefined ? {} : { causeId }), ...(target === undefined ? {} : parseListenTarget(target)) };
}

function checkTogether({ port, causeId }: FixWish, options: FixCommandOptions): void {
  const { last, target, undo, journal, reset, from, apply, persist, peer } = options;
  const modes = [
    ...(undo === undefined ? [] : ['--undo']),
    ...(journal === undefined ? [] : ['--journal']),
    ...(reset === undefined ? [] : ['--reset']),
    ...(last === undefined ? [] : ['--last']),
    ...(target === undefined ? [] : ['--target']),
    ...(port === undefined ? [] : ['a port']),
  ];
  if (modes.length > 1) throw new UsageError(`${modes[0]} and ${modes[1]} do not go together`);
  if (modes.length === 0) {
    throw new UsageError(
      `${causeId === undefined ? 'what is to be repaired?' : `where is ${causeId} to be repaired?`} Name the port that clients cannot reach, --target host:port, or --last`,
    );
  }
  if (from !== undefined && port === undefined)
    throw new UsageError('--from belongs to a port: synscope fix CAUSE PORT --from ADDRESS');
  if (persist && !apply) throw new UsageError('--persist belongs to --apply; the plan shows what would be written');
  if (peer !== undefined && target !== undefined)
    throw new UsageError('--peer is for a port of a server; with --target the host itself connects');
  if (target !== undefined) parseConnectTarget(target);
  if (apply && options.on.startsWith('bundle:')) {
    throw new UsageError(
      'a recording cannot be repaired: leave --apply out to see the plan, or name the host itself with --on',
    );
  }
}

function parseFrom(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, '$1');
  if (parseAddress(address.split('%')[0] ?? '') === undefined) {
    throw new UsageError(`--from takes the IP address of a client, and "${text}" is none`);
  }
  return address;
}

function parseAddressOf(option: string, text: string): string {
  if (parseAddress(text) === undefined) throw new UsageError(`${option} takes an IP address, and "${text}" is none`);
  return text;
}

function parseDevice(text: string): string {
  if (!/^[^\s/-][^\s/]{0,14}$/.test(text))
    throw new UsageError(`--device takes the name of an interface, and "${text}" is none`);
  return text;
}

function parseId(text: string): string {
  if (!/^\d{8}-[\da-f]{6}$/.test(text)) {
    throw new UsageError(
      `--undo takes a name that "synscope fix --journal" shows, such as 20261121-3fa9c1, and "${text}" is none`,
    );
  }
  return text;
}
