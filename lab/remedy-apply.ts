/**
 * Carries out one plan of the remedy campaign in a process of its own, so that it can be killed:
 * the job as JSON on standard input, the result as JSON on standard output.
 */

import process from 'node:process';
import { text } from 'node:stream/consumers';
import { openHost } from '../src/host/open-host.ts';
import type { RepairPlan } from '../src/model/repair.ts';
import { Journal } from '../src/remedy/journal/journal.ts';
import { applyPlan } from '../src/service/fix.ts';
import type { Fault } from '../src/service/fix-fault.ts';
import { Verifier } from '../src/service/fix-verify.ts';

/** What is to be done. */
export interface ApplyJob {
  readonly spec: string;
  readonly peer?: string;
  readonly plan: RepairPlan;
  readonly fault: Fault;
  readonly id: string;
}

if (import.meta.main) {
  const { spec, peer, plan, fault, id } = JSON.parse(await text(process.stdin)) as ApplyJob;
  const host = await openHost(spec);
  const other = peer === undefined ? undefined : await openHost(peer);
  const verifier = new Verifier({ host, fault, waitMs: 3000, ...(other === undefined ? {} : { peer: other }) });
  const result = await applyPlan({ host, journal: new Journal(), plan, fault, id, by: 'person', verifier });
  process.stdout.write(JSON.stringify(result));
  await host.close();
  await other?.close();
}
