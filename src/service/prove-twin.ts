import type { Proof } from '../model/proof.ts';
import type { Flip, SearchResult } from '../twin/search.ts';
import type { HostState } from '../twin/state.ts';
import type { Fidelity, SynSpec, TwinRole } from '../twin/syn.ts';
import { TwinProcess } from '../twin/twin-process.ts';
import type { SeenReply } from './prove-syn.ts';

/** How a proof is sought. */
export interface ProveInTwinOptions {
  readonly state: HostState;
  readonly syn: SynSpec;
  readonly role: TwinRole;
  /** The host was seen to leave this SYN unanswered; else it is only asked whether it would, or the answer was lost elsewhere. */
  readonly isObserved: boolean;
  /** What the host was seen to answer, where it was. */
  readonly seen?: SeenReply;
  /** Said beside the verdict. */
  readonly assumptions: readonly string[];
  /** No new change is tried after so long. */
  readonly timeoutMs: number;
  /** Started before, to save time. */
  readonly twins?: readonly Promise<TwinProcess>[];
  readonly onProgress?: (text: string) => void;
  /** Something that brings the answer was found; it is still to be verified. */
  readonly onFound?: () => void;
  readonly signal?: AbortSignal;
}

/** What the copies of a host showed. */
export interface TwinFindings {
  readonly proof: Proof;
  readonly search: SearchResult;
  /** What the proof blames, when it blames something. */
  readonly flip?: Flip;
  readonly fidelity?: Fidelity;
}

/** So many SYNs in a row show whether something counts them. */
const BURST = 64;
/** So many ways to get an answer are verified, each on a twin of its own, before none is blamed. */
const MAX_VERIFIED = 5;
const MAX_ALTERNATIVES = 8;
/** Left out of a copy, and of no use to an answer. */
const HARMLESS =
  /^settings that this kernel does not take|^the user \S+ of listeners|the copy has a plain device in its place$/;
/** Hardly any listener has these, and only the machine itself tells them. */
const UNUSUAL = /^options of the listeners/;
/** A table of connections that is so full refuses new ones. */
const NEARLY_FULL = 0.95;

/** Replays a SYN to copies of a host, and finds what has to be different for it to be answered. */
export async function proveInTwin(options: ProveInTwinOptions): Promise<TwinFindings> {
  const twins = new TwinPool(options);
  const stop = (): void => void twins.close();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    options.signal?.throwIfAborted();
    options.onProgress?.('Building a copy of the host');
    // How long a process takes to start says nothing of the proof.
    await twins.started();
    const startMs = performance.now();
    const building = twins.build();
    // Compared on a twin of its own, while the search changes the first.
    const second = twins.build();
    second.catch(() => undefined);
    const first = await building;
    const comparing = second.then(({ twin }) => twin.ask('fidelity', undefined)).catch(() => undefined);
    second.then(({ twin }) => twin.ask('prepare', options.syn)).catch(() => undefined);
    options.onProgress?.('Replaying the SYN, and changing one thing at a time');
    const search = await first.twin.ask('search', {
      syn: options.syn,
      timeoutMs: options.timeoutMs,
      burst: options.isObserved && options.role === 'server' ? BURST : 0,
    });
    if (search.flips.length > 0) options.onFound?.();
    const fidelity = await comparing;
    // A copy that refuses what the host leaves unanswered shows another fault.
    const isAlike =
      isLike(search.baseline, options.seen) && search.baseline.remark !== 'returned' && !mayBeSigned(options);
    const flip = isAlike ? await verified(options, search, twins, second) : undefined;
    const notCopied = [...first.summary.notCopied.filter((what) => !HARMLESS.test(what)), ...nearlyFull(options.state)];
    const proof: Proof = {
      outcome: flip !== undefined ? 'proven' : outcomeOf(search, notCopied, options),
      guilty: flip?.elements ?? [],
      alternatives: search.flips
        .filter((one) => one !== flip)
        .slice(0, MAX_ALTERNATIVES)
        .map(({ elements }) => elements),
      assumptions: assumptionsOf(options, first.summary.assumptions, search, flip, fidelity, twins.limits),
      notCopied,
      replays: twins.replays + search.replays,
      elapsedMs: performance.now() - startMs,
      tried: search.tried,
    };
    return {
      proof,
      search,
      ...(flip === undefined ? {} : { flip }),
      ...(fidelity === undefined ? {} : { fidelity }),
    };
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await twins.close();
  }
}

/** Whether a copy fails as the host was seen to. An answer to a neighbour that does not live is not seen. */
function isLike({ reply, isAnswered }: SearchResult['baseline'], seen: ProveInTwinOptions['seen']): boolean {
  if (seen === undefined || isAnswered) return true;
  if (seen === 'syn-ack') return reply === 'syn-ack';
  const refuses = reply === 'rst' || reply === 'icmp';
  // An old connection answers with an ACK, which would have been seen.
  return seen === 'silence' ? !refuses && reply !== 'ack' : refuses;
}

