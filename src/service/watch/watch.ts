import { type FSWatcher, watch as watchFolder } from 'node:fs';
import { hostname } from 'node:os';
import { HostError } from '../../host/host.ts';
import { isSystemError } from '../../host/system-error.ts';
import type { NotSeen } from '../../model/diagnosis.ts';
import { InputError } from '../../model/errors.ts';
import type { Incident, IncidentService, ListenerHealth } from '../../model/incident.ts';
import type { HistoryStore } from '../history/history-store.ts';
import type { WatchConfig } from './config-types.ts';
import { includesPort } from './config-values.ts';
import { EarlyWarnings } from './early-warnings.ts';
import { FailureDesk } from './failure-desk.ts';
import { IncidentBook } from './incident-book.ts';
import { IncidentDesk } from './incident-desk.ts';
import { Investigations } from './investigations.ts';
import { ListenerOwners } from './listener-owners.ts';
import { openAccess } from './namespace-access.ts';
import { type FoundNamespace, isWanted, NamespaceScanner, namedNamespaces } from './namespace-scan.ts';
import { MAIN_ROOM, type NamespaceOwner, NamespaceWatch, OTHER_ROOM } from './namespace-watch.ts';
import type { IncidentRepairer } from './repair-hook.ts';
import { ServiceCounts } from './service-counts.ts';
import type { WatchEvent, WatchStatus, WatchView } from './view.ts';
import { wallNs } from './wall-clock.ts';

/** How a {@link Watch} is set up. */
export interface WatchOptions {
  readonly config: WatchConfig;
  readonly store: HistoryStore;
  readonly version: string;
  /** Made once the watch exists, because it may want to see it. */
  readonly repairer?: IncidentRepairer | undefined;
  /** Called with what a part of the watch threw although nothing should. */
  readonly onBug: (error: unknown) => void;
}

const TICK_MS = 5000;
/** Listeners of namespaces other than the first are asked for every third time. */
const OTHER_TICKS = 3;
/** Old incidents are looked for this often. */
const RETAIN_MS = 600_000;
const NAMED_NAMESPACES = '/run/netns';
const NAMED_MS = 100;
const FATES_PER_SECOND = 20;
const MAX_NOT_SEEN = 40;

/** Watches every handshake of a machine, in all its network namespaces, until it is stopped. */
export class Watch implements WatchView {
  private config: WatchConfig;
  private readonly options: WatchOptions;
  private readonly counts: ServiceCounts = new ServiceCounts();
  private readonly book: IncidentBook;
  private readonly investigations: Investigations;
  private readonly incidentDesk: IncidentDesk;
  private readonly desk: FailureDesk;
  private readonly warnings: EarlyWarnings;
  private readonly owners: ListenerOwners = new ListenerOwners();
  private readonly owner: NamespaceOwner;
  private readonly byInode: Map<string, NamespaceWatch> = new Map();
  /** Namespaces that could not be entered. */
  private readonly refused: Set<string> = new Set();
  private readonly missing: Map<string, NotSeen> = new Map();
  private readonly listenersOf: Set<(event: WatchEvent) => void> = new Set();
  private readonly startedNs: bigint = wallNs();
  private timer: ReturnType<typeof setInterval> | undefined;
  private folder: FSWatcher | undefined;
  private readonly scanner: NamespaceScanner = new NamespaceScanner();
  private scanning: Promise<void> | undefined;
  private soon: ReturnType<typeof setTimeout> | undefined;
  private resumed: Promise<void> | undefined;
  private ticks = 0;
  private retainedMs = 0;
  private fateSecond = 0;
  private fates = 0;
  /** Of namespaces that are gone. */
  private readonly past: { taken: number; lost: number } = { taken: 0, lost: 0 };

