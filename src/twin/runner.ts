/**
 * The process of a twin: everything in it happens in a network namespace that only it has, so that nothing is left when it ends. It is
 * told what to do by the process that started it, and ends with that.
 */
import process from 'node:process';
import { failureOf } from '../host/passed-failure.ts';
import { systemCalls } from '../host/system.ts';
import { OPERATIONS, type Operations } from './operations.ts';
import type { BuildQuestion, FromTwin, ToTwin } from './protocol.ts';
import { Twin } from './twin.ts';

let twin: Twin | undefined;
// One after the other: a replay must not meet what another is about to change.
let last: Promise<void> = Promise.resolve();

process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToTwin) => {
  last = last.then(() => perform(message));
});
systemCalls().dieWithParent();
tell({ ready: true });

async function perform(message: ToTwin): Promise<void> {
  const { id } = message;
  try {
    tell({ id, answer: await answerTo(message) });
  } catch (error) {
    tell({ id, failure: failureOf(error) });
  }
}

async function answerTo(message: ToTwin): Promise<unknown> {
  if (message.do === 'build') {
    const startMs = performance.now();
    const { state, options } = message.question as BuildQuestion;
    twin = await Twin.build(state, options);
    const { assumptions, notCopied, staleConnection, halfOpen, hasStatefulFilters, deadNeighbours } = twin;
    return {
      assumptions,
      notCopied,
      deadNeighbours,
      halfOpen,
      hasStatefulFilters,
      ...(staleConnection === undefined ? {} : { staleConnection }),
      elapsedMs: performance.now() - startMs,
    };
  }
  if (twin === undefined) throw new Error('the twin is not built yet');
  const operation = OPERATIONS[message.do as keyof Operations] as (one: Twin, question: unknown) => unknown;
  return operation(twin, message.question);
}

function tell(message: FromTwin): void {
  process.send?.(message);
}