/** The listener wants signatures (TCP-MD5), and no packet shows whether the client signs: a SYN that is made up cannot. */
function mayBeSigned({ syn, state }: ProveInTwinOptions): boolean {
  const wantsSignature = state.sockets.some(
    ({ state: is, local, options }) =>
      is === 'LISTEN' && local.port === syn.destinationPort && (options?.md5Peers?.length ?? 0) > 0,
  );
  return wantsSignature && syn.frame === undefined && syn.packet === undefined;
}

/** Built copies, each in a process of its own; all end together. */
class TwinPool {
  replays = 0;
  limits: readonly string[] = [];
  private readonly options: ProveInTwinOptions;
  private readonly ready: Promise<TwinProcess>[];
  private readonly all: TwinProcess[] = [];
  private isClosed = false;

  constructor(options: ProveInTwinOptions) {
    this.options = options;
    this.ready = [...(options.twins ?? [TwinProcess.start(), TwinProcess.start()])];
    for (const twin of this.ready) twin.catch(() => undefined);
  }

  /** Resolves when the processes run. */
  async started(): Promise<void> {
    await Promise.all(this.ready);
  }

  async build(): Promise<{ twin: TwinProcess; summary: Awaited<ReturnType<TwinProcess['build']>> }> {
    const { state, role, syn } = this.options;
    const twin = await (this.ready.shift() ?? TwinProcess.start());
    this.all.push(twin);
    this.limits = twin.limits;
    if (this.isClosed) await twin.close();
    return { twin, summary: await twin.build(state, { role, syn }) };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const unused = await Promise.allSettled(this.ready);
    this.all.push(...unused.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
    await Promise.all(this.all.map((twin) => twin.close()));
  }
}

/** The best set of changes that brings the answer on a fresh copy as well, made alone. */
async function verified(
  { syn, onProgress }: ProveInTwinOptions,
  { flips, burst, spread }: SearchResult,
  twins: TwinPool,
  fresh: ReturnType<TwinPool['build']>,
): Promise<Flip | undefined> {
  let next: ReturnType<TwinPool['build']> | undefined = fresh;
  for (const flip of flips.slice(0, MAX_VERIFIED)) {
    onProgress?.('Verifying it on a fresh copy');
    const { twin } = await (next ?? twins.build());
    next = undefined;
    const shown = await twin.ask('verify', {
      syn,
      elements: flip.elements,
      burst: burst === undefined ? 0 : BURST,
      isSpread: spread !== undefined,
    });
    twins.replays += 2;
    if (shown !== undefined && !shown.before.isAnswered && shown.after.isAnswered) return flip;
  }
  return undefined;
}

/**
 * A host that was seen not to answer is not acquitted because its copy answers: something of it is not in the copy. One that was seen to answer
 * is, whatever the copy lacks.
 */
function outcomeOf(
  { baseline }: SearchResult,
  notCopied: readonly string[],
  { isObserved, seen }: ProveInTwinOptions,
): Proof['outcome'] {
  const isKnown =
    seen === 'syn-ack' || (baseline.remark !== 'unasked' && notCopied.every((what) => UNUSUAL.test(what)));
  return baseline.isAnswered && !isObserved && isKnown ? 'acquitted' : 'not-reproduced';
}

function nearlyFull({ conntrack: { count, max } }: HostState): string[] {
  if (count === undefined || max === undefined || max === 0 || count < max * NEARLY_FULL) return [];
  return [`the table of tracked connections, which is full (${count} of ${max})`];
}

function assumptionsOf(
  { assumptions, role }: ProveInTwinOptions,
  ofTwin: readonly string[],
  { baseline, isCut, isWorn, inGroups, refused, burst, spread }: SearchResult,
  flip: Flip | undefined,
  fidelity: Fidelity | undefined,
  limits: readonly string[],
): string[] {
  const said = [...assumptions, ...ofTwin, ...(flip?.assumed ?? baseline.assumed)];
  if (burst !== undefined && flip !== undefined) {
    said.push(`the first SYN of a burst is answered; number ${burst.sent} is not`);
  }
  if (spread !== undefined) {
    said.push(
      `several listeners share the port, and chance decides which gets a SYN: of ${spread.sent} source ports ${spread.answered} are answered`,
    );
  }
  if (inGroups > 0) said.push(`${inGroups} changes were tried only in groups, in which they made no difference`);
  if (refused.length > 0) said.push(`${refused.length} changes could not be made: ${refused.slice(0, 3).join('; ')}`);
  if (isCut) said.push('the time was over before every change was tried');
  if (isWorn) said.push('a change could not be taken back; the verdict was verified on a fresh copy');
  if (fidelity !== undefined) said.push(fidelityText(fidelity));
  const all = [...new Set([...said, ...limits])];
  // What a client sends comes in nowhere.
  return role === 'client' ? all.filter((one) => !one.startsWith('the SYN comes in by ')) : all;
}

/** How much of the host is in its copy, in words. */
function fidelityText({ equal, total, differences }: Fidelity): string {
  if (differences.length === 0) return `the copy equals the host in all of ${total} elements`;
  return `the copy equals the host in ${equal} of ${total} elements; it differs in: ${differences.slice(0, 3).join('; ')}`;
}
