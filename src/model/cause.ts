import type { DiagnosisPlace, EvidenceWeight } from './diagnosis.ts';
import type { FactMap, FactName } from './facts/facts.ts';
import type { Scenario } from './scenario.ts';

/** One piece of evidence as a cause gives it; the engine adds where the fact was read. */
export interface CauseEvidence {
  /** One sentence with the number, without a full stop. */
  readonly statement: string;
  readonly bearing: 'supports' | 'contradicts';
  readonly weight: EvidenceWeight;
  /** The fact that says so. */
  readonly from: FactName;
}

/** Where on the way of a handshake a cause stops it; the order in which packets meet them. */
export const PATH_STEPS = [
  'resolve',
  'proxy',
  'client-socket',
  'client-route',
  'client-filter',
  'client-neighbour',
  'client-link',
  'path-out',
  'server-link',
  'server-xdp',
  'server-tc-in',
  'server-ip-in',
  'server-filter-in',
  'server-tcp-in',
  'server-listener',
  'server-reply-route',
  'server-reply-out',
  'server-reply-neighbour',
  'path-back',
  'client-ip-in',
  'client-filter-in',
  'client-tcp-in',
  'final-ack',
  'after',
] as const;

/** One step of {@link PATH_STEPS}. */
export type PathStep = (typeof PATH_STEPS)[number];

/** Who can repair it: the client's host, the network between, or the server's host. */
export type Place = 'client' | 'path' | 'server';

/** One typed, reversible step of a remedy; `remedy/` knows how to do and undo each kind. */
export type Change =
  | { readonly kind: 'sysctl'; readonly key: string; readonly value: string }
  | {
      readonly kind: 'route';
      readonly action: 'add' | 'replace' | 'delete';
      readonly family: 4 | 6;
      readonly destination: string;
      readonly type?: string;
      readonly via?: string;
      readonly device?: string;
      readonly table?: string;
      readonly metric?: number;
      /** Who put it there (`static`, `ra`, `dhcp`), as ip-route(8) names it. */
      readonly protocol?: string;
    }
  | {
      readonly kind: 'rule';
      readonly action: 'add' | 'delete';
      readonly family: 4 | 6;
      readonly priority?: number;
      readonly selector: readonly string[];
    }
  | {
      readonly kind: 'nft-rule';
      readonly action: 'insert' | 'delete';
      readonly family: string;
      readonly table: string;
      readonly chain: string;
      readonly handle?: number;
      readonly rule?: readonly string[];
    }
  | {
      readonly kind: 'iptables-rule';
      readonly action: 'insert' | 'delete';
      readonly tool: string;
      readonly table: string;
      readonly chain: string;
      readonly number?: number;
      readonly rule?: readonly string[];
    }
  | {
      readonly kind: 'neighbour';
      readonly action: 'delete' | 'replace';
      readonly address: string;
      readonly device: string;
      readonly linkAddress?: string;
    }
  | { readonly kind: 'link'; readonly device: string; readonly setting: readonly string[] }
  | {
      readonly kind: 'address';
      /** `renew` takes it off and gives it again, so that duplicate address detection runs anew. */
      readonly action: 'add' | 'delete' | 'renew';
      readonly address: string;
      readonly prefixLength: number;
      readonly device: string;
    }
  | { readonly kind: 'service'; readonly unit: string; readonly action: 'restart' | 'start' | 'reload' }
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'advice'; readonly text: string };

/** A repair that a cause proposes for one attempt. */
export interface Remedy {
  /** Unique within the cause. */
  readonly id: string;
  readonly title: string;
  /** What can go wrong when it is applied. */
  readonly risk: 'low' | 'medium' | 'high';
  /** Whether a program may apply it unattended (`causes.md` section 6). */
  readonly auto: 'safe' | 'with-consent' | 'never';
  readonly changes: readonly Change[];
}

/** What a cause may look at: the facts it needs, and those it can do without. */
export type FactsFor<Needs extends FactName, Wants extends FactName> = { readonly [N in Needs]: FactMap[N] } & {
  readonly [W in Wants]: FactMap[W] | undefined;
};

/** One documented example of a cause: facts, and what must come of them. */
export interface CauseExample<Needs extends FactName = FactName, Wants extends FactName = FactName> {
  readonly name: string;
  readonly given: FactsFor<Needs, never> & { readonly [W in Wants]?: FactMap[W] };
  readonly expect: 'confirmed' | 'likely' | 'possible' | 'not-indicated' | 'ruled-out';
}

/** A definition in the catalogue: one file of `src/causes/`. */
export interface CauseDefinition<Needs extends FactName, Wants extends FactName> {
  /** The failing state as a noun phrase; the name of the file. A contract. */
  readonly id: string;
  readonly title: string;
  readonly place: Place;
  /** Where a client must look that knows no more; absent when that is `place`. */
  readonly placeFromClient?: DiagnosisPlace;
  readonly step: PathStep;
  /** An attempt can succeed in spite of it, late: it is judged for established attempts, too, when a packet had to be repeated. */
  readonly survivable?: true;
  /** From which hosts its decisive evidence can be had; from others it is at best possible. */
  readonly sides: readonly ('server' | 'client')[];
  readonly needs: readonly Needs[];
  readonly wants?: readonly Wants[];
  /** Turns facts into evidence; says evidence, never a verdict. Pure. An empty list: nothing points to it. */
  assess(facts: FactsFor<Needs, Wants>): readonly CauseEvidence[];
  /** The verdict as one sentence, when it is the cause. Names addresses, rules, numbers. */
  sentence(facts: FactsFor<Needs, Wants>): string;
  /** Repairs for this attempt, best first. */
  remedies?(facts: FactsFor<Needs, Wants>): readonly Remedy[];
  /** Markdown: what happens and why, how to be sure; kernel function and version. */
  readonly explanation: string;
  /** Causes with the same evidence from some vantage point, and what tells them apart. */
  readonly confusedWith?: readonly { readonly id: string; readonly toldApartBy: string }[];
  readonly scenario: Scenario;
  readonly examples: readonly CauseExample<Needs, Wants>[];
  readonly references: readonly string[];
}

/** A cause with its types erased, as the engine handles it. */
export type Cause = CauseDefinition<FactName, FactName>;

/** Declares a cause; the types of its facts follow from `needs` and `wants`. */
export function defineCause<const Needs extends FactName, const Wants extends FactName = never>(
  cause: CauseDefinition<Needs, Wants>,
): Cause {
  return cause as unknown as Cause;
}

/** Evidence for a cause. */
export function supports(weight: EvidenceWeight, from: FactName, statement: string): CauseEvidence {
  return { statement, bearing: 'supports', weight, from };
}

/** Evidence against a cause. */
export function contradicts(weight: EvidenceWeight, from: FactName, statement: string): CauseEvidence {
  return { statement, bearing: 'contradicts', weight, from };
}
