import { formatEndpoint } from '../model/flow.ts';
import { otherFlows } from '../twin/flows.ts';
import type { HostState } from '../twin/state.ts';
import type { Replay, SynSpec } from '../twin/syn.ts';
import { TwinProcess } from '../twin/twin-process.ts';

/** What commands do to a copy of a host. */
export interface TwinTrial {
  /** The SYN is answered after them. */
  readonly answers: boolean;
  /** It was answered already before them: the copy does not show what is wrong. */
  readonly answeredBefore: boolean;
  /** Of other flows (every listener, a few sources), those that are answered otherwise than before, in words. */
  readonly otherFlowsChanged: readonly string[];
  /** Other flows that were looked at. */
  readonly otherFlows: number;
  /** Commands that a copy cannot run, or that failed there, with why. */
  readonly untried: readonly { readonly command: readonly string[]; readonly reason: string }[];
  /** What the verdict relies on. */
  readonly assumptions: readonly string[];
}

/** How commands are tried. */
export interface TrialOptions {
  /** Processes for copies that were started before, to save time; one is taken. */
  readonly spares?: Promise<TwinProcess>[];
  readonly signal?: AbortSignal;
}

/**
 * Runs commands on a copy of a host and replays a SYN before and after, and SYNs from elsewhere to every listener. The host itself is not
 * touched: a command that could reach beyond the copy (services, files) is not run, and said so.
 * @param state as `snapshotHost` reads it.
 * @throws HostError where no copy can be made.
 */
export async function tryInTwin(
  state: HostState,
  syn: SynSpec,
  commands: readonly (readonly string[])[],
  options: TrialOptions = {},
): Promise<TwinTrial> {
  options.signal?.throwIfAborted();
  const twin = await (options.spares?.shift() ?? TwinProcess.start());
  const stop = (): void => void twin.close();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const { assumptions } = await twin.build(state, { role: 'server', syn });
    const flows = otherFlows(state, syn);
    const trial = await twin.ask('try', { syn, commands, flows });
    return {
      answers: trial.after.isAnswered,
      answeredBefore: trial.before.isAnswered,
      otherFlowsChanged: trial.changed.map(({ flow, before, after }) => changeText(flow, before, after)),
      otherFlows: flows.length,
      untried: trial.untried,
      assumptions: [...new Set([...assumptions, ...trial.after.assumed])],
    };
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await twin.close();
  }
}

function changeText(
  { source, destination, destinationPort }: SynSpec,
  before: Replay['reply'],
  after: Replay['reply'],
): string {
  const to = formatEndpoint({ address: destination, port: destinationPort });
  return `${source} to ${to}: ${REPLIES[before]} before, ${REPLIES[after]} after`;
}

const REPLIES: Readonly<Record<Replay['reply'], string>> = {
  'syn-ack': 'answered',
  forwarded: 'forwarded',
  'syn-sent': 'sent, and not answered',
  ack: 'answered with an ACK',
  rst: 'refused',
  icmp: 'refused by ICMP',
  silence: 'silence',
};
