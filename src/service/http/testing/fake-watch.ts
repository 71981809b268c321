import type { Incident, IncidentRepair, ListenerHealth } from '../../../model/incident.ts';
import { at, HTTPS } from '../../history/testing/incidents.ts';
import type { WatchEvent, WatchStatus, WatchView } from '../../watch/view.ts';
import { PlanChangedError, type Repairer, type RepairPlan } from '../repairer.ts';

/** A listener of port 443. */
export const LISTENER: ListenerHealth = {
  service: HTTPS,
  acceptQueue: { waiting: 3, limit: 10 },
  synQueue: 1,
  drops: 4,
  lastMinute: { answered: 310, refused: 0, failed: 4 },
  openIncidents: [2],
};

/** A watch that tells what a test makes it tell. */
export class FakeWatch implements WatchView {
  open: Incident[] = [];
  listening: readonly ListenerHealth[] = [LISTENER];
  readonly #listeners: Set<(event: WatchEvent) => void> = new Set();

  status(): WatchStatus {
    return {
      version: '0.1.0',
      hostname: 'web7',
      startedNs: at(0),
      nowNs: at(60),
      namespaces: ['local'],
      notSeen: [{ reason: 'the kernel', hint: 'be root' }],
      capture: { taken: 5, lost: 1, openAttempts: 2 },
      totals: { answered: 3, refused: 2, failed: 1 },
      openIncidents: this.open.length,
    };
  }

  listeners(): readonly ListenerHealth[] {
    return this.listening;
  }

  openIncidents(): readonly Incident[] {
    return this.open;
  }

  subscribe(listener: (event: WatchEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells all who listen. */
  emit(event: WatchEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  get subscribers(): number {
    return this.#listeners.size;
  }
}

/** Repairs by counting; the plan changes when a test says so. */
export class FakeRepairer implements Repairer {
  planId = 'first';
  refused: string | undefined;
  readonly applied: string[] = [];

  plan(incident: Incident, remedyId: string = 'add-route'): Promise<RepairPlan | undefined> {
    if (remedyId !== 'add-route') return Promise.resolve(undefined);
    return Promise.resolve({
      incidentId: incident.id,
      remedyId,
      title: 'Add the route',
      risk: 'low',
      steps: [{ text: 'add it', commands: ['ip route add default via 192.0.2.254'], undo: ['ip route del default'] }],
      verification: 'a handshake',
      planId: this.planId,
      ...(this.refused === undefined ? {} : { refused: this.refused }),
    });
  }

  apply(incident: Incident, plan: { readonly remedyId: string; readonly planId: string }): Promise<IncidentRepair> {
    if (plan.planId !== this.planId) return Promise.reject(new PlanChangedError('a route is there by now'));
    this.applied.push(`${incident.id} ${plan.remedyId} ${plan.planId}`);
    return Promise.resolve({
      atNs: at(1),
      remedyId: plan.remedyId,
      title: 'Add the route',
      by: 'person',
      outcome: 'verified',
      statement: 'it answers',
    });
  }
}
