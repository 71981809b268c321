import type { HandshakeCounts, IncidentService } from '../../model/incident.ts';

const INTERVAL_MS = 10_000;
/** Intervals that make up the last minute. */
const MINUTE = 6;
/** Services that are told apart in one interval; the others are summed up by direction. */
const MAX_SERVICES = 2000;

/** What became of an attempt. */
export type Fate = 'answered' | 'refused' | 'failed';

interface Tally {
  readonly service: IncidentService;
  answered: number;
  refused: number;
  failed: number;
}

/** Counts handshakes by service in intervals of ten seconds. */
export class ServiceCounts {
  readonly totals: { answered: number; refused: number; failed: number } = { answered: 0, refused: 0, failed: 0 };
  private now: Map<string, Tally> = new Map();
  private readonly past: (readonly Tally[])[] = [];
  private beganMs: number = Date.now();

  /** @param weight how many attempts it stands for. */
  add(namespace: string, direction: 'inbound' | 'outbound', port: number, fate: Fate, weight: number): void {
    this.totals[fate] += weight;
    const key = `${direction} ${port} ${namespace}`;
    let tally = this.now.get(key);
    if (tally === undefined) {
      const isFull = this.now.size >= MAX_SERVICES;
      const otherKey = `${direction} ${namespace}`;
      tally = isFull ? this.now.get(otherKey) : undefined;
      if (tally === undefined) {
        tally = {
          service: { direction, namespace, ...(isFull ? {} : { port }) },
          answered: 0,
          refused: 0,
          failed: 0,
        };
        this.now.set(isFull ? otherKey : key, tally);
      }
    }
    tally[fate] += weight;
  }

  /** Ends the interval when its time has come. @returns what was counted in it. */
  turn(nowMs: number, isLast: boolean = false): readonly HandshakeCounts[] {
    const intervalMs = nowMs - this.beganMs;
    if (intervalMs < INTERVAL_MS && !isLast) return [];
    const tallies = [...this.now.values()];
    this.past.push(tallies);
    if (this.past.length > MINUTE) this.past.shift();
    this.now = new Map();
    const atNs = BigInt(this.beganMs) * 1_000_000n;
    this.beganMs = nowMs;
    return tallies.map((tally) => ({ atNs, intervalMs, ...tally }));
  }

  /** Sums of the last minute, by namespace and port. */
  lastMinute(
    direction: 'inbound' | 'outbound',
  ): ReadonlyMap<string, { answered: number; refused: number; failed: number }> {
    const sums = new Map<string, { answered: number; refused: number; failed: number }>();
    for (const tallies of [...this.past.slice(1 - MINUTE), [...this.now.values()]]) {
      for (const { service, answered, refused, failed } of tallies) {
        if (service.direction !== direction || service.port === undefined) continue;
        const key = `${service.namespace} ${service.port}`;
        const sum = sums.get(key) ?? { answered: 0, refused: 0, failed: 0 };
        sum.answered += answered;
        sum.refused += refused;
        sum.failed += failed;
        sums.set(key, sum);
      }
    }
    return sums;
  }
}
