import type { Host } from '../../host/host.ts';
import type { Diagnosis } from '../../model/diagnosis.ts';
import type { Incident, IncidentRepair } from '../../model/incident.ts';

/** What a watch tells whoever repairs, after each full diagnosis of an open incident. */
export interface RepairCase {
  readonly incident: Incident;
  /** The latest diagnosis, with its remedies. */
  readonly diagnosis: Diagnosis;
  /** The host, in the network namespace of the incident. Do not close it. */
  readonly host: Host;
}

/** Who repairs by policy. The watch calls it for one incident at a time, and puts what it returns on the incident. */
export interface IncidentRepairer {
  /**
   * Suggests, repairs and verifies, or holds back, as the policy says.
   * @returns what was done, in order; nothing when the policy says so.
   */
  consider(repairCase: RepairCase): Promise<readonly IncidentRepair[]>;
  /** An early warning makes it likely that a cause will have to be repaired in a moment. */
  prepare?(causeId: string): void;
  /** Ends what was prepared. */
  stop?(): Promise<void>;
}