  constructor(options: WatchOptions) {
    this.options = options;
    this.config = options.config;
    const config = (): WatchConfig => this.config;
    this.investigations = new Investigations(options.onBug);
    this.book = new IncidentBook({
      store: options.store,
      networks: () => this.config.incidents.networks,
      onChange: (incident) => this.emit({ type: 'incident', incident }),
      onTrouble: (error) => this.trouble(error),
    });
    this.incidentDesk = new IncidentDesk({
      config,
      book: this.book,
      desk: () => this.desk,
      investigations: this.investigations,
      wantsFate: () => this.wantsFate(),
      onFate: (fate) => this.emit({ type: 'fate', fate }),
      onNotSeen: (missing) => this.note(missing),
      processOf: (service) => this.processOf(service),
      repairer: options.repairer,
      onBug: options.onBug,
    });
    this.incidentDesk.namespacesOf = ({ namespace }) => this.namespaces.filter(({ spec }) => spec === namespace);
    this.desk = new FailureDesk(config, this.counts, this.incidentDesk);
    this.warnings = new EarlyWarnings(
      config,
      this.book,
      () => this.namespaces,
      (causeId) => options.repairer?.prepare?.(causeId),
    );
    this.owner = {
      sinkOf: (namespace) => this.desk.sinkOf(namespace),
      budget: () => this.config.budget.handshakesPerSecond,
      onNetworkChange: () => this.warnings.soon(),
      floodLimit: () => this.config.incidents.floodSyns,
      onFlood: (namespace, flood) => {
        if (this.config.listeners.enabled) this.incidentDesk.onFlood(namespace, flood);
      },
      onCounted: ({ spec }, port, connections) => this.counts.add(spec, 'inbound', port, 'answered', connections),
      onBug: options.onBug,
    };
  }

  /** Takes up the incidents that an earlier watch left open; {@link start} does it unless it was done. */
  resume(): Promise<void> {
    this.resumed ??= this.book.start();
    return this.resumed;
  }

  /** Resolves when everything that can be seen is watched: what happens from now on is not missed. */
  async start(): Promise<void> {
    await this.resume();
    await this.scan();
    this.warnings.look();
    // The first failure shall not wait for it.
    void import('../../causes/index.ts');
    this.timer = setInterval(() => this.tick(), TICK_MS);
    try {
      this.folder = watchFolder(NAMED_NAMESPACES, () => {
        this.soon ??= setTimeout(() => {
          this.soon = undefined;
          void this.scan(true).catch(this.options.onBug);
        }, NAMED_MS);
      });
      this.folder.on('error', () => this.folder?.close());
    } catch (error) {
      // Nobody has named a namespace yet: the next look at processes finds them.
      if (!isSystemError(error)) throw error;
    }
  }

  /** Ends everything, and leaves nothing behind. Open incidents stay open: the next watch goes on with them. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.folder?.close();
    clearTimeout(this.soon);
    this.warnings.stop();
    await this.scanning;
    await this.investigations.stop();
    await this.incidentDesk.stop();
    await this.options.repairer?.stop?.();
    await Promise.all([...this.byInode.values()].map((one) => one.stop()));
    await this.saveCounts(true);
    await this.book.stop();
  }

  /** Takes another configuration, as far as it can change while the watch runs. */
  reload(config: WatchConfig): void {
    this.config = config;
    void this.scan().catch(this.options.onBug);
  }

  /** Puts what a person or a policy did on an incident. */
  addRepair(incidentId: number, repairs: Incident['repairs']): void {
    this.book.open.find(({ id }) => id === incidentId)?.addRepairs(repairs);
    this.book.changed(true);
  }

  get namespaces(): readonly NamespaceWatch[] {
    return [...this.byInode.values()];
  }

