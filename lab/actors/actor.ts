/**
 * A program of the lab: does what it is told, one JSON object a line on standard input, and answers each with one line. What it opened
 * (listeners, connections, BPF links) lives until standard input ends.
 */
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { ConnectResult } from '../../src/model/facts/attempt.ts';
import type { ActorAnswer, ActorRequest, ActorTask } from './tasks.ts';

// A Ctrl-C in the terminal is for the runner, which ends its actors itself.
process.on('SIGINT', () => undefined);
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => void reply(JSON.parse(line) as ActorRequest));
lines.on('close', () => process.exit(0));

async function reply({ id, task }: ActorRequest): Promise<void> {
  let answer: ActorAnswer;
  try {
    const results = await perform(task);
    answer = { id, ...(results === undefined ? {} : { results }) };
  } catch (error) {
    const errno = error instanceof Error && 'errno' in error ? String(error.errno) : undefined;
    answer = {
      id,
      error: error instanceof Error ? error.message : String(error),
      ...(errno === undefined ? {} : { errno }),
    };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Each kind of task loads only what it needs: actors are started often. */
async function perform(task: ActorTask): Promise<readonly ConnectResult[] | undefined> {
  // What ss and /proc call it.
  process.title = `lab-${task.do}`;
  switch (task.do) {
    case 'listen':
      (await import('./listen.ts')).listen(task.listener);
      return undefined;
    case 'connect':
      return (await import('./connect.ts')).connect(task.connect);
    case 'send':
      await (await import('./send.ts')).send(task.send);
      return undefined;
    case 'answer':
      (await import('./answer.ts')).answer(task.answer);
      return undefined;
    case 'bpf':
      (await import('./bpf.ts')).attachBpf(task.bpf);
      return undefined;
  }
}
