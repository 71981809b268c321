import { SurroundingsLog } from '../../collect/watch/attempt-of.ts';
import type { Handshake } from '../../model/handshake.ts';
import type { IncidentService } from '../../model/incident.ts';
import { prefixContains } from '../../model/prefix.ts';
import { GATEWAY_PROBE_PORT } from '../../remedy/gateway/answers.ts';
import type { AttemptState } from './attempt-state.ts';
import type { AttemptSink } from './attempt-watch.ts';
import type { DirectionConfig, WatchConfig } from './config-types.ts';
import { includesPort } from './config-values.ts';
import type { Flood } from './flood-check.ts';
import type { NamespaceWatch } from './namespace-watch.ts';
import type { OutcomeClass } from './open-incident.ts';
import { ScanWatch } from './scan-watch.ts';
import type { ServiceCounts } from './service-counts.ts';

type Direction = 'inbound' | 'outbound';

/** An attempt that failed, or is about to. */
export interface Failure {
  readonly namespace: NamespaceWatch;
  readonly direction: Direction;
  readonly row: number;
  readonly mark: number;
  readonly handshake: Handshake;
  readonly state: AttemptState;
  /** Attempts that it stands for: more than one where only a share is captured. */
  readonly weight: number;
}

/** Who does something about failures. */
export interface FailureHandler {
  /** A SYN to a listener has no answer yet. */
  onDoubt(failure: Failure): void;
  onFailure(failure: Failure): void;
  onFlood(namespace: NamespaceWatch, flood: Flood): void;
  /** A client that tries port after port; `isNew` with its first attempt that is known as a scan. */
  onScan(failure: Failure, isNew: boolean): void;
  onAnswered(namespace: NamespaceWatch, direction: Direction, row: number, weight: number): void;
  /** An attempt that failed is over; the row holds all its packets. */
  onEnded(namespace: NamespaceWatch, direction: Direction, row: number): void;
}

/** Failed attempts of one client on a port where nobody listens: fewer are a stray packet. */
const RETRIES_OF_STRANGER = 2;
const STRAYS = 2048;
/** Attempts that are materialized in a second at most; what a flood brings beyond is only counted. */
const MATERIALIZED_PER_SECOND = 200;
const SURROUNDINGS_KEPT = 64;
const SURROUNDINGS_MS = 600_000;

/** Refused attempts whose clients are looked at, for each port of many that are refused. */
const REFUSED_SAMPLE = 500;
const REFUSED_PORTS = 64;

/** Sorts what the attempts of all namespaces do: counts it, leaves out what is not wanted, and tells noise from failures. */
export class FailureDesk {
  /** Attempts that failed and were only counted, because too many did at once. */
  onlyCounted = 0;
  private readonly config: () => WatchConfig;
  private readonly counts: ServiceCounts;
  private readonly handler: FailureHandler;
  private readonly scans: ScanWatch = new ScanWatch();
  private readonly refused: Map<string, { readonly clients: Set<string>; attempts: number; readonly sinceMs: number }> =
    new Map();
  private readonly strays: Map<string, number> = new Map();
  private readonly surroundings: Map<string, { log: SurroundingsLog; sinceMs: number; syns: number }> = new Map();
  private second = 0;
  private materialized = 0;

  constructor(config: () => WatchConfig, counts: ServiceCounts, handler: FailureHandler) {
    this.config = config;
    this.counts = counts;
    this.handler = handler;
  }

  sinkOf(namespace: NamespaceWatch): AttemptSink {
    return {
      onSilent: (row, direction) => this.silent(namespace, row, direction),
      onFailed: (row, direction, state, repeated) => this.failed(namespace, row, direction, state, repeated),
      onAnswered: (row, direction) => this.answered(namespace, row, direction),
      onEnded: (row, direction) => this.handler.onEnded(namespace, direction, row),
    };
  }

