import type { ProofElement } from '../model/proof.ts';
import { Bench } from './interventions/bench.ts';
import { type Intervention, keyOf, RANKS, type Rank } from './interventions/intervention.ts';
import { listInterventions } from './interventions/list.ts';
import type { TwinListener } from './listeners.ts';
import { findAlone } from './search-minimal.ts';
import { searchTogether } from './search-together.ts';
import type { Explanation, Replay, SynSpec } from './syn.ts';
import type { Twin } from './twin.ts';

/** What a search is asked. */
export interface SearchQuestion {
  readonly syn: SynSpec;
  /** No new change is tried after so long. */
  readonly timeoutMs: number;
  /** When the SYN is answered: send so many from other ports, and look for what stops them. 0 for not at all. */
  readonly burst: number;
}

/** A set of changes with which the SYN is answered; without any of them it is not. */
export interface Flip {
  readonly elements: readonly ProofElement[];
  readonly rank: Rank;
  readonly breadth: number;
  readonly isDetour: boolean;
  /** What the answer relies on. */
  readonly assumed: readonly string[];
  readonly remark?: Replay['remark'];
}

/** What a search found. */
export interface SearchResult {
  readonly baseline: Replay;
  readonly explanation?: Explanation;
  /** Best first. */
  readonly flips: readonly Flip[];
  /** Changes that were tried alone, or in groups that made no difference. */
  readonly tried: number;
  /** Of these, the ones that were tried only in groups. */
  readonly inGroups: number;
  /** Changes that could not be made, with why. */
  readonly refused: readonly string[];
  /** The time was over before everything was tried. */
  readonly isCut: boolean;
  /** After all changes were taken back the twin no longer behaved as before: what was found has to be verified on a fresh one. */
  readonly isWorn: boolean;
  /** SYNs sent. */
  readonly replays: number;
  /** Only when the SYN was answered at first: how many of a burst were. */
  readonly burst?: { readonly sent: number; readonly answered: number };
  /** Chance decides, by the source port, which of several listeners gets a SYN, and not all of them answer: how many of several ports did. */
  readonly spread?: { readonly sent: number; readonly answered: number };
}

/** Groups of kinds of which a host can have thousands are tried together first. */
const MANY = 48;
/** So many source ports show what one of several listeners does: each of 8 is missed by all of them in one of 5000 cases. */
const SPREAD = 64;
const GROUPED: ReadonlySet<string> = new Set(['nft-rule', 'iptables-rule', 'nft-element']);

/** Finds what has to be different in a twin for its host to answer a SYN. */
export function search(twin: Twin, { syn, timeoutMs, burst }: SearchQuestion): SearchResult {
  const deadline = performance.now() + timeoutMs;
  const baseline = twin.replay(syn);
  const bench = new Bench(twin, syn);
  try {
    const ports = isShared(twin, syn) ? twin.spread(syn, SPREAD) : [];
    const miss = ports.find(({ isAnswered }) => !isAnswered);
    if (miss !== undefined && ports.some(({ isAnswered }) => isAnswered)) {
      const spread = { sent: ports.length, answered: ports.filter(({ isAnswered }) => isAnswered).length };
      const ofAll = (changes: readonly Intervention[]): Replay => bench.trial(changes, () => worst(twin, bench.syn));
      return { ...new Search(bench, deadline, ofAll, isOfLimits).run(miss), baseline: miss, spread };
    }
    if (!baseline.isAnswered) return new Search(bench, deadline, (changes) => bench.try(changes)).run(baseline);
    if (burst === 0) return unsearched(twin, baseline);
    const replays = twin.burst(syn, burst);
    const counts = { sent: replays.length, answered: replays.filter(({ isAnswered }) => isAnswered).length };
    const last = replays.at(-1);
    if (last === undefined || last.isAnswered) return { ...unsearched(twin, baseline), burst: counts };
    const ofBurst = (changes: readonly Intervention[]): Replay =>
      bench.trial(changes, () => twin.burst(bench.syn, burst).at(-1) ?? last);
    return { ...new Search(bench, deadline, ofBurst, isOfLimits).run(last), baseline, burst: counts };
  } finally {
    bench.close();
  }
}

