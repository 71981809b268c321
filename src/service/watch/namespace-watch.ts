import { type HostCapture, HostError } from '../../host/host.ts';
import { keepFromChildren } from '../../host/system.ts';
import { MAX_WIDE_PORTS, watchFilter } from '../../host/watch-filter.ts';
import type { NotSeen } from '../../model/diagnosis.ts';
import type { Side } from '../../model/facts/attempt.ts';
import { type AttemptSink, AttemptWatch } from './attempt-watch.ts';
import { ListenerTable } from './listener-table.ts';
import type { NamespaceAccess } from './namespace-access.ts';
import { NetworkState } from './network-state.ts';
import { PortUseWatch } from './port-use.ts';
import { ProcSnapshots } from './proc-snapshots.ts';
import { RecentAnswers } from './recent-answers.ts';
import { wallNs } from './wall-clock.ts';

/** How much memory a namespace may have. */
export interface NamespaceRoom {
  /** Attempts that are open at once. */
  readonly attempts: number;
  readonly historyBytes: number;
  readonly ringBytes: number;
}

const MIB = 1024 * 1024;
/** Of the namespace in which most of the traffic is expected, and of each other. */
export const MAIN_ROOM: NamespaceRoom = { attempts: 65_536, historyBytes: 2 * MIB, ringBytes: 4 * MIB };
export const OTHER_ROOM: NamespaceRoom = { attempts: 16_384, historyBytes: MIB / 2, ringBytes: MIB };

/** Packets are handed over after so long: an attempt is looked at after 150 ms. */
const HAND_OVER_MS = 50;
/** Open attempts are looked at this often at most. */
const LOOK_MS = 50;
/** Counters are read again so long after packets came. */
const SNAPSHOT_MS = 1500;

/** What a {@link NamespaceWatch} asks of the watch that it is part of. */
export interface NamespaceOwner {
  sinkOf(namespace: NamespaceWatch): AttemptSink;
  /** Attempts a second that may be captured of one port. */
  budget(): number;
  onNetworkChange(namespace: NamespaceWatch): void;
}

/** Everything that is followed of one network namespace. */
export class NamespaceWatch {
  readonly spec: string;
  readonly access: NamespaceAccess;
  readonly attempts: AttemptWatch;
  readonly network: NetworkState;
  readonly listeners: ListenerTable;
  readonly portUse: PortUseWatch;
  readonly answers: RecentAnswers = new RecentAnswers();
  readonly notSeen: NotSeen[] = [];
  snapshots: ProcSnapshots | undefined;
  private readonly owner: NamespaceOwner;
  private readonly room: NamespaceRoom;
  private capture: HostCapture | undefined;
  private readonly wide: Map<number, number> = new Map();
  private looking: ReturnType<typeof setTimeout> | undefined;
  private lookAtMs = 0;
  private snapshotTimer: ReturnType<typeof setTimeout> | undefined;
  private pumping: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(access: NamespaceAccess, owner: NamespaceOwner, room: NamespaceRoom) {
    this.spec = access.spec;
    this.access = access;
    this.owner = owner;
    this.room = room;
    const enter = <T>(run: () => T): T => access.enter(run);
    this.network = new NetworkState(enter, () => owner.onNetworkChange(this));
    this.listeners = new ListenerTable(enter);
    this.portUse = new PortUseWatch(enter);
    this.attempts = new AttemptWatch(owner.sinkOf(this), this.network.local, room.attempts, room.historyBytes);
  }

  get captures(): boolean {
    return this.capture !== undefined;
  }

  /** Packets that the capture lost. */
  get lost(): number {
    return this.capture?.lost() ?? 0;
  }

  /** Starts every part that can be had; those that cannot are named in {@link notSeen}. */
  async start(): Promise<void> {
    const enter = <T>(run: () => T): T => this.access.enter(run);
    this.tryPart(() => this.network.start());
    this.tryPart(() => this.listeners.refresh());
    this.tryPart(() => {
      this.snapshots = new ProcSnapshots(enter);
      this.snapshots.take();
    });
    try {
      this.capture = await this.access.host.capture({
        filter: this.filter(),
        bufferBytes: this.room.ringBytes,
        handOverMs: HAND_OVER_MS,
      });
      await this.capture.ready;
      keepFromChildren(this.attempts.table.rows.buffer as ArrayBuffer);
      this.pumping = this.pump(this.capture);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.miss(error);
    }
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    clearTimeout(this.looking);
    clearTimeout(this.snapshotTimer);
    this.attempts.stop();
    this.capture?.stop(true);
    await this.pumping;
    this.network.stop();
    this.listeners.close();
    this.snapshots?.close();
    await this.access.close();
  }

  /** Takes the ACKs of a port as well from now on; of many ports the latest ones. */
  widen(port: number): void {
    const isNew = !this.wide.has(port);
    this.wide.delete(port);
    this.wide.set(port, Date.now());
    if (this.wide.size > MAX_WIDE_PORTS) {
      const [oldest] = this.wide.keys();
      if (oldest !== undefined) this.wide.delete(oldest);
    }
    if (isNew) this.setFilter();
  }

  narrow(port: number): void {
    if (this.wide.delete(port)) this.setFilter();
  }

  /** Which end of an attempt this namespace is. */
  sideOf(direction: 'inbound' | 'outbound'): Side {
    return direction === 'inbound' ? 'server' : 'client';
  }

  private filter(): Uint8Array {
    const { sampled, restShift } = this.attempts.rates.sampled;
    const hot = new Set(sampled.map(({ port }) => port));
    return watchFilter({ sampled, restShift, wide: [...this.wide.keys()].filter((port) => !hot.has(port)) });
  }

  private setFilter(): void {
    if (!this.stopped) this.capture?.setFilter?.(this.filter());
  }

  private async pump(capture: HostCapture): Promise<void> {
    try {
      for await (const chunk of capture.chunks) {
        if (this.stopped) continue;
        this.attempts.push(chunk);
        if (this.attempts.rates.look(Date.now(), this.owner.budget())) {
          this.setFilter();
          this.attempts.forgetUnsampled();
        }
        this.lookSoon(LOOK_MS);
        this.snapshotTimer ??= setTimeout(() => {
          this.snapshotTimer = undefined;
          if (!this.stopped) this.snapshots?.take();
        }, SNAPSHOT_MS);
      }
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.miss(error);
    }
  }

  /** Looks at open attempts then, or earlier when that was planned. */
  private lookSoon(afterMs: number): void {
    const atMs = Date.now() + afterMs;
    if (this.looking !== undefined && this.lookAtMs <= atMs) return;
    clearTimeout(this.looking);
    this.lookAtMs = atMs;
    this.looking = setTimeout(() => {
      this.looking = undefined;
      if (this.stopped) return;
      const now = wallNs();
      const next = this.attempts.look(now);
      if (next !== undefined) this.lookSoon(Math.max(LOOK_MS, Number((next - now) / 1_000_000n)));
    }, afterMs);
  }

  private tryPart(start: () => void): void {
    try {
      start();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.miss(error);
    }
  }

  private miss({ message, hint }: HostError): void {
    const where = this.spec === 'local' ? '' : ` (${this.spec})`;
    this.notSeen.push({ reason: `${message}${where}`, ...(hint === undefined ? {} : { hint }) });
  }
}
