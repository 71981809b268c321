import { parseProtocolCounters } from '../../formats/procfs/protocol-counters.ts';
import type { NamespaceWatch } from './namespace-watch.ts';

/** A flood, as it is now. */
export interface Flood {
  /** The port with most of it; absent when it goes to many. */
  readonly port?: number;
  /** SYNs a second. */
  readonly rate: number;
  /** SYNs since the last look that led to no connection. */
  readonly attempts: number;
}

/** Handshakes are judged over so long at least. */
const LOOK_MS = 1000;
/** A flood completes a smaller share of its handshakes than this. */
const COMPLETED_SHARE = 0.2;
/** Failures of a flood come in until its attempts have been judged. */
const AFTER_MS = 10_000;

/**
 * Tells a flood from a busy server by what becomes of its SYNs: connections that were accepted are counted by the kernel
 * (`PassiveOpens`), also where SYN cookies answer all of them.
 */
export class FloodCheck {
  private before: { readonly atMs: number; readonly opened: number } | undefined;
  private readonly until: Map<number | undefined, number> = new Map();

  /** Whether a port is under a flood, or was a moment ago. */
  isFlooded(port: number): boolean {
    const now = Date.now();
    return (this.until.get(port) ?? 0) > now || (this.until.get(undefined) ?? 0) > now;
  }

  /** Looks at most once a second. @param limit SYNs a second that are no flood. */
  look({ attempts, snapshots }: NamespaceWatch, limit: number): Flood | undefined {
    const { rates } = attempts;
    const busiest = rates.busyPorts.toSorted((a, b) => b.rate - a.rate)[0];
    const rate = Math.max(busiest?.rate ?? 0, rates.restRate);
    if (rate <= limit) {
      this.before = undefined;
      return undefined;
    }
    const now = Date.now();
    if (this.before !== undefined && now - this.before.atMs < LOOK_MS) return undefined;
    snapshots?.take();
    const opened = parseProtocolCounters(snapshots?.latest('/proc/net/snmp') ?? '').get('TcpPassiveOpens');
    if (opened === undefined) return undefined;
    const { before } = this;
    this.before = { atMs: now, opened };
    if (before === undefined) return undefined;
    const port = busiest !== undefined && busiest.rate === rate ? busiest.port : undefined;
    // What this host sends out is answered, or not, elsewhere.
    const syns = ((rate * (now - before.atMs)) / 1000) * attempts.inboundShare(port);
    const completed = opened - before.opened;
    if (syns < (limit * (now - before.atMs)) / 1000 || completed >= COMPLETED_SHARE * syns) return undefined;
    this.until.set(port, now + AFTER_MS);
    return { ...(port === undefined ? {} : { port }), rate, attempts: Math.round(syns - completed) };
  }
}
