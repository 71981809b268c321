import type { Explanation, Fidelity, Replay, SynSpec } from './syn.ts';
import type { Twin } from './twin.ts';

/** One thing that a twin can be asked from outside its process; question and answer are plain JSON. */
export type Operation<Question, Answer> = (twin: Twin, question: Question) => Answer | Promise<Answer>;

/** Everything that a twin can be asked from outside its process. */
export interface Operations {
  readonly replay: Operation<SynSpec, Replay>;
  readonly explain: Operation<SynSpec, Explanation>;
  readonly fidelity: Operation<undefined, Fidelity>;
}

/** What the process of a twin does for each operation. */
export const OPERATIONS: Operations = {
  replay: (twin, syn) => twin.replay(syn),
  explain: (twin, syn) => twin.explain(syn),
  fidelity: (twin) => twin.fidelity(),
};

/** What an operation is asked. */
export type QuestionOf<Name extends keyof Operations> = Parameters<Operations[Name]>[1];
/** What an operation answers. */
export type AnswerOf<Name extends keyof Operations> = Awaited<ReturnType<Operations[Name]>>;
