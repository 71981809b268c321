import type { Incident, IncidentRepair } from '../../model/incident.ts';

/** One step of a repair, as a person is to see it before it is done. */
export interface RepairStep {
  /** For example `add the route default via fe80::1 dev eth0`. */
  readonly text: string;
  /** What does the same by hand. */
  readonly commands: readonly string[];
  /** What takes it back. */
  readonly undo: readonly string[];
}

/** What a repair of one incident would do now. */
export interface RepairPlan {
  readonly incidentId: number;
  readonly remedyId: string;
  readonly title: string;
  readonly risk: 'low' | 'medium' | 'high';
  readonly steps: readonly RepairStep[];
  /** How it will be seen whether it helped. */
  readonly verification: string;
  /** Why it cannot be done; absent when it can. */
  readonly refused?: string;
  /** Differs whenever the steps, or what they would change, differ. */
  readonly planId: string;
}

/** Does repairs for the page, each only as it was shown. */
export interface Repairer {
  /**
   * Plans a repair without changing anything; the best remedy unless one is named.
   * @returns undefined when the incident has no such remedy.
   */
  plan(incident: Incident, remedyId?: string): Promise<RepairPlan | undefined>;
  /**
   * Plans anew, and if the plan still has this `planId` does it, verifies it and takes it back if it did not help.
   * The incident that the watch then shows has the returned entry among its repairs.
   * @throws PlanChangedError when the plan is another one by now; nothing was done
   */
  apply(incident: Incident, plan: { readonly remedyId: string; readonly planId: string }): Promise<IncidentRepair>;
}

/** Thrown when what would be done is no longer what was shown. */
export class PlanChangedError extends Error {
  override readonly name: string = 'PlanChangedError';
}