  status(): WatchStatus {
    const namespaces = this.namespaces;
    const sum = (of: (one: NamespaceWatch) => number): number =>
      namespaces.reduce((total, namespace) => total + of(namespace), 0);
    return {
      version: this.options.version,
      hostname: hostname(),
      startedNs: this.startedNs,
      nowNs: wallNs(),
      namespaces: namespaces.map(({ spec }) => spec),
      notSeen: [...this.missing.values(), ...namespaces.flatMap(({ notSeen }) => notSeen), ...this.shares()],
      capture: {
        taken: this.past.taken + sum(({ attempts }) => attempts.packets),
        lost: this.past.lost + sum(({ lost }) => lost),
        openAttempts: sum(({ attempts }) => attempts.open),
        capturing: namespaces.filter(({ captures }) => captures).length,
      },
      totals: { ...this.counts.totals },
      openIncidents: this.book.open.length,
    };
  }

  listeners(): readonly ListenerHealth[] {
    const minute = this.counts.lastMinute('inbound');
    const open = this.book.open.filter(({ service }) => service.direction === 'inbound');
    return this.namespaces.flatMap(({ spec, listeners }) =>
      listeners.listeners.map(({ address, port, waiting, limit, drops, inode }): ListenerHealth => {
        const process = this.owners.nameOf(inode);
        return {
          service: {
            direction: 'inbound',
            namespace: spec,
            ...(address === undefined ? {} : { address }),
            port,
            ...(process === undefined ? {} : { process }),
          },
          acceptQueue: { waiting, limit },
          drops,
          lastMinute: minute.get(`${spec} ${port}`) ?? { answered: 0, refused: 0, failed: 0 },
          openIncidents: open
            .filter(({ service }) => service.namespace === spec && service.port === port)
            .map(({ id }) => id),
        };
      }),
    );
  }

  openIncidents(): readonly Incident[] {
    return this.book.incidents();
  }

  subscribe(listener: (event: WatchEvent) => void): () => void {
    this.listenersOf.add(listener);
    return () => this.listenersOf.delete(listener);
  }

  private emit(event: WatchEvent): void {
    for (const listener of this.listenersOf) {
      try {
        listener(event);
      } catch (error) {
        this.options.onBug(error);
      }
    }
  }

  private tick(): void {
    try {
      const isOthersTurn = this.ticks++ % OTHER_TICKS === 0;
      void this.scan().catch(this.options.onBug);
      for (const namespace of this.namespaces) {
        if (namespace.spec === 'local' || isOthersTurn) this.refreshListeners(namespace);
      }
      this.warnings.look();
      this.incidentDesk.tick();
      this.book.changed();
      void this.saveCounts(false);
      if (this.listenersOf.size > 0) this.emit({ type: 'listeners', listeners: this.listeners() });
      this.retain();
    } catch (error) {
      this.options.onBug(error);
    }
  }

  private refreshListeners(namespace: NamespaceWatch): void {
    try {
      namespace.listeners.refresh();
      void this.owners.find(namespace.listeners.listeners.map(({ inode }) => inode)).catch(this.options.onBug);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.note([{ reason: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }]);
    }
  }

  /** @param named whether only names are looked at: that is quick, and nothing is let go of. */
  private scan(named: boolean = false): Promise<void> {
    this.scanning ??= this.scanOnce(named).finally(() => {
      this.scanning = undefined;
    });
    return this.scanning;
  }

  /** Begins to watch namespaces that came, and lets go of those that are gone. */
  private async scanOnce(named: boolean): Promise<void> {
    const { include, exclude, limit } = this.config.namespaces;
    // Who asks for names only needs no look at processes.
    const byProcess = include.some((pattern) => pattern.startsWith('pid:') || pattern.startsWith('*'));
    const all = named || !byProcess ? namedNamespaces() : this.scanner.scan();
    const found = all.filter(({ spec }) => isWanted(spec, include, exclude));
    const inodes = new Set(found.map(({ inode }) => inode));
    for (const [inode, namespace] of this.byInode) {
      if (named || inodes.has(inode)) continue;
      this.byInode.delete(inode);
      this.past.taken += namespace.attempts.packets;
      this.past.lost += namespace.lost;
      await namespace.stop();
    }
    for (const inode of this.refused) if (!named && !inodes.has(inode)) this.refused.delete(inode);
    for (const one of found) {
      if (this.byInode.has(one.inode) || this.refused.has(one.inode)) continue;
      if (this.byInode.size >= limit) {
        this.note([{ reason: `there are more than ${limit} network namespaces`, hint: 'set namespaces.limit' }]);
        return;
      }
      await this.add(one);
    }
  }

