/**
 * How the packets of loopback are looked at: all of them, none for a while (only what the kernel counts), or for a moment, to see which ports
 * they go to and that all is well.
 */
export type LoopbackPhase = 'whole' | 'rest' | 'sample';

/** What the kernel has counted in a network namespace since it began. */
export interface LoopbackCounters {
  /** Connections that listeners got (`TcpPassiveOpens`). */
  readonly opened: number;
  /** Whatever counts when a handshake fails: SYNs and SYN-ACKs that were repeated, attempts that were refused or dropped. */
  readonly trouble: number;
}

/** How often the counters are looked at while loopback is busy. */
export const LOOPBACK_POLL_MS: number = 500;
/** Packets are looked at for so long, once in {@link LOOPBACK_CYCLE_MS}. */
export const LOOPBACK_SAMPLE_MS: number = 1000;
export const LOOPBACK_CYCLE_MS: number = 10_000;
/** Connections a second from which on loopback may rest. With fewer the packets cost little in all. */
const BUSY_OPENS = 2000;
/** So long it has been busy, and nothing was wrong, before it rests. */
const BUSY_MS = 2000;
/** After trouble was counted, all packets are looked at for so long: a client that is not answered repeats its SYN within it. */
const AWAKE_MS = 10_000;
/** Trouble may keep it awake for so long in a row, and beyond that for a fifth of the time: by then it has been looked at. */
const MOST_AWAKE_MS = 60_000;
const AWAKE_SHARE = 0.2;

/**
 * Decides when a busy loopback needs no packets. The kernel's tap costs every packet, whatever the filter says; and on loopback both ends of a
 * connection are this kernel's own, so that its counters tell of each handshake that is not answered: the client repeats its SYN
 * (`TcpExtTCPSynRetrans`), or the attempt is counted as failed (`TcpAttemptFails`).
 */
export class LoopbackRest {
  private current: LoopbackPhase = 'whole';
  private sinceMs = 0;
  private before: (LoopbackCounters & { readonly atMs: number }) | undefined;
  private busySinceMs: number | undefined;
  private awakeUntilMs = 0;
  private mayWakeMs: number = MOST_AWAKE_MS;
  /** Trouble a second that goes on although it was looked at: that of other interfaces, or of a failure that is known. */
  private usual = 0;

  get phase(): LoopbackPhase {
    return this.current;
  }

  /**
   * Takes what the kernel has counted by now.
   * @param mayRest whether the packets of loopback can be left out, and none that was seen waits for its answer.
   */
  look(nowMs: number, counters: LoopbackCounters, mayRest: boolean): LoopbackPhase {
    const { before } = this;
    this.before = { ...counters, atMs: nowMs };
    if (before === undefined || nowMs <= before.atMs) return this.current;
    const seconds = (nowMs - before.atMs) / 1000;
    this.noteTrouble(nowMs, seconds, counters.trouble - before.trouble);
    const opens = (counters.opened - before.opened) / seconds;
    if (opens >= BUSY_OPENS) this.busySinceMs ??= before.atMs;
    else if (opens < BUSY_OPENS / 2) this.busySinceMs = undefined;
    const next = this.next(nowMs, mayRest);
    if (next !== this.current) this.sinceMs = nowMs;
    this.current = next;
    return next;
  }

  private next(nowMs: number, mayRest: boolean): LoopbackPhase {
    const { current, busySinceMs } = this;
    if (busySinceMs === undefined || nowMs < this.awakeUntilMs) return 'whole';
    // A timer that comes a little early has come.
    const elapsedMs = nowMs - this.sinceMs + LOOPBACK_POLL_MS / 2;
    if (current === 'rest') return elapsedMs >= LOOPBACK_CYCLE_MS - LOOPBACK_SAMPLE_MS ? 'sample' : 'rest';
    if (current === 'sample' && elapsedMs < LOOPBACK_SAMPLE_MS) return 'sample';
    return mayRest && nowMs - busySinceMs >= BUSY_MS ? 'rest' : 'whole';
  }

  /** Trouble wakes when it is more than usual; what lasts becomes usual, and what ends is forgotten. */
  private noteTrouble(nowMs: number, seconds: number, trouble: number): void {
    const isAwake = nowMs < this.awakeUntilMs;
    this.mayWakeMs = Math.min(MOST_AWAKE_MS, this.mayWakeMs + seconds * 1000 * (isAwake ? -1 : AWAKE_SHARE));
    if (trouble > (this.usual === 0 ? 0 : 2 * this.usual * seconds + 3)) {
      if (this.mayWakeMs > 0) this.awakeUntilMs = nowMs + AWAKE_MS;
      else this.usual = Math.max(this.usual, trouble / seconds);
      return;
    }
    // By half in ten seconds.
    this.usual += (trouble / seconds - this.usual) * (1 - 0.5 ** (seconds / 10));
    if (this.usual < 0.05) this.usual = 0;
  }
}
