import { readFileSync } from 'node:fs';
import { isSystemError } from '../../host/system-error.ts';
import type { IncidentService } from '../../model/incident.ts';
import { formatCount } from '../../model/text.ts';
import type { WatchConfig } from './config-types.ts';
import type { IncidentBook } from './incident-book.ts';
import type { NamespaceWatch } from './namespace-watch.ts';
import { wallNs } from './wall-clock.ts';

/** A danger that holds now. */
interface Danger {
  /** Tells it from others; the same for as long as it lasts. */
  readonly mark: string;
  readonly id: string;
  readonly title: string;
  readonly sentence: string;
  readonly service: IncidentService;
}

/** A change that is taken back within so long is how some programs renew a lease. */
const DEBOUNCE_MS = 400;
/** What stands in front of a danger in the list of changes. */
const CHANGES_NS = 300_000_000_000n;

/** What attempts fail for when a danger comes true. */
const FAILURES: Readonly<Record<string, string>> = { 'default-route-vanished': 'no-return-route' };

/** Opens an incident of kind `warning` for as long as a danger holds that has not made an attempt fail yet. */
export class EarlyWarnings {
  private readonly config: () => WatchConfig;
  private readonly book: IncidentBook;
  private readonly onDanger: (causeId: string) => void;
  private readonly namespaces: () => readonly NamespaceWatch[];
  /** Families that had a default route, by namespace. */
  private readonly hadDefault: Map<string, Set<4 | 6>> = new Map();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onDanger called with the cause that attempts will fail for as long as a new danger lasts. */
  constructor(
    config: () => WatchConfig,
    book: IncidentBook,
    namespaces: () => readonly NamespaceWatch[],
    onDanger: (causeId: string) => void = () => {},
  ) {
    this.onDanger = onDanger;
    this.config = config;
    this.book = book;
    this.namespaces = namespaces;
  }

