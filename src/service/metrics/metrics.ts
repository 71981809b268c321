import type { HandshakeCounts, Incident, ListenerHealth } from '../../model/incident.ts';
import type { HistoryStore } from '../history/history-store.ts';
import type { WatchView } from '../watch/view.ts';
import { Counters } from './counters.ts';
import { type Exposition, type Sample, writeExposition } from './exposition.ts';
import { BoundedLabels, serviceName } from './labels.ts';
import { processSamples } from './process-samples.ts';
import { UNKNOWN_CAUSE } from './registry.ts';

const KINDS = ['failure', 'noise', 'warning'] as const;

/** More incidents are not remembered as counted. */
const MAX_SEEN = 5000;

/** How the alerts are, as far as metrics tell. */
export interface AlertNumbers {
  readonly queued: number;
  readonly totals: readonly {
    readonly kind: string;
    readonly outcome: 'sent' | 'failed' | 'dropped';
    readonly count: number;
  }[];
}

/** What metrics are made of. */
export interface MetricsOptions {
  readonly view: WatchView;
  readonly store: Pick<HistoryStore, 'state'>;
  /** Ports that get a label of their own. */
  readonly services: number;
  readonly alerts?: () => AlertNumbers;
}

/** What was counted of an open incident already. */
interface SeenIncident {
  attempts: number;
  repairs: number;
}

/** Counts what a watch tells, for Prometheus. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #counters: Counters = new Counters();
  readonly #ports: Readonly<Record<'inbound' | 'outbound', BoundedLabels>>;
  readonly #listenerPorts: BoundedLabels;
  readonly #seen: Map<number, SeenIncident> = new Map();
  readonly #unsubscribe: () => void;
  #drops: ReadonlyMap<string, { readonly count: number }> = new Map();
  #streams: () => number = () => 0;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#ports = { inbound: new BoundedLabels(options.services), outbound: new BoundedLabels(options.services) };
    this.#listenerPorts = this.#ports.inbound;
    // Incidents that an earlier watch left open were counted by it.
    for (const { id, attempts, repairs } of options.view.openIncidents()) {
      this.#seen.set(id, { attempts, repairs: repairs.length });
    }
    this.#countDrops(options.view.listeners(), true);
    this.#unsubscribe = options.view.subscribe((event) => {
      if (event.type === 'counts') this.#countHandshakes(event.counts);
      else if (event.type === 'incident') this.#countIncident(event.incident);
      else if (event.type === 'listeners') this.#countDrops(event.listeners, false);
    });
  }

  /** Counts an answered request to the page. */
  countRequest(code: number): void {
    this.#counters.add('synscope_http_requests_total', [String(code)]);
  }

  /** Says how to find out how many follow the events. */
  countStreams(count: () => number): void {
    this.#streams = count;
  }

  /** All metrics as text. */
  text(form: Exposition): string {
    return writeExposition(
      [...this.#watchSamples(), ...this.#listenerSamples(), ...this.#counters.samples(), ...processSamples()],
      form,
    );
  }

  /** Ends counting. */
  close(): void {
    this.#unsubscribe();
  }

  #watchSamples(): Sample[] {
    const { view, store, alerts } = this.#options;
    const status = view.status();
    const open = view.openIncidents();
    const { bytes, trouble } = store.state();
    const { queued, totals } = alerts?.() ?? { queued: 0, totals: [] };
    const one = (name: Sample['name'], value: number): Sample => ({ name, labels: [], value });
    return [
      { name: 'synscope_build_info', labels: [status.version], value: 1 },
      ...KINDS.map(
        (kind): Sample => ({
          name: 'synscope_incidents_open',
          labels: [kind],
          value: open.filter((incident) => incident.kind === kind).length,
        }),
      ),
      one('synscope_listeners', view.listeners().length),
      one('synscope_open_attempts', status.capture.openAttempts),
      one('synscope_capture_packets_total', status.capture.taken),
      one('synscope_capture_lost_packets_total', status.capture.lost),
      one('synscope_not_seen', status.notSeen.length),
      one('synscope_history_writable', trouble === undefined ? 1 : 0),
      ...(bytes === undefined ? [] : [one('synscope_history_size_bytes', bytes)]),
      one('synscope_http_event_streams', this.#streams()),
      one('synscope_alerts_queued', queued),
      ...totals.map(
        ({ kind, outcome, count }): Sample => ({
          name: 'synscope_alerts_total',
          labels: [kind, outcome],
          value: count,
        }),
      ),
    ];
  }

  #listenerSamples(): Sample[] {
    const fullest = new Map<string, number>();
    const halfOpen = new Map<string, number>();
    for (const { service, acceptQueue, synQueue } of this.#options.view.listeners()) {
      const label = this.#listenerPorts.of(serviceName(service));
      const ratio = acceptQueue.limit > 0 ? acceptQueue.waiting / acceptQueue.limit : 0;
      fullest.set(label, Math.max(fullest.get(label) ?? 0, ratio));
      if (synQueue !== undefined) halfOpen.set(label, (halfOpen.get(label) ?? 0) + synQueue);
    }
    return [
      ...[...fullest].map(
        ([label, value]): Sample => ({ name: 'synscope_accept_queue_fill_ratio', labels: [label], value }),
      ),
      ...[...halfOpen].map(
        ([label, value]): Sample => ({ name: 'synscope_syn_queue_requests', labels: [label], value }),
      ),
    ];
  }

  #countHandshakes(counts: readonly HandshakeCounts[]): void {
    for (const { service, answered, refused, failed } of counts) {
      const { direction } = service;
      const label = this.#ports[direction].of(serviceName(service));
      for (const [outcome, count] of Object.entries({ answered, refused, failed })) {
        this.#counters.add('synscope_handshakes_total', [direction, label, outcome], count);
      }
    }
  }

  #countIncident({ id, state, kind, cause, service, attempts, repairs }: Incident): void {
    const causeId = cause?.id ?? UNKNOWN_CAUSE;
    const before = this.#seen.get(id);
    if (before === undefined && state === 'open') this.#counters.add('synscope_incidents_total', [kind, causeId]);
    const failed = attempts - (before?.attempts ?? 0);
    if (kind !== 'warning' && failed > 0) {
      this.#counters.add('synscope_failed_handshakes_total', [service.direction, kind, causeId], failed);
    }
    for (const { by, outcome } of repairs.slice(before?.repairs ?? 0)) {
      this.#counters.add('synscope_repairs_total', [by, outcome]);
    }
    this.#seen.delete(id);
    this.#seen.set(id, { attempts, repairs: repairs.length });
    // Those that are open now changed lately, or are few.
    const oldest = this.#seen.size > MAX_SEEN ? this.#seen.keys().next().value : undefined;
    if (oldest !== undefined) this.#seen.delete(oldest);
  }

  /** Sockets count since they were made, and go: only what is added while they are watched makes a counter that never falls. */
  #countDrops(listeners: readonly ListenerHealth[], first: boolean): void {
    const drops = new Map<string, { readonly port: string; count: number }>();
    for (const { service, drops: count } of listeners) {
      // Several sockets of one service (SO_REUSEPORT) count together.
      const key = JSON.stringify([service.namespace, service.address, service.port]);
      const one = drops.get(key);
      if (one === undefined) drops.set(key, { port: serviceName(service), count });
      else one.count += count;
    }
    for (const [key, { port, count }] of drops) {
      const before = first ? count : (this.#drops.get(key)?.count ?? count);
      this.#counters.add('synscope_listener_drops_total', [this.#listenerPorts.of(port)], Math.max(0, count - before));
    }
    this.#drops = drops;
  }
}