  private async add({ inode, spec, path }: FoundNamespace): Promise<void> {
    try {
      const access = await openAccess(spec, path);
      const namespace = new NamespaceWatch(access, this.owner, spec === 'local' ? MAIN_ROOM : OTHER_ROOM);
      await namespace.start();
      this.byInode.set(inode, namespace);
      void this.owners.find(namespace.listeners.listeners.map((one) => one.inode)).catch(this.options.onBug);
    } catch (error) {
      // It may be gone by now: then nobody misses it.
      if (error instanceof InputError && error.code === 'not-found') return;
      if (isSystemError(error) && error.code === 'ENOENT') return;
      if (!(error instanceof HostError) && !(error instanceof InputError) && !isSystemError(error)) throw error;
      this.refused.add(inode);
      this.note([{ reason: 'other network namespaces cannot be entered', hint: 'run as root (CAP_SYS_ADMIN)' }]);
    }
  }

  /** Ports of which only a share is captured. */
  private shares(): NotSeen[] {
    return this.namespaces.flatMap(({ spec, attempts }) => {
      const { sampled, restShift } = attempts.rates.sampled;
      const where = spec === 'local' ? '' : ` (${spec})`;
      return [
        ...sampled.map(({ port, shift }) => ({
          reason: `port ${port} has so many handshakes that one in ${2 ** shift} is looked at${where}`,
        })),
        ...(restShift === 0
          ? []
          : [{ reason: `there are so many handshakes that one in ${2 ** restShift} is looked at${where}` }]),
      ];
    });
  }

  private async saveCounts(isLast: boolean): Promise<void> {
    const counts = this.counts.turn(Date.now(), isLast).filter(({ service }) => this.isOfInterest(service));
    if (counts.length === 0) return;
    this.emit({ type: 'counts', counts });
    try {
      await this.options.store.addCounts(counts);
    } catch (error) {
      this.trouble(error);
    }
  }

  private isOfInterest({ direction, port }: IncidentService): boolean {
    const { enabled, ports, ignorePorts } = direction === 'inbound' ? this.config.listeners : this.config.outbound;
    if (!enabled || port === undefined) return enabled;
    return (ports.length === 0 || includesPort(ports, port)) && !includesPort(ignorePorts, port);
  }

  private retain(): void {
    const now = Date.now();
    if (now - this.retainedMs < RETAIN_MS) return;
    this.retainedMs = now;
    this.options.store.retain(this.config.retention).catch((error: unknown) => this.trouble(error));
  }

  private processOf({ namespace, port, direction }: IncidentService): string | undefined {
    if (direction === 'outbound') return undefined;
    for (const { spec, listeners } of this.namespaces) {
      if (spec !== namespace) continue;
      const listener = listeners.listeners.find((one) => one.port === port);
      if (listener !== undefined) return this.owners.nameOf(listener.inode);
    }
    return undefined;
  }

  private wantsFate(): boolean {
    if (this.listenersOf.size === 0) return false;
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.fateSecond) {
      this.fateSecond = second;
      this.fates = 0;
    }
    return this.fates++ < FATES_PER_SECOND;
  }

  private trouble(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.note([{ reason: `the history cannot be written: ${reason}` }]);
  }

  private note(missing: readonly NotSeen[]): void {
    for (const one of missing) if (this.missing.size < MAX_NOT_SEEN) this.missing.set(one.reason, one);
  }
}