  /** What other attempts at the same port say. */
  surroundingsOf(
    namespace: NamespaceWatch,
    direction: Direction,
    port: number,
  ): { log: SurroundingsLog; syns: number } {
    const key = `${direction} ${port} ${namespace.spec}`;
    const now = Date.now();
    let entry = this.surroundings.get(key);
    if (entry === undefined || now - entry.sinceMs > SURROUNDINGS_MS) {
      entry = { log: new SurroundingsLog(), sinceMs: now, syns: 0 };
      for (const client of namespace.answers.clientsOf(port, direction)) {
        entry.log.count(client, 'answered');
        entry.syns++;
      }
      this.surroundings.set(key, entry);
      if (this.surroundings.size > SURROUNDINGS_KEPT) {
        const [oldest] = this.surroundings.keys();
        if (oldest !== undefined) this.surroundings.delete(oldest);
      }
    }
    return entry;
  }

  private silent(namespace: NamespaceWatch, row: number, direction: Direction): void {
    // A server that is well answers at once. A client waits for a round trip, and is looked at when it has waited in vain.
    if (direction === 'outbound') return;
    const port = namespace.attempts.serverPort(row);
    if (!isWatched(this.config().listeners, port) || this.isFlooded(namespace, port)) return;
    if (!namespace.listeners.listensOn(port)) return;
    const failure = this.failureAt(namespace, row, direction, 'silent');
    if (failure !== undefined && !this.scans.isScanner(failure.handshake.client.address)) this.handler.onDoubt(failure);
  }

  private failed(
    namespace: NamespaceWatch,
    row: number,
    direction: Direction,
    state: AttemptState,
    repeated: boolean,
  ): void {
    const port = namespace.attempts.serverPort(row);
    const config = this.config();
    const scope = direction === 'inbound' ? config.listeners : config.outbound;
    if (!isWatched(scope, port) || (direction === 'outbound' && port === GATEWAY_PROBE_PORT)) return;
    const weight = 2 ** namespace.attempts.rates.shiftOf(port);
    this.counts.add(namespace.spec, direction, port, state === 'refused' ? 'refused' : 'failed', weight);
    if (direction === 'inbound' && this.isPartOfFlood(namespace, row, port, state, repeated)) return;
    const failure = this.failureAt(namespace, row, direction, state);
    if (failure === undefined) {
      this.onlyCounted += weight;
      return;
    }
    const { client, server } = failure.handshake;
    const peer = direction === 'inbound' ? client.address : server.address;
    if (scope.ignoreNetworks.some((network) => prefixContains(network, peer))) return;
    if (namespace.access.probed(server.address, port)) return;
    if (direction === 'inbound') {
      const scan = this.scans.note(client.address, port, Date.now(), config.incidents.scanPorts);
      if (scan !== 'no') {
        this.handler.onScan(failure, scan === 'new');
        return;
      }
      if (state === 'refused' && this.isStray(namespace, client.address, port)) return;
    }
    const about = this.surroundingsOf(namespace, direction, port);
    about.syns += failure.handshake.synRetransmissions + 1;
    about.log.add(failure.handshake, `${row} ${failure.mark} ${failure.handshake.startedAtNs}`);
    this.handler.onFailure(failure);
  }

  private answered(namespace: NamespaceWatch, row: number, direction: Direction): void {
    const { attempts } = namespace;
    const port = attempts.serverPort(row);
    const weight = 2 ** attempts.rates.shiftOf(port);
    this.counts.add(namespace.spec, direction, port, 'answered', weight);
    namespace.answers.add(attempts.table, row, direction);
    if (direction === 'inbound') namespace.loopback.onAnswered(row, port, weight);
    this.handler.onAnswered(namespace, direction, row, weight);
  }

