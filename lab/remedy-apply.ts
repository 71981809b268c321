/**
 * Carries out one plan of the remedy campaign in a process of its own, so that it can be killed at a point that its journal gives
 * (`SYNSCOPE_TEST_KILL_AFTER`): the job as JSON on standard input.
 */

import process from 'node:process';
import { text } from 'node:stream/consumers';
import { openHost } from '../src/host/open-host.ts';
import type { RepairPlan } from '../src/model/repair.ts';
import { Journal } from '../src/remedy/journal/journal.ts';
import type { Verification } from '../src/remedy/repair.ts';
import { applyPlan, undoableRepair, undoRepair } from '../src/service/fix.ts';
import type { Fault } from '../src/service/fix-fault.ts';
import { Verifier } from '../src/service/fix-verify.ts';

/** What is to be done. */
export type ApplyJob =
  | {
      readonly do: 'apply';
      readonly spec: string;
      readonly plan: RepairPlan;
      readonly fault: Fault;
      readonly id: string;
      /** What the verification is to find: the ways to the end differ. */
      readonly helps: boolean;
    }
  | { readonly do: 'undo'; readonly spec: string; readonly id: string };

/** A verification whose result is given: what is tried here is what happens when the process is killed, whatever it found. */
class GivenVerifier extends Verifier {
  private readonly helps: boolean;

  constructor(fault: Fault, host: Awaited<ReturnType<typeof openHost>>, helps: boolean) {
    super({ host, fault, waitMs: 0 });
    this.helps = helps;
  }

  override async start(): Promise<void> {}

  override async verify(): Promise<Verification> {
    return { helped: this.helps, statement: `it is taken to ${this.helps ? '' : 'not '}help` };
  }
}

if (import.meta.main) {
  const job = JSON.parse(await text(process.stdin)) as ApplyJob;
  const host = await openHost(job.spec);
  const journal = new Journal();
  if (job.do === 'undo') await undoRepair(host, journal, undoableRepair(journal, job.id));
  else {
    const { plan, fault, id, helps } = job;
    const verifier = new GivenVerifier(fault, host, helps);
    await applyPlan({ host, journal, plan, fault, id, by: 'person', verifier, persist: true });
  }
  await host.close();
}
