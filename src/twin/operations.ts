import type { ProofElement } from '../model/proof.ts';
import { prepare, type SearchQuestion, type SearchResult, search, type Verification, verify } from './search.ts';
import type { Explanation, Fidelity, Replay, SynSpec } from './syn.ts';
import { type Trial, type TrialQuestion, tryCommands } from './trial.ts';
import type { Twin } from './twin.ts';

/** One thing that a twin can be asked from outside its process; question and answer are plain JSON. */
export type Operation<Question, Answer> = (twin: Twin, question: Question) => Answer | Promise<Answer>;

/** Everything that a twin can be asked from outside its process. */
export interface Operations {
  readonly replay: Operation<SynSpec, Replay>;
  readonly explain: Operation<SynSpec, Explanation>;
  readonly fidelity: Operation<undefined, Fidelity>;
  /** What has to be different for the SYN to be answered. */
  readonly search: Operation<SearchQuestion, SearchResult>;
  /** Makes ready to verify, so that it takes less time then. */
  readonly prepare: Operation<SynSpec, null>;
  /** Whether some changes alone bring the answer; the twin keeps them. Undefined when it has no such elements. */
  readonly verify: Operation<VerifyQuestion, Verification | undefined>;
  /** What commands change; the twin keeps it. */
  readonly try: Operation<TrialQuestion, Trial>;
}

/** What is to be verified. */
export interface VerifyQuestion {
  readonly syn: SynSpec;
  readonly elements: readonly ProofElement[];
  /** As in {@link SearchQuestion}, when only a burst showed the drop; else 0. */
  readonly burst: number;
  /** One of several listeners does not answer: SYNs from several ports are needed to meet it. */
  readonly isSpread: boolean;
}

/** What the process of a twin does for each operation. */
export const OPERATIONS: Operations = {
  replay: (twin, syn) => twin.replay(syn),
  explain: (twin, syn) => twin.explain(syn),
  fidelity: (twin) => twin.fidelity(),
  search: (twin, question) => search(twin, question),
  prepare: (twin, syn) => prepare(twin, syn),
  try: (twin, question) => tryCommands(twin, question),
  verify: (twin, { syn, elements, burst, isSpread }) => verify(twin, syn, elements, burst, isSpread),
};

/** What an operation is asked. */
export type QuestionOf<Name extends keyof Operations> = Parameters<Operations[Name]>[1];
/** What an operation answers. */
export type AnswerOf<Name extends keyof Operations> = Awaited<ReturnType<Operations[Name]>>;