  private failureAt(
    namespace: NamespaceWatch,
    row: number,
    direction: Direction,
    state: AttemptState,
  ): Failure | undefined {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.materialized = 0;
    }
    if (this.materialized++ > MATERIALIZED_PER_SECOND) return undefined;
    const { attempts } = namespace;
    return {
      namespace,
      direction,
      row,
      mark: attempts.markOf(row),
      handshake: attempts.handshakeAt(row),
      state,
      weight: 2 ** attempts.rates.shiftOf(attempts.serverPort(row)),
    };
  }

  /** A first packet from far away to a port where nobody listens is no failure of this host; who comes again means it. */
  private isStray(namespace: NamespaceWatch, client: string, port: number): boolean {
    if (namespace.listeners.wasListener(port) || isNear(client)) return false;
    const key = `${client} ${port} ${namespace.spec}`;
    const count = (this.strays.get(key) ?? 0) + 1;
    this.strays.delete(key);
    this.strays.set(key, count);
    if (this.strays.size > STRAYS) {
      const [oldest] = this.strays.keys();
      if (oldest !== undefined) this.strays.delete(oldest);
    }
    return count < RETRIES_OF_STRANGER;
  }

  private isFlooded(namespace: NamespaceWatch, port: number): boolean {
    const limit = this.config().incidents.floodSyns;
    const { rates } = namespace.attempts;
    return rates.rateOf(port) > limit || rates.restRate > limit || namespace.floods.isFlooded(port);
  }

  /**
   * Whether an attempt belongs to a flood: there are more SYNs a second than there may be, nearly none leads to a connection, and this one
   * was never repeated. The client of a real failure repeats its SYN, and is looked at also during a flood. Many refusals of
   * a few clients are no flood: a service is down.
   */
  private isPartOfFlood(
    namespace: NamespaceWatch,
    row: number,
    port: number,
    state: AttemptState,
    repeated: boolean,
  ): boolean {
    if (!this.isFlooded(namespace, port)) return false;
    if (state === 'refused') return this.comesFromMany(namespace, row, port);
    return !repeated;
  }

  /** Whether the refused attempts at a port come from ever new clients. */
  private comesFromMany(namespace: NamespaceWatch, row: number, port: number): boolean {
    const key = `${port} ${namespace.spec}`;
    const now = Date.now();
    let refused = this.refused.get(key);
    if (refused === undefined || now - refused.sinceMs > 60_000) {
      refused = { clients: new Set(), attempts: 0, sinceMs: now };
      this.refused.set(key, refused);
      if (this.refused.size > REFUSED_PORTS) {
        const [oldest] = this.refused.keys();
        if (oldest !== undefined) this.refused.delete(oldest);
      }
    }
    if (refused.attempts < REFUSED_SAMPLE) {
      refused.attempts++;
      refused.clients.add(namespace.attempts.flowAt(row).client.address);
    }
    return refused.clients.size > refused.attempts / 2;
  }
}

/** Which service an attempt is of. */
export function serviceOf({ namespace, direction, handshake }: Failure): IncidentService {
  const { address, port } = handshake.server;
  return {
    direction,
    namespace: namespace.spec,
    ...(direction === 'outbound' ? { address } : {}),
    port,
  };
}

/** What an attempt that stands so is counted with. */
export function classOf(state: AttemptState): OutcomeClass {
  if (state === 'refused') return 'refusal';
  if (state === 'unreachable') return 'unreachable';
  return state === 'half-open' ? 'half-open' : 'silence';
}

function isWatched({ enabled, ports, ignorePorts }: DirectionConfig, port: number): boolean {
  return enabled && (ports.length === 0 || includesPort(ports, port)) && !includesPort(ignorePorts, port);
}

/** Loopback, link-local, private and unique local addresses: whoever comes from there is one of ours. */
function isNear(address: string): boolean {
  return [
    '127.0.0.0/8',
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '169.254.0.0/16',
    '100.64.0.0/10',
    '::1/128',
    'fe80::/10',
    'fc00::/7',
  ].some((network) => prefixContains(network, address));
}