/** Several sockets listen on the same address and port (SO_REUSEPORT): the kernel chooses by a hash that every namespace has its own of. */
function isShared({ listeners }: Twin, { destinationPort }: SynSpec): boolean {
  const names = listeners.filter(({ socket: { local } }) => local.port === destinationPort).map(groupOf);
  return new Set(names).size < names.length;
}

function groupOf({ socket: { local, family, device = '' } }: TwinListener): string {
  return `${family} ${local.address} ${device}`;
}

/** One that is not answered, if there is any. */
function worst(twin: Twin, syn: SynSpec): Replay {
  const replays = twin.spread(syn, SPREAD);
  return replays.find(({ isAnswered }) => !isAnswered) ?? replays[0]!;
}

/** One SYN before and after some changes. */
export interface Verification {
  readonly before: Replay;
  readonly after: Replay;
}

/** What {@link verify} begins with. */
interface Prepared {
  readonly bench: Bench;
  readonly all: readonly Intervention[];
}

const prepared = new WeakMap<Twin, Prepared>();

/** Lists what can be changed in a twin, ahead of {@link verify} with the same SYN: with thousands of routes it takes a while. */
export function prepare(twin: Twin, syn: SynSpec): null {
  const bench = new Bench(twin, syn);
  prepared.set(twin, { bench, all: listInterventions(bench) });
  return null;
}

/**
 * Whether some changes, made alone, bring the answer in a twin in which nothing else was tried.
 * @returns undefined when the twin has no such elements.
 */
export function verify(
  twin: Twin,
  syn: SynSpec,
  elements: readonly ProofElement[],
  burst: number,
  isSpread: boolean,
): Verification | undefined {
  const ask = (one: SynSpec): Replay =>
    isSpread ? worst(twin, one) : burst === 0 ? twin.replay(one) : twin.burst(one, burst).at(-1)!;
  if (!prepared.has(twin)) prepare(twin, syn);
  const { bench, all } = prepared.get(twin)!;
  prepared.delete(twin);
  try {
    const before = ask(syn);
    const chosen = choose(all, elements);
    if (chosen === undefined) return undefined;
    bench.make(chosen);
    return { before, after: ask(bench.syn) };
  } finally {
    bench.close();
  }
}

/** The interventions that elements stand for, in the order of `all`. */
function choose(all: readonly Intervention[], elements: readonly ProofElement[]): readonly Intervention[] | undefined {
  const keys = new Set(elements.map(keyOf));
  const chosen = all.filter(({ element }) => keys.has(keyOf(element)));
  return chosen.length === keys.size ? chosen : undefined;
}

function unsearched(twin: Twin, baseline: Replay): SearchResult {
  const { replays } = twin;
  return { baseline, replays, flips: [], tried: 0, inGroups: 0, refused: [], isCut: false, isWorn: false };
}

/** What a burst can use up or meet only now and then: what rules count, and one full queue among several listeners. */
function isOfLimits({ element: { kind, change } }: Intervention): boolean {
  return /^(nft|iptables)-/.test(kind) || kind === 'accept-queue' || (kind === 'listener' && change === 'closed');
}

class Search {
  private readonly bench: Bench;
  private readonly deadline: number;
  private readonly attempt: (changes: readonly Intervention[]) => Replay;
  private readonly concerns: (change: Intervention) => boolean;
  private readonly answers: Map<Intervention, Replay> = new Map();
  private inGroups = 0;
  private tried = 0;
  private isCut = false;

  constructor(
    bench: Bench,
    deadline: number,
    attempt: (changes: readonly Intervention[]) => Replay,
    concerns: (change: Intervention) => boolean = () => true,
  ) {
    this.bench = bench;
    this.deadline = deadline;
    this.attempt = attempt;
    this.concerns = concerns;
  }