  /** Looks again in a moment: something changed. */
  soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.look();
    }, DEBOUNCE_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Opens what is new, and closes what is over. */
  look(): void {
    const namespaces = this.namespaces();
    const dangers = this.config().warnings.enabled ? namespaces.flatMap((one) => this.dangersOf(one)) : [];
    const open = this.book.open.filter(({ kind }) => kind === 'warning');
    const marks = new Set(dangers.map(({ mark }) => mark));
    for (const one of open) {
      if (one.mark !== undefined && marks.has(one.mark)) continue;
      const isGone = !namespaces.some(({ spec }) => spec === one.service.namespace);
      this.book.close(one, isGone ? 'the network namespace is gone' : 'it is well again');
    }
    for (const { mark, id, title, sentence, service } of dangers) {
      const known = open.find((one) => one.mark === mark);
      if (known !== undefined) {
        known.lastNs = wallNs();
        continue;
      }
      const namespace = namespaces.find(({ spec }) => spec === service.namespace);
      const now = wallNs();
      const changes = (namespace?.network.changes ?? [])
        .filter(({ atNs }) => atNs >= now - CHANGES_NS)
        .slice(-12)
        .map(({ atNs, text }) => ({ atNs, text }));
      const cause = { id, status: 'confirmed' as const, title };
      if (this.book.begin({ kind: 'warning', service, cause, sentence, firstNs: now, changes, mark }) !== undefined) {
        this.book.changed(true);
        const failure = FAILURES[id];
        if (failure !== undefined) this.onDanger(failure);
      }
    }
  }

  private dangersOf(namespace: NamespaceWatch): Danger[] {
    return [
      ...this.routeDangers(namespace),
      ...this.queueDangers(namespace),
      ...this.conntrackDanger(namespace),
      ...this.portDanger(namespace),
    ].map((danger) => ({ ...danger, mark: `${danger.mark} ${namespace.spec}` }));
  }

  private routeDangers({ spec, network }: NamespaceWatch): Danger[] {
    const service: IncidentService = { direction: 'outbound', namespace: spec };
    const where = spec === 'local' ? '' : ` in ${spec}`;
    const dangers: Danger[] = [];
    const had = this.hadDefault.get(spec) ?? new Set<4 | 6>();
    this.hadDefault.set(spec, had);
    let routes = network.defaultRoutes;
    const limitNs = BigInt(this.config().warnings.routeLifetimeMs) * 1_000_000n;
    const isExpiring = (expiresNs: bigint | undefined): boolean =>
      expiresNs !== undefined && expiresNs - wallNs() < limitNs;
    if (routes.some(({ expiresNs }) => isExpiring(expiresNs))) {
      // Its lifetime may have been renewed without a word.
      network.refresh();
      routes = network.defaultRoutes;
    }
    for (const family of [4, 6] as const) {
      const ofFamily = routes.filter((route) => route.family === family);
      if (ofFamily.length > 0) had.add(family);
      else if (had.has(family)) {
        const gone = network.changes.findLast(
          ({ what, subject }) =>
            what === 'route-deleted' && subject.startsWith('default') && subject.includes(':') === (family === 6),
        );
        dangers.push({
          mark: `default-route ${family}`,
          id: 'default-route-vanished',
          title: 'The default route is gone',
          sentence: `The default route of IPv${family}${where} is gone${gone === undefined ? '' : `: ${gone.subject} was deleted`}. Whoever is not on a connected network will get no answer.`,
          service,
        });
      }
      const last = ofFamily.every(({ expiresNs }) => isExpiring(expiresNs));
      for (const { text, expiresNs } of ofFamily) {
        if (!last || expiresNs === undefined) continue;
        const seconds = Math.max(0, Number((expiresNs - wallNs()) / 1_000_000_000n));
        dangers.push({
          mark: `expiring ${text}`,
          id: 'default-route-expires',
          title: 'The default route is about to expire',
          sentence: `The default route ${text}${where} ends in ${seconds} s and no router advertisement renews it.`,
          service,
        });
      }
    }
    for (const router of network.deadRouters) {
      dangers.push({
        mark: `router ${router}`,
        id: 'router-unreachable',
        title: 'The router does not answer',
        sentence: `The router ${router} of a default route${where} does not answer at the link layer (neighbour state FAILED).`,
        service,
      });
    }
    return dangers;
  }

  private queueDangers({ spec, listeners }: NamespaceWatch): Danger[] {
    const share = this.config().warnings.acceptQueue;
    return listeners.listeners.flatMap(({ address, port, waiting, limit }) => {
      if (limit === 0 || waiting < share * limit || waiting < 2) return [];
      return [
        {
          mark: `accept-queue ${address ?? ''} ${port}`,
          id: 'accept-queue-filling',
          title: 'The accept queue is nearly full',
          sentence: `The accept queue of port ${port} holds ${formatCount(waiting)} of ${formatCount(limit)} connections: the program does not take them fast enough.`,
          service: {
            direction: 'inbound' as const,
            namespace: spec,
            ...(address === undefined ? {} : { address }),
            port,
          },
        },
      ];
    });
  }

  private conntrackDanger(namespace: NamespaceWatch): Danger[] {
    const { access, spec } = namespace;
    const [count, max] = access.enter(() => [
      numberIn('/proc/sys/net/netfilter/nf_conntrack_count'),
      numberIn('/proc/sys/net/netfilter/nf_conntrack_max'),
    ]);
    if (count === undefined || max === undefined || max === 0) return [];
    if (count < this.config().warnings.conntrack * max) return [];
    return [
      {
        mark: 'conntrack',
        id: 'conntrack-filling',
        title: 'The table of connection tracking is nearly full',
        sentence: `Connection tracking holds ${formatCount(count)} of ${formatCount(max)} entries; when it is full, new connections are dropped.`,
        service: { direction: 'inbound', namespace: spec },
      },
    ];
  }

  private portDanger({ spec, portUse, listeners }: NamespaceWatch): Danger[] {
    const use = portUse.look(this.config().warnings.ephemeralPorts, (port) => listeners.listensOn(port));
    if (use === undefined) return [];
    return [
      {
        mark: `ports ${use.server}`,
        id: 'ports-running-out',
        title: 'The ephemeral ports are nearly used up',
        sentence: `${formatCount(use.used)} of ${formatCount(use.range)} ephemeral ports are taken towards ${use.server}; when all are, connect() fails with "Cannot assign requested address".`,
        service: { direction: 'outbound', namespace: spec },
      },
    ];
  }
}

/** A file of /proc/sys belongs to the namespace of the thread that reads it. */
function numberIn(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return /^\d{1,12}$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}
