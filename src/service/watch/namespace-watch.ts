import { cookedHeader, type PacketHistory } from '../../collect/watch/packet-history.ts';
import { HostError } from '../../host/host.ts';
import { keepFromChildren } from '../../host/system.ts';
import { MAX_WIDE_PORTS, watchFilter } from '../../host/watch-filter.ts';
import type { NotSeen } from '../../model/diagnosis.ts';
import type { Side } from '../../model/facts/attempt.ts';
import { type AttemptSink, AttemptWatch } from './attempt-watch.ts';
import { CaptureSet } from './capture-set.ts';
import { type Flood, FloodCheck } from './flood-check.ts';
import { ListenerTable } from './listener-table.ts';
import { LoopbackWatch } from './loopback-watch.ts';
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
  /** Of the ring as long as little comes, and then. */
  readonly ringBytes: number;
  readonly busyRingBytes: number;
}

const MIB = 1024 * 1024;
/** Of the namespace in which most of the traffic is expected, and of each other. */
export const MAIN_ROOM: NamespaceRoom = {
  attempts: 65_536,
  historyBytes: 2 * MIB,
  ringBytes: MIB,
  busyRingBytes: 4 * MIB,
};
export const OTHER_ROOM: NamespaceRoom = {
  attempts: 16_384,
  historyBytes: MIB / 2,
  ringBytes: MIB / 8,
  busyRingBytes: MIB,
};

/** Rings for single interfaces at most; with more interfaces there is one for all. */
const MAX_RINGS = 4;
const LOOPBACK = 1;
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
  /** SYNs a second that are no flood. */
  floodLimit(): number;
  onFlood(namespace: NamespaceWatch, flood: Flood): void;
  /** Connections of a port that the kernel counted while the packets of a busy loopback were not looked at. */
  onCounted(namespace: NamespaceWatch, port: number, connections: number): void;
  onBug(error: unknown): void;
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
  readonly floods: FloodCheck = new FloodCheck();
  readonly loopback: LoopbackWatch;
  snapshots: ProcSnapshots | undefined;
  private readonly missing: NotSeen[] = [];
  private readonly owner: NamespaceOwner;
  private readonly capture: CaptureSet;
  private captureBegan = false;
  private readonly wide: Map<number, number> = new Map();
  private looking: ReturnType<typeof setTimeout> | undefined;
  private lookAtMs = 0;
  private snapshotTimer: ReturnType<typeof setTimeout> | undefined;
  private splitDevices = '';
  private stopped = false;
  /** Lets programs that are started have the memory of the attempts again. */
  private giveBack: () => void = () => {};

  constructor(access: NamespaceAccess, owner: NamespaceOwner, room: NamespaceRoom) {
    this.spec = access.spec;
    this.access = access;
    this.owner = owner;
    const enter = <T>(run: () => T): T => access.enter(run);
    this.network = new NetworkState(enter, () => {
      this.followDevices();
      owner.onNetworkChange(this);
    });
    this.capture = new CaptureSet({
      host: access.host,
      bufferBytes: room.ringBytes,
      busyBufferBytes: room.busyRingBytes,
      handOverMs: HAND_OVER_MS,
      onChunk: (chunk) => this.take(chunk),
      onError: (error) => {
        if (!(error instanceof HostError)) throw error;
        this.miss(error);
      },
    });
    this.listeners = new ListenerTable(enter);
    this.portUse = new PortUseWatch(enter);
    this.attempts = new AttemptWatch(owner.sinkOf(this), this.network.local, room.attempts, room.historyBytes);
    this.loopback = new LoopbackWatch({
      capture: this.capture,
      attempts: this.attempts,
      snapshots: () => this.snapshots,
      onCounted: (port, connections) => owner.onCounted(this, port, connections),
      onBug: (error) => owner.onBug(error),
    });
  }

  /** What is not watched, and why. */
  get notSeen(): readonly NotSeen[] {
    return [...this.missing, ...this.loopback.notSeen(this.where)];
  }

  get captures(): boolean {
    return this.captureBegan;
  }

  /** Packets that the capture lost. */
  get lost(): number {
    return this.capture.lost();
  }

  /** Starts every part that can be had; those that cannot are named in {@link NamespaceWatch.notSeen}. */
  async start(): Promise<void> {
    const enter = <T>(run: () => T): T => this.access.enter(run);
    this.tryPart(() => this.network.start());
    this.tryPart(() => this.listeners.refresh());
    this.tryPart(() => {
      this.snapshots = new ProcSnapshots(enter);
      this.snapshots.take();
    });
    try {
      await this.capture.start(this.filter());
      this.captureBegan = true;
      this.giveBack = keepFromChildren(this.attempts.table.rows.buffer as ArrayBuffer);
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
    this.loopback.stop();
    this.attempts.stop();
    await this.capture.stop();
    this.network.stop();
    this.listeners.close();
    this.snapshots?.close();
    this.giveBack();
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
    if (!this.stopped) this.capture.setFilter(this.filter());
  }

  private take(chunk: Uint8Array): void {
    if (this.stopped) return;
    this.attempts.push(chunk);
    const { rates } = this.attempts;
    if (rates.look(Date.now(), this.owner.budget())) {
      this.setFilter();
      this.attempts.forgetUnsampled();
      this.chooseRings();
    }
    const flood = this.floods.look(this, this.owner.floodLimit());
    if (flood !== undefined) this.owner.onFlood(this, flood);
    this.lookSoon(LOOK_MS);
    this.snapshotTimer ??= setTimeout(() => {
      this.snapshotTimer = undefined;
      if (!this.stopped) this.snapshots?.take();
    }, SNAPSHOT_MS);
  }

  /** Where most of much traffic is on loopback, the others get rings of their own; one ring again when it has calmed down. */
  private chooseRings(): void {
    const { sampled, restShift } = this.attempts.rates.sampled;
    const isBusy = sampled.length > 0 || restShift > 0;
    if (this.capture.isSplit) {
      if (!isBusy && !this.loopback.isResting) this.unsplit();
    } else if (isBusy && loopbackShare(this.attempts.history) > 0.5) this.split();
  }

  private split(): void {
    const devices = this.network.runningDevices.filter((index) => index !== LOOPBACK);
    if (devices.length > MAX_RINGS) {
      this.unsplit();
      return;
    }
    this.splitDevices = devices.join(' ');
    void this.capture.use(devices);
    this.loopback.start();
  }

  private unsplit(): void {
    this.loopback.stop();
    void this.capture.use(undefined);
  }

  /** A ring of one interface ends with it: others are made when interfaces come, go, or were down. */
  private followDevices(): void {
    if (!this.capture.isSplit || this.stopped) return;
    if (this.network.runningDevices.filter((index) => index !== LOOPBACK).join(' ') !== this.splitDevices) this.split();
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
    this.missing.push({ reason: `${message}${this.where}`, ...(hint === undefined ? {} : { hint }) });
  }

  private get where(): string {
    return this.spec === 'local' ? '' : ` (${this.spec})`;
  }
}

/** How much of the latest packets went over loopback. */
function loopbackShare(history: PacketHistory): number {
  let all = 0;
  let ours = 0;
  for (const packet of history.packets()) {
    all++;
    if (cookedHeader(packet)?.interfaceIndex === LOOPBACK) ours++;
  }
  return all === 0 ? 0 : ours / all;
}