  run(baseline: Replay): SearchResult {
    const { bench } = this;
    const explanation = bench.twin.explain(bench.syn);
    // Had nobody asked for the address, no packet would have come: another packet would not, either.
    const isUnasked = baseline.remark === 'no-arp-answer';
    const concerned = listInterventions(bench).filter(
      (one) => this.concerns(one) && !(isUnasked && one.rank === 'packet'),
    );
    const all = guided(concerned, explanation);
    const alone = this.alone(all).map((change) => flipOf([change], this.answers.get(change)));
    const isCausedAlone = alone.some(({ isDetour, rank }) => !isDetour && rank !== 'packet');
    const together = isCausedAlone || this.isCut ? undefined : searchTogether(all, (set) => this.does(set));
    const joint = together === undefined || together.length < 2 ? [] : [flipOf(together, this.attempt(together))];
    return {
      baseline,
      explanation,
      flips: [...alone, ...joint].sort(byBlame),
      tried: this.tried,
      inGroups: this.inGroups,
      refused: [...bench.refused].map(([{ element }, why]) => `${element.kind} ${element.element}: ${why}`),
      isCut: this.isCut,
      replays: bench.twin.replays,
      isWorn: bench.isWorn || this.attempt([]).reply !== baseline.reply,
    };
  }

  /** Changes that bring the answer alone. */
  private alone(all: readonly Intervention[]): Intervention[] {
    const found: Intervention[] = [];
    const kinds = new Map<string, Intervention[]>();
    for (const change of all) {
      const { kind } = change.element;
      const group = GROUPED.has(kind) ? `${kind} ${change.breadth}` : '';
      const changes = kinds.get(group);
      if (changes === undefined) kinds.set(group, [change]);
      else changes.push(change);
    }
    for (const [group, changes] of kinds) {
      // The trace points to the first ones: these are tried alone in any case.
      const [first, rest] = group === '' ? [changes, []] : [changes.slice(0, MANY), changes.slice(MANY)];
      const result = findAlone(rest, (part) => this.does(part), MANY);
      found.push(...first.filter((change) => this.does([change])), ...result.found);
      this.inGroups += result.inGroups;
      this.tried += changes.length;
    }
    return found;
  }

  private does(changes: readonly Intervention[]): boolean {
    if (this.bench.isWorn || performance.now() > this.deadline) {
      this.isCut = true;
      return false;
    }
    const replay = this.attempt(changes);
    const [change] = changes;
    if (replay.isAnswered && changes.length === 1 && change !== undefined && !this.bench.refused.has(change)) {
      this.answers.set(change, replay);
    }
    return replay.isAnswered;
  }
}

/** What the trace of the replay speaks of comes first. */
function guided(all: readonly Intervention[], { rules }: Explanation): readonly Intervention[] {
  const isHinted = ({ hints = [] }: Intervention, some: readonly string[]): boolean =>
    hints.some((hint) => some.some((rule) => `${rule} `.startsWith(hint)));
  const dropping = rules.filter((rule) => rule.endsWith(' drop'));
  // Of several that bring the answer, the rule that drops is to blame before the one that leads there.
  const first = new Set(all.filter((change) => isHinted(change, dropping)));
  const ordered = new Set([...first, ...all.filter((change) => isHinted(change, rules)), ...all]);
  return [...ordered];
}

function flipOf(changes: readonly Intervention[], replay: Replay | undefined): Flip {
  const worst = Math.max(...changes.map(({ rank }) => RANKS.indexOf(rank)));
  return {
    elements: changes.map(({ element }) => element),
    rank: RANKS[worst] ?? 'addition',
    breadth: changes.reduce((sum, { breadth }) => sum + breadth, 0),
    isDetour: changes.some(({ isDetour }) => isDetour === true),
    assumed: replay?.assumed ?? [],
    ...(replay?.remark === undefined ? {} : { remark: replay.remark }),
  };
}

/** The best to blame first: what is there before what is missing, few before many, narrow before wide. */
function byBlame(a: Flip, b: Flip): number {
  return (
    Number(a.isDetour) - Number(b.isDetour) ||
    a.elements.length - b.elements.length ||
    RANKS.indexOf(a.rank) - RANKS.indexOf(b.rank) ||
    a.breadth - b.breadth
  );
}
