import type { Incident } from '../../model/incident.ts';
import type { HistoryStore } from '../history/history-store.ts';
import { type IncidentStart, OpenIncident } from './open-incident.ts';

/** More incidents are not open at once: the host is in such trouble that one more would tell nothing. */
const MAX_OPEN = 200;
/** Changes of an incident are saved and told this often at most. */
const SAVE_MS = 1000;

/** What an {@link IncidentBook} works with. */
export interface IncidentBookParts {
  readonly store: HistoryStore;
  /** Client networks that are kept with an incident. */
  readonly networks: () => number;
  readonly onChange: (incident: Incident) => void;
  /** A failure to save: the store keeps what it could not write and tries again. */
  readonly onTrouble: (error: unknown) => void;
}

/** The open incidents, and their way into the history. */
export class IncidentBook {
  /** Incidents that were not opened because too many were. */
  refused = 0;
  private readonly parts: IncidentBookParts;
  private readonly byId: Map<number, OpenIncident> = new Map();
  private nextId = 1;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private saving: Promise<void> = Promise.resolve();

  constructor(parts: IncidentBookParts) {
    this.parts = parts;
  }

  /** Goes on with the incidents that an earlier watch left open. */
  async start(): Promise<void> {
    const { store } = this.parts;
    this.nextId = (await store.lastIncidentId()) + 1;
    for (const incident of await store.incidents({ state: 'open', limit: MAX_OPEN })) {
      this.byId.set(incident.id, OpenIncident.resume(incident));
    }
  }

  get open(): readonly OpenIncident[] {
    return [...this.byId.values()];
  }

  /** As others see them, newest first. */
  incidents(): Incident[] {
    return this.open.map((one) => one.incident(this.parts.networks())).sort((a, b) => b.id - a.id);
  }

  /** @returns undefined when too many are open. */
  begin(start: Omit<IncidentStart, 'id'>): OpenIncident | undefined {
    if (this.byId.size >= MAX_OPEN) {
      this.refused++;
      return undefined;
    }
    const open = new OpenIncident({ ...start, id: this.nextId++ });
    this.byId.set(open.id, open);
    return open;
  }

  /** Saves and tells what changed, in a moment; at once when it is about something new. */
  changed(atOnce: boolean = false): void {
    if (atOnce) {
      this.flush();
      return;
    }
    this.timer ??= setTimeout(() => this.flush(), SAVE_MS);
  }

  close(open: OpenIncident, because: string): void {
    if (!this.byId.delete(open.id)) return;
    this.save(open.closed(this.parts.networks(), because));
  }

  /** Saves everything, and waits for it. */
  async stop(): Promise<void> {
    this.flush();
    await this.saving;
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const open of this.byId.values()) {
      if (!open.isDirty) continue;
      open.isDirty = false;
      this.save(open.incident(this.parts.networks()));
    }
  }

  private save(incident: Incident): void {
    this.parts.onChange(incident);
    this.saving = this.saving.then(async () => {
      try {
        await this.parts.store.saveIncident(incident);
      } catch (error) {
        this.parts.onTrouble(error);
      }
    });
  }
}
