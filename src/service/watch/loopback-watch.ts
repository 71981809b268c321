import { parseProtocolCounters } from '../../formats/procfs/protocol-counters.ts';
import type { NotSeen } from '../../model/diagnosis.ts';
import type { AttemptWatch } from './attempt-watch.ts';
import type { CaptureSet } from './capture-set.ts';
import {
  LOOPBACK_CYCLE_MS,
  LOOPBACK_POLL_MS,
  LOOPBACK_SAMPLE_MS,
  type LoopbackCounters,
  LoopbackRest,
} from './loopback-rest.ts';
import type { ProcSnapshots } from './proc-snapshots.ts';
import { wallNs } from './wall-clock.ts';

/** What a {@link LoopbackWatch} works with. */
export interface LoopbackParts {
  readonly capture: CaptureSet;
  readonly attempts: AttemptWatch;
  readonly snapshots: () => ProcSnapshots | undefined;
  /** Connections of a port of loopback that only the kernel counted. */
  readonly onCounted: (port: number, connections: number) => void;
  readonly onBug: (error: unknown) => void;
}

/** Counters of `/proc/net/netstat` that grow when a handshake is not answered, or a SYN is dropped. */
const TROUBLE: readonly string[] = [
  'TcpExtTCPSynRetrans',
  'TcpExtListenDrops',
  'TcpExtTCPReqQFullDrop',
  'TcpExtTCPReqQFullDoCookies',
];

/** Leaves the packets of a busy loopback alone for most of the time, as {@link LoopbackRest} says; begins and ends with a capture that is split. */
export class LoopbackWatch {
  private readonly parts: LoopbackParts;
  private rest: LoopbackRest = new LoopbackRest();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private openedBefore = 0;
  /** Connections since the packets were left out, and those of them that other interfaces brought. */
  private unseen = 0;
  private elsewhere = 0;
  /** What the ports of loopback got in the latest moment in which all was seen. */
  private ports: Map<number, number> = new Map();

  constructor(parts: LoopbackParts) {
    this.parts = parts;
  }

  /** What is left out now, for the list of what is not seen. */
  notSeen(where: string): NotSeen[] {
    if (this.rest.phase === 'whole' || this.timer === undefined) return [];
    const share = `${LOOPBACK_SAMPLE_MS / 1000} of ${LOOPBACK_CYCLE_MS / 1000} seconds`;
    return [
      {
        reason: `loopback has so many connections that their packets are looked at for ${share} only, and at once when the kernel counts a failure${where}`,
      },
    ];
  }

  /** Begins, where it has not begun. */
  start(): void {
    if (this.timer !== undefined) return;
    this.rest = new LoopbackRest();
    this.ports = new Map();
    this.timer = setTimeout(() => this.look(), LOOPBACK_POLL_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Whether packets of loopback are left out for a while. */
  get isResting(): boolean {
    return this.timer !== undefined && this.rest.phase !== 'whole';
  }

  /** Takes a connection that was seen. */
  onAnswered(row: number, port: number, weight: number): void {
    if (!this.isResting) return;
    if (this.parts.attempts.isOnLoopback(row)) this.ports.set(port, (this.ports.get(port) ?? 0) + weight);
    else if (this.rest.phase === 'rest') this.elsewhere += weight;
  }

  private look(): void {
    const counters = this.read();
    const before = this.rest.phase;
    if (counters !== undefined) {
      if (before === 'rest') this.unseen += counters.opened - this.openedBefore;
      this.openedBefore = counters.opened;
      const phase = this.rest.look(Date.now(), counters, !this.parts.attempts.isLoopbackInDoubt(wallNs()));
      if (phase !== before) void this.change(before, phase === 'rest').catch(this.parts.onBug);
    }
    this.timer = setTimeout(() => this.look(), LOOPBACK_POLL_MS);
  }

  private async change(before: string, rests: boolean): Promise<void> {
    const { capture, attempts } = this.parts;
    if (before === 'rest') this.tellUnseen();
    // What is seen from now on, or while answers are settled below, says what the next rest leaves out.
    if (before !== 'sample') this.ports = new Map();
    await capture.pauseLoopback(rests);
    // Their answers, or their silence, will not be seen.
    if (rests) attempts.settleLoopback();
    else this.parts.snapshots()?.take();
  }

  /** Shares what the kernel counted among the ports that were seen last. */
  private tellUnseen(): void {
    const connections = Math.max(0, this.unseen - this.elsewhere);
    this.unseen = 0;
    this.elsewhere = 0;
    const seen = [...this.ports.values()].reduce((sum, count) => sum + count, 0);
    for (const [port, count] of this.ports) {
      const share = Math.round((connections * count) / seen);
      if (share > 0) this.parts.onCounted(port, share);
    }
  }

  private read(): LoopbackCounters | undefined {
    const snapshots = this.parts.snapshots();
    const tcp = parseProtocolCounters(snapshots?.read('/proc/net/snmp') ?? '');
    const more = parseProtocolCounters(snapshots?.read('/proc/net/netstat') ?? '');
    const [opened, failed] = [tcp.get('TcpPassiveOpens'), tcp.get('TcpAttemptFails')];
    if (opened === undefined || failed === undefined) return undefined;
    return { opened, trouble: TROUBLE.reduce((sum, name) => sum + (more.get(name) ?? 0), failed) };
  }
}
