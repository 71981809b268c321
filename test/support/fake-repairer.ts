import type { Incident, IncidentRepair } from '../../src/model/incident.ts';
import { PlanChangedError, type Repairer, type RepairPlan } from '../../src/service/http/repairer.ts';
import { now } from './fake-watch.ts';

/** A repairer that changes nothing: it plans the remedy as the sample of the incident offers it, and notes what it was told to do. */
export class FakeRepairer implements Repairer {
  readonly applied: { readonly incidentId: number; readonly remedyId: string }[] = [];
  planId = 'first';
  outcome: IncidentRepair['outcome'] = 'verified';
  refused?: string;

  plan(incident: Incident, remedyId?: string): Promise<RepairPlan | undefined> {
    const [sample] = incident.samples as readonly { readonly remedies: readonly Remedy[] }[];
    const remedy = sample?.remedies.find(({ id }) => remedyId === undefined || id === remedyId);
    if (remedy === undefined) return Promise.resolve(undefined);
    return Promise.resolve({
      incidentId: incident.id,
      remedyId: remedy.id,
      title: remedy.title,
      risk: remedy.risk,
      steps: remedy.commands.map((command) => ({
        text: `do ${command}`,
        commands: [command],
        undo: [command.replace(' add ', ' del ')],
      })),
      verification: 'A SYN of a client that failed must be answered.',
      ...(this.refused === undefined ? {} : { refused: this.refused }),
      planId: this.planId,
    });
  }

  apply(incident: Incident, plan: { readonly remedyId: string; readonly planId: string }): Promise<IncidentRepair> {
    if (plan.planId !== this.planId) return Promise.reject(new PlanChangedError('the route is there by now'));
    this.applied.push({ incidentId: incident.id, remedyId: plan.remedyId });
    return Promise.resolve({
      atNs: now(),
      remedyId: plan.remedyId,
      title: 'Give the server its route back to the client',
      by: 'person',
      outcome: this.outcome,
      statement: 'A handshake came up 0.4 s later.',
      journalId: '20261121-1',
    });
  }
}

/** A remedy as samples hold it. */
interface Remedy {
  readonly id: string;
  readonly title: string;
  readonly risk: RepairPlan['risk'];
  readonly commands: readonly string[];
}
