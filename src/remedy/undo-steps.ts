import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, HostError } from '../host/host.ts';
import type { RepairStep } from '../model/repair.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { kindOf } from './kinds/index.ts';
import { commandFailure } from './kinds/kind.ts';

/** What is not as it was before the repair, and what a person would have to run. */
export interface Leftover {
  readonly step: RepairStep;
  readonly reason: string;
}

/** What undoing sets in motion (a signal, an address) may take a moment. */
const SETTLE_TRIES = 5;
const SETTLE_MS = 100;

/** The state of a step, once it is as it was before, or after a little patience. @throws HostError */
async function readSettled(host: Host, { change, before }: RepairStep): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const now = await kindOf(change).read(host, change);
    if (now === before || tries === SETTLE_TRIES) return now;
    await sleep(SETTLE_MS);
  }
}

/** Whether every one of these steps is as it was before. @throws HostError */
export async function leftoversOf(host: Host, steps: readonly RepairStep[]): Promise<Leftover[]> {
  const left: Leftover[] = [];
  for (const step of steps) {
    if (step.cannotUndo !== undefined || step.undo.length === 0) continue;
    const now = await readSettled(host, step);
    if (now !== step.before) left.push({ step, reason: `it is "${now}" and was "${step.before}"` });
  }
  return left;
}

/** Undoes steps, the last one first; those that are as they were before are left alone. */
export async function undoSteps(host: Host, steps: readonly RepairStep[]): Promise<Leftover[]> {
  const left: Leftover[] = [];
  for (const step of steps.toReversed()) {
    try {
      if ((await kindOf(step.change).read(host, step.change)) === step.before) continue;
      for (const argv of step.undo) {
        const result = await host.run(argv);
        if (result.exitCode !== 0) throw commandFailure(argv, result);
      }
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      left.push({ step, reason: error.message });
    }
  }
  return left;
}

/** What is left, and how to take it back by hand, as the end of a sentence. */
export function leftoverText(left: readonly Leftover[]): string {
  return left
    .map(({ step, reason }) => {
      const byHand = step.undo.map((argv) => quoteCommand(argv)).join('; ');
      return `could not undo "${step.text}": ${reason}; by hand: ${byHand}`;
    })
    .join('. ');
}
