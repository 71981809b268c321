import { FilterSwitch } from './interventions/filters.ts';
import { namedRules } from './interventions/nft-names.ts';
import type { Replay, SynSpec } from './syn.ts';
import type { Twin } from './twin.ts';

/** Commands that are tried in a twin, and SYNs that show what else they change. */
export interface TrialQuestion {
  readonly syn: SynSpec;
  readonly commands: readonly (readonly string[])[];
  readonly flows: readonly SynSpec[];
}

/** What commands did to a twin. */
export interface Trial {
  readonly before: Replay;
  readonly after: Replay;
  /** Commands that were not run, or that failed, with why. */
  readonly untried: readonly { readonly command: readonly string[]; readonly reason: string }[];
  /** Flows that are answered otherwise than before. */
  readonly changed: readonly {
    readonly flow: SynSpec;
    readonly before: Replay['reply'];
    readonly after: Replay['reply'];
  }[];
}

/** Programs that change nothing but the network namespace that they run in, as long as nothing forbidden is among their words. */
const PROGRAMS: Readonly<Record<string, RegExp>> = {
  ip: /^(?:netns|vrf|-n|-netns|--netns|-b|-batch|--batch|xdp.*|exec)$/,
  bridge: /^(?:-n|-netns|-b|-batch)$/,
  tc: /^(?:-n|-netns|-b|-batch|bpf|obj|object-file|exec)$/,
  nft: /^(?:-f|--file|-i|--interactive|-D|--define|-I|--includepath)$/,
  iptables: /^(?:-M|--modprobe.*)$/,
  ip6tables: /^(?:-M|--modprobe.*)$/,
  'iptables-nft': /^(?:-M|--modprobe.*)$/,
  'ip6tables-nft': /^(?:-M|--modprobe.*)$/,
  'iptables-legacy': /^(?:-M|--modprobe.*)$/,
  'ip6tables-legacy': /^(?:-M|--modprobe.*)$/,
  ipset: /^(?:-f|-file|--file|restore)$/,
  sysctl: /^(?:-p.*|--load.*|--system|-a)$/,
};

/**
 * Runs commands in a twin and replays SYNs before and after. What could reach beyond the network namespace of the twin (services,
 * files, settings of the whole machine) is not run.
 */
export function tryCommands(twin: Twin, { syn, commands, flows }: TrialQuestion): Trial {
  const replies = (): readonly Replay['reply'][] => flows.map((flow) => replyTo(twin, flow));
  const before = twin.replay(syn);
  const repliesBefore = replies();
  const untried: { command: readonly string[]; reason: string }[] = [];
  for (const command of commands) {
    const reason = whyNot(command);
    const own = reason === undefined ? withOwnHandle(twin, command) : command;
    const failure = reason ?? (own === undefined ? 'the copy has no such rule' : failureOf(twin, own));
    if (failure !== undefined) untried.push({ command, reason: failure });
  }
  twin.clean();
  const after = twin.replay(syn);
  const repliesAfter = replies();
  const changed = flows.flatMap((flow, index) => {
    const [was, is] = [repliesBefore[index]!, repliesAfter[index]!];
    return was === is ? [] : [{ flow, before: was, after: is }];
  });
  return { before, after, untried, changed };
}

/** A flow that does not fit the host (no such interface) is as good as one that nobody answers. */
function replyTo(twin: Twin, flow: SynSpec): Replay['reply'] {
  const replay = twin.replay(flow);
  return replay.isAnswered || replay.reply !== 'syn-ack' ? replay.reply : 'silence';
}

function whyNot([program = '', ...words]: readonly string[]): string | undefined {
  const forbidden = Object.hasOwn(PROGRAMS, program) ? PROGRAMS[program] : undefined;
  if (forbidden === undefined) return `a copy has no ${program}`;
  const word = words.find((one) => forbidden.test(one));
  if (word !== undefined) return `${program} ${word} is not run in a copy`;
  if (program === 'nft' && /\binclude\b/.test(words.join(' '))) return 'nft include is not run in a copy';
  const settings = words.filter((one) => !one.startsWith('-'));
  if (program === 'sysctl' && !settings.every((one) => /^net[./]/.test(one)))
    return 'it is a setting of the whole machine';
  return undefined;
}

/** A command of nft with the handle that the rule has in the twin; undefined when there is no such rule. */
function withOwnHandle({ state }: Twin, command: readonly string[]): readonly string[] | undefined {
  const at = command.findIndex((word) => word === 'handle' || word === 'position' || word === 'index');
  const [program, , , family = '', table = '', chain = ''] = command;
  if (program !== 'nft' || at < 0 || command[at] === 'index' || !/^\d+$/.test(command[at + 1] ?? '')) return command;
  const filters = new FilterSwitch();
  try {
    const element = `${family} ${table} ${chain} handle ${command[at + 1]}`;
    const own = namedRules(filters, state).find(({ name }) => name.element === element)?.entry.handle;
    return own === undefined ? undefined : command.map((word, index) => (index === at + 1 ? String(own) : word));
  } finally {
    filters.close();
  }
}

function failureOf(twin: Twin, command: readonly string[]): string | undefined {
  const { exitCode, stdout, stderr } = twin.runSync(command);
  if (exitCode === 0) return undefined;
  return (stderr || stdout).trim().split('\n').at(-1) || `exit code ${exitCode}`;
}
