import type { Cause, CauseEvidence, FactsFor } from '../model/cause.ts';
import { PATH_STEPS } from '../model/cause.ts';
import type { CauseVerdict, Evidence, VerdictStatus } from '../model/diagnosis.ts';
import { type Fact, isUnavailable } from '../model/facts/fact.ts';
import { FACT_WORDS, notLookedAt } from '../model/facts/fact-words.ts';
import type { FactMap, FactName } from '../model/facts/facts.ts';
import { weigh } from './weigh.ts';

/** All facts of one attempt; what is absent was not collected. */
export type FactSet = { readonly [N in FactName]?: Fact<FactMap[N]> };

function factOf(facts: FactSet, name: FactName): Fact<unknown> | undefined {
  return facts[name];
}

/** What came of one cause. */
export interface JudgedCause {
  readonly cause: Cause;
  readonly status: VerdictStatus;
  readonly score: number;
  readonly evidence: readonly Evidence[];
  /** Why it is undetermined. */
  readonly reason?: string;
  readonly hint?: string;
  /** What the cause was given; absent when a needed fact was not to be had. */
  readonly facts?: FactsFor<FactName, FactName>;
}

const RANK: Readonly<Record<VerdictStatus, number>> = {
  confirmed: 0,
  likely: 1,
  possible: 2,
  undetermined: 3,
  'not-indicated': 4,
  'ruled-out': 5,
};

/** Judges every cause by the facts, the best first: the confirmed ones in the order in which a packet meets them. */
export function judgeCauses(causes: readonly Cause[], facts: FactSet): JudgedCause[] {
  return causes
    .map((cause) => judgeCause(cause, facts))
    .sort(
      (a, b) =>
        RANK[a.status] - RANK[b.status] ||
        (a.status === 'confirmed' ? stepOf(a) - stepOf(b) : 0) ||
        b.score - a.score ||
        stepOf(a) - stepOf(b),
    );
}

/** Judges one cause. A bug in it makes it undetermined, and no more. */
export function judgeCause(cause: Cause, facts: FactSet): JudgedCause {
  const undetermined = (reason: string, hint?: string): JudgedCause => ({
    cause,
    status: 'undetermined',
    score: 0,
    evidence: [],
    reason,
    ...(hint === undefined ? {} : { hint }),
  });
  const given: Partial<Record<FactName, unknown>> = {};
  for (const name of cause.needs) {
    const fact = factOf(facts, name);
    if (fact === undefined) {
      const { reason, hint } = notLookedAt(name);
      return undetermined(reason, hint);
    }
    if (isUnavailable(fact)) return undetermined(fact.reason, fact.hint);
    given[name] = fact.value;
  }
  for (const name of cause.wants ?? []) {
    const fact = factOf(facts, name);
    given[name] = fact === undefined || isUnavailable(fact) ? undefined : fact.value;
  }
  const known = given as unknown as FactsFor<FactName, FactName>;
  let found: readonly CauseEvidence[];
  try {
    found = cause.assess(known);
  } catch (error) {
    return undetermined(
      `judging ${cause.id} failed, which is a bug of synscope: ${error instanceof Error ? error.message : error}`,
    );
  }
  const { status, score } = weigh(found);
  return { cause, status, score, evidence: found.map((one) => located(one, facts)), facts: known };
}

/** The verdict of a judged cause as a diagnosis tells it. */
export function verdictOf({ cause, status, facts }: JudgedCause): CauseVerdict {
  const sentence = facts === undefined ? cause.title : cause.sentence(facts);
  return { id: cause.id, status, title: cause.title, sentence };
}

function stepOf({ cause }: JudgedCause): number {
  return PATH_STEPS.indexOf(cause.step);
}

function located({ from, ...evidence }: CauseEvidence, facts: FactSet): Evidence {
  const fact = factOf(facts, from);
  return { ...evidence, source: fact === undefined || isUnavailable(fact) ? FACT_WORDS[from] : fact.source };
}
