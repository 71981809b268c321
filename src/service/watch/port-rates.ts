import { MAX_SAMPLED_PORTS, MAX_SHIFT, type SampledPort } from '../../host/watch-filter.ts';

/** A port is sampled less only when its rate has been low for so many looks in a row: a filter that changes all the time forgets much. */
const CALM_LOOKS = 40;
/** Ports are judged after so long. */
const LOOK_MS = 250;
/** An answer without its SYN is dropped at its first look, so so many of them cost as much as one attempt. */
const STRAYS_PER_ATTEMPT = 8;
/** All ports together may have so many times what one port may. */
const REST_FACTOR = 4;

interface Port {
  readonly port: number;
  shift: number;
  calm: number;
  /** SYN attempts a second, those that were left out included. */
  rate: number;
  /** The filter was changed at the last look: what came since is a mixture, and says nothing of the rate. */
  isSettling: boolean;
}

/** How many attempts begin at each port, and which ports have so many that a share of them must do. */
export class PortRates {
  /** By port, in units of a stray; made with the first attempt. */
  private begun: Uint32Array = new Uint32Array(0);
  private touched: number[] = [];
  private readonly busy: Map<number, Port> = new Map();
  private readonly rest: Port = { port: 0, shift: 0, calm: 0, rate: 0, isSettling: false };
  private sinceMs = 0;

  /** Counts an attempt that was captured; a stray is one whose SYN was not seen, such as what a host answers to a flood from forged addresses. */
  note(port: number, isStray: boolean): void {
    if (this.begun.length === 0) this.begun = new Uint32Array(65_536);
    const before = this.begun[port]!;
    this.begun[port] = before + (isStray ? 1 : STRAYS_PER_ATTEMPT);
    if (before === 0) this.touched.push(port);
  }

  /** Of 2 ** shift attempts to the port, one is captured. */
  shiftOf(port: number): number {
    return this.busy.get(port)?.shift ?? this.rest.shift;
  }

  /** Attempts a second by the last look; only known of ports with many. */
  rateOf(port: number): number {
    return this.busy.get(port)?.rate ?? 0;
  }

  /** All ports that are not told apart, in attempts a second. */
  get restRate(): number {
    return this.rest.rate;
  }

  /** What the filter of the capture is to sample. */
  get sampled(): { readonly sampled: readonly SampledPort[]; readonly restShift: number } {
    const sampled = [...this.busy.values()]
      .filter(({ shift }) => shift > 0)
      .map(({ port, shift }) => ({ port, shift }));
    return { sampled, restShift: this.rest.shift };
  }

  /** Ports with a rate worth naming. */
  get busyPorts(): readonly { readonly port: number; readonly rate: number; readonly shift: number }[] {
    return [...this.busy.values()];
  }

  /**
   * Takes stock.
   * @param budget attempts a second that may be captured of one port.
   * @returns whether the filter must change.
   */
  look(nowMs: number, budget: number): boolean {
    const elapsedMs = nowMs - this.sinceMs;
    if (this.sinceMs !== 0 && elapsedMs < LOOK_MS) return false;
    const first = this.sinceMs === 0;
    this.sinceMs = nowMs;
    let changed = false;
    let others = 0;
    const seconds = elapsedMs / 1000;
    const counts = new Map<number, number>();
    for (const port of this.touched) {
      const count = this.begun[port]! / STRAYS_PER_ATTEMPT;
      this.begun[port] = 0;
      if (this.busy.has(port)) counts.set(port, count);
      else if (!first && count / seconds > budget && this.busy.size < MAX_SAMPLED_PORTS) {
        this.busy.set(port, { port, shift: 0, calm: 0, rate: 0, isSettling: false });
        counts.set(port, count);
      } else others += count;
    }
    this.touched = [];
    if (first) return false;
    for (const entry of this.busy.values()) {
      const before = entry.shift;
      adapt(entry, (counts.get(entry.port) ?? 0) / seconds, budget);
      if (entry.shift !== before) changed = true;
      if (entry.shift === 0 && entry.calm > CALM_LOOKS) this.busy.delete(entry.port);
    }
    const before = this.rest.shift;
    adapt(this.rest, others / seconds, budget * REST_FACTOR);
    return changed || this.rest.shift !== before;
  }
}

function adapt(entry: Port, capturedRate: number, budget: number): void {
  if (entry.isSettling) {
    entry.isSettling = false;
    return;
  }
  const before = entry.shift;
  choose(entry, capturedRate, budget);
  entry.isSettling = entry.shift !== before;
}

function choose(entry: Port, capturedRate: number, budget: number): void {
  entry.rate = capturedRate * 2 ** entry.shift;
  const wanted = Math.min(MAX_SHIFT, Math.max(0, Math.ceil(Math.log2(entry.rate / budget))));
  if (wanted > entry.shift) {
    entry.shift = wanted;
    entry.calm = 0;
  } else if (wanted + 1 < entry.shift || (entry.rate < budget / 2 && wanted === 0)) {
    entry.calm++;
    if (entry.calm > CALM_LOOKS && entry.shift > 0) {
      entry.shift = wanted;
      entry.calm = 0;
    }
  } else entry.calm = 0;
}
