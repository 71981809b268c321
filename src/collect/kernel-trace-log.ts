import { parseFree, parseLookup, parseNeighbour, parseTcpEvent } from '../formats/tracefs/trace-arguments.ts';
import { lostEvents, parseTraceLine, type TraceLine } from '../formats/tracefs/trace-line.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import { eventsOf, type TraceWindow } from './kernel-trace-match.ts';
import type { LookupRecord, Moment, TcpRecord, TracedEnd, TraceRecord } from './kernel-trace-records.ts';

/** Records that are kept: a busy server makes some thousands a second. */
const RECORDS = 20_000;
/** Kinds of drops that are told apart. */
const DROP_KINDS = 256;
/** Packets that can end between a lookup and the end of its SYN. */
const ENDS = 4;
/** The work on one packet is over by then; what comes later on the CPU belongs to another. */
const TOGETHER_US = 1000;
/** A line is cut there: no event is as long. */
const LINE_CHARACTERS = 2000;

interface OnCpu {
  lookup?: LookupRecord;
  tcp?: TcpRecord;
  ends: TracedEnd[];
}

/** Remembers what the tracepoints said, and tells it of one attempt. */
export class KernelTraceLog {
  private readonly decoder = new TextDecoder();
  private rest = '';
  private records: TraceRecord[] = [];
  private readonly drops = new Map<string, { reason: string; location: string; count: number }>();
  private readonly cpus = new Map<number, OnCpu>();
  private lost = false;

  /** Takes what trace_pipe printed, cut anywhere. */
  push(chunk: Uint8Array): void {
    const lines = (this.rest + this.decoder.decode(chunk, { stream: true })).split('\n');
    this.rest = lines.pop()?.slice(0, LINE_CHARACTERS) ?? '';
    for (const line of lines) this.add(line.slice(0, LINE_CHARACTERS));
  }

  /** What is known of an attempt so far; `window` is its time, where that can be told. */
  traceOf(attempt: Attempt, window: TraceWindow | undefined): KernelTrace {
    return {
      events: eventsOf(this.records, attempt, window),
      drops: [...this.drops.values()].map((drop) => ({ ...drop })).sort((a, b) => b.count - a.count),
      overrun: this.lost,
    };
  }

  private add(text: string): void {
    if (lostEvents(text) > 0) {
      this.lost = true;
      // What came before and after the gap must not be joined.
      this.cpus.clear();
    }
    const line = parseTraceLine(text);
    if (line === undefined) return;
    if (line.event === 'kfree_skb') this.addDrop(line);
    else if (line.event === 'consume_skb') this.addConsumed(line);
    else if (line.event.endsWith('_table_lookup')) this.addLookup(line);
    else if (line.event.startsWith('neigh_')) this.addNeighbour(line);
    else this.addTcp(line);
  }

  private addLookup(line: TraceLine): void {
    // Our own questions show up as well: ip(8) asks them, in no softirq. The name of a task that has ended may be gone: `<...>`.
    if ((line.task === 'ip' || line.task === '<...>') && line.softirq !== true) return;
    const lookup = parseLookup(line.arguments);
    if (lookup === undefined) return;
    const record: LookupRecord = { kind: 'lookup', ...momentOf(line), lookup, dropped: [] };
    const cpu = this.onCpu(line.cpu);
    cpu.lookup = record;
    cpu.ends = [];
    this.keep(record);
  }

  private addTcp(line: TraceLine): void {
    const tcp = parseTcpEvent(line.arguments);
    if (tcp === undefined) return;
    const record: TcpRecord = { kind: 'tcp', ...momentOf(line), event: line.event, text: line.arguments, tcp };
    if (tcp.packet !== undefined) this.onCpu(line.cpu).tcp = record;
    this.keep(record);
  }

  private addNeighbour(line: TraceLine): void {
    const neighbour = parseNeighbour(line.arguments);
    if (neighbour?.state === 'failed') this.keep({ kind: 'neighbour', ...momentOf(line), neighbour });
  }

  private addDrop(line: TraceLine): void {
    const free = parseFree(line.arguments);
    // A route that is only asked for is asked with a packet that goes nowhere.
    if (free?.reason === undefined || /^inet6?_rtm_getroute$/.test(free.location)) return;
    this.count(free.reason, free.location);
    const cpu = this.onCpu(line.cpu);
    const end: TracedEnd = { ...momentOf(line), free };
    const { tcp, lookup } = cpu;
    if (tcp !== undefined && tcp.tcp.packet === free.packet && isTogether(tcp, end)) tcp.dropped ??= end;
    else if (lookup !== undefined && isTogether(lookup, end)) {
      // The check of the source is the last that is asked before the packet is dropped for it.
      if (free.reason === 'IP_RPFILTER' && lookup.dropped.length === 0) lookup.dropped.push(end);
      else if (cpu.ends.length < ENDS && !isInput(free.location)) cpu.ends.push(end);
    }
  }

  private addConsumed(line: TraceLine): void {
    const free = parseFree(line.arguments);
    const cpu = this.onCpu(line.cpu);
    const { lookup } = cpu;
    if (free !== undefined && lookup !== undefined && lookup.consumed === undefined) {
      const end: TracedEnd = { ...momentOf(line), free };
      if (isTogether(lookup, end)) {
        lookup.consumed = end;
        lookup.dropped.push(...cpu.ends);
      }
    }
    delete cpu.lookup;
    cpu.ends = [];
  }

  private count(reason: string, location: string): void {
    const key = `${reason} ${location}`;
    const known = this.drops.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.drops.size < DROP_KINDS) this.drops.set(key, { reason, location, count: 1 });
  }

  private keep(record: TraceRecord): void {
    this.records.push(record);
    if (this.records.length >= 2 * RECORDS) this.records = this.records.slice(-RECORDS);
  }

  private onCpu(number: number): OnCpu {
    let cpu = this.cpus.get(number);
    if (cpu === undefined) {
      cpu = { ends: [] };
      this.cpus.set(number, cpu);
    }
    return cpu;
  }
}

/** A function that takes packets in: what ends there is no answer (a retransmitted SYN, for one). */
function isInput(location: string): boolean {
  return /(^|_)rcv(_|$)/.test(location);
}

function momentOf({ cpu, timeUs }: TraceLine): Moment {
  return { cpu, timeUs };
}

function isTogether(earlier: Moment, later: Moment): boolean {
  return later.timeUs - earlier.timeUs >= 0 && later.timeUs - earlier.timeUs <= TOGETHER_US;
}
