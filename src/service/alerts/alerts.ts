import type { Incident } from '../../model/incident.ts';
import type { AlertNumbers } from '../metrics/metrics.ts';
import type { AlertConfig, AlertFilter } from '../watch/config-types.ts';
import type { WatchView } from '../watch/view.ts';
import { AlertQueue } from './alert-queue.ts';
import { makeReceiver } from './receiver.ts';
import type { AlertEvent } from './template.ts';

/** An update is told when this changed; counts that grow are none. */
function stateOf({ cause, kind, repairs }: Incident): string {
  const last = repairs.at(-1);
  return JSON.stringify([kind, cause?.id, cause?.status, repairs.length, last?.outcome]);
}

/** More incidents than this are not remembered. */
const MAX_REMEMBERED = 5000;
const OUTCOMES = ['sent', 'failed', 'dropped'] as const;

/** Tells receivers of incidents: when they open, when cause or repairs change, when they close. */
export class Alerts {
  readonly #targets: readonly { readonly config: AlertConfig; readonly queue: AlertQueue }[];
  readonly #told: Map<number, string> = new Map();
  readonly #unsubscribe: () => void;

  /**
   * @param onTrouble called with one sentence when an alert could not be delivered
   * @throws InputError when the configuration of a receiver cannot be used
   */
  constructor(view: WatchView, configs: readonly AlertConfig[], onTrouble: (message: string) => void) {
    const { version, hostname } = view.status();
    this.#targets = configs.map((config) => ({
      config,
      queue: new AlertQueue({
        receiver: makeReceiver(config, version),
        maxPerHour: config.maxPerHour,
        onTrouble: (message) => onTrouble(`${config.name ?? config.kind}: ${message}`),
      }),
    }));
    // Incidents that an earlier watch left open were told by it.
    for (const incident of view.openIncidents()) this.#told.set(incident.id, stateOf(incident));
    this.#unsubscribe = view.subscribe((event) => {
      if (event.type === 'incident') this.#tell(event.incident, hostname);
    });
  }

  /** For the metrics. */
  numbers(): AlertNumbers {
    const all = this.#targets.map(({ config, queue }) => ({ kind: config.kind, numbers: queue.numbers() }));
    const kinds = [...new Set(all.map(({ kind }) => kind))];
    return {
      queued: all.reduce((sum, { numbers }) => sum + numbers.queued, 0),
      totals: kinds.flatMap((kind) =>
        OUTCOMES.map((outcome) => ({
          kind,
          outcome,
          count: all.reduce((sum, one) => sum + (one.kind === kind ? one.numbers[outcome] : 0), 0),
        })),
      ),
    };
  }

  /** Sends what waits, for at most so long. */
  async close(graceMs: number = 5000): Promise<void> {
    this.#unsubscribe();
    await Promise.all(this.#targets.map(({ queue }) => queue.close(graceMs)));
  }

  #tell(incident: Incident, hostname: string): void {
    const event = this.#eventOf(incident);
    if (event === undefined) return;
    for (const { config, queue } of this.#targets) {
      if (isWanted(config.when, incident, event)) queue.add({ event, incident, hostname });
    }
  }

  #eventOf(incident: Incident): AlertEvent | undefined {
    const before = this.#told.get(incident.id);
    const state = incident.state === 'closed' ? 'closed' : stateOf(incident);
    if (before === state) return undefined;
    this.#told.delete(incident.id);
    this.#told.set(incident.id, state);
    const oldest = this.#told.size > MAX_REMEMBERED ? this.#told.keys().next().value : undefined;
    if (oldest !== undefined) this.#told.delete(oldest);
    if (incident.state === 'closed') return 'closed';
    return before === undefined ? 'opened' : 'updated';
  }
}

function isWanted({ kinds, states, causes, ports }: AlertFilter, incident: Incident, event: AlertEvent): boolean {
  const { port } = incident.service;
  return (
    (kinds === undefined || kinds.includes(incident.kind)) &&
    (states === undefined || states.includes(event)) &&
    (causes === undefined || causes.includes(incident.cause?.id ?? 'unknown')) &&
    (ports === undefined || (port !== undefined && ports.some(([from, to]) => port >= from && port <= to)))
  );
}
