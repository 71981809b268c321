import type { HandshakeCounts, Incident, ListenerHealth } from '../../src/model/incident.ts';
import type { SynFate, WatchEvent, WatchStatus, WatchView } from '../../src/service/watch/view.ts';

/** A watch that a test drives: what it shows is what the test put into it. */
export class FakeWatch implements WatchView {
  readonly incidents: Map<number, Incident> = new Map();
  health: readonly ListenerHealth[] = [];
  state: Partial<WatchStatus> = {};
  private readonly startedNs: bigint = now() - 3_600_000_000_000n;
  private readonly followers = new Set<(event: WatchEvent) => void>();

  status(): WatchStatus {
    return {
      version: '0.1.0',
      hostname: 'web7',
      startedNs: this.startedNs,
      nowNs: now(),
      namespaces: ['local'],
      notSeen: [],
      capture: { taken: 0, lost: 0, openAttempts: 0 },
      totals: { answered: 0, refused: 0, failed: 0 },
      openIncidents: this.openIncidents().length,
      ...this.state,
    };
  }

  listeners(): readonly ListenerHealth[] {
    return this.health;
  }

  openIncidents(): readonly Incident[] {
    return [...this.incidents.values()].filter(({ state }) => state === 'open').sort((one, other) => other.id - one.id);
  }

  subscribe(follower: (event: WatchEvent) => void): () => void {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  }

  /** Opens, updates or closes an incident. */
  tellIncident(incident: Incident): void {
    this.incidents.set(incident.id, incident);
    this.tell({ type: 'incident', incident });
  }

  tellFate(fate: SynFate): void {
    this.tell({ type: 'fate', fate });
  }

  tellCounts(counts: readonly HandshakeCounts[]): void {
    this.tell({ type: 'counts', counts });
  }

  tellListeners(listeners: readonly ListenerHealth[]): void {
    this.health = listeners;
    this.tell({ type: 'listeners', listeners });
  }

  private tell(event: WatchEvent): void {
    for (const follower of this.followers) follower(event);
  }
}

/** The present moment in nanoseconds. */
export function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
