import { type CopyTable, copyAttempt, createCopyTable, releaseCopy } from '../handshake/attempt-copy.ts';
import { ROW, ROW_CLIENT, ROW_SEGMENTS, ROW_STATE, STATE_DUPLICATES } from '../handshake/attempt-layout.ts';
import { type AttemptTable, encapsulationOf } from '../handshake/attempt-table.ts';
import { DistinctCounters } from '../handshake/distinct.ts';
import { foldIpv6 } from '../handshake/fold-address.ts';
import { synCount } from '../handshake/outcome.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { ProbeTable } from './probe-table.ts';

/** An attempt that is kept to be shown. */
export interface AttemptExample {
  readonly table: AttemptTable;
  readonly row: number;
}

/** Attempts to one server that ended alike. */
export interface AttemptGroup {
  /** Number of the server in `ServerHistories`. */
  readonly server: number;
  readonly outcome: Outcome;
  readonly count: number;
  /** Distinct clients; an estimate beyond some tens. */
  readonly clients: number;
  /** Attempts without any repeated SYN: floods and scans do not retry. */
  readonly single: number;
  /** Start of the first and end of the last attempt, since the start of the capture. */
  readonly firstNs: number;
  readonly lastNs: number;
  /** The clearest attempts, best first. */
  examples(): AttemptExample[];
}

const MAX_EXAMPLES = 3;
/** Groups that appear after so many others keep one example: with so many, few are shown at all. */
const FULL_GROUPS = 1000;
/** More groups than this share the last one. */
const MAX_GROUPS = 200_000;
/** Attempts in one table of examples, and events that they may borrow: more than the longest of them needs. */
const TABLE_ROWS = 1024;
const TABLE_EVENTS = 8192;
/** A group: server, outcome and variant, then what is counted of it. */
const KEY = 3;
const COUNT = 3;
/** Floats: start of the first and end of the last attempt. */
const FIRST = 4;
const LAST = 6;
const SINGLE = 8;
/** How many examples there are; their numbers, best first; and how clear each is, a byte each from the lowest. */
const EXAMPLES = 9;
const EXAMPLE = 10;
const CLARITIES = EXAMPLE + MAX_EXAMPLES;
const GROUP = 14;

/** Groups by server, outcome and what else the sentence about them depends on. */
export class AttemptGroups {
  private readonly groups = new ProbeTable(MAX_GROUPS, KEY, GROUP);
  private readonly key = new Int32Array(KEY);
  private readonly clients = new DistinctCounters(MAX_GROUPS);
  private readonly examples = new AttemptExamples();

  /** Adds one ended attempt that began at `startNs` and ended at `endNs`, since the start of the capture. */
  add(
    table: AttemptTable,
    row: number,
    server: number,
    outcome: number,
    variant: number,
    startNs: number,
    endNs: number,
  ): void {
    const { rows } = table;
    const { key } = this;
    const base = row * ROW;
    key[0] = server;
    key[1] = outcome;
    key[2] = variant;
    const hash = Math.imul(server, 0x9e3779b1) ^ Math.imul(variant, 0xc2b2ae35) ^ outcome;
    const group = this.groups.find(key, hash);
    const { records, floats } = this.groups;
    const at = group * GROUP;
    const first = (at + FIRST) / 2;
    const last = (at + LAST) / 2;
    const isNew = records[at + COUNT]!++ === 0;
    if (synCount(rows, base) <= 1) records[at + SINGLE]!++;
    if (isNew || startNs < floats[first]!) floats[first] = startNs;
    if (isNew || endNs > floats[last]!) floats[last] = endNs;
    const client = base + ROW_CLIENT;
    this.clients.add(group, foldIpv6(rows[client]!, rows[client + 1]!, rows[client + 2]!, rows[client + 3]!));
    const most = group < FULL_GROUPS ? MAX_EXAMPLES : 1;
    const clarity = clarityOf(rows, base);
    if (records[at + EXAMPLES]! < most || clarity > clarityAt(records, at, most - 1)) {
      this.keepExample(at, most, this.examples.add(table, row), clarity);
    }
  }

  /** Every group, in order of first appearance. */
  all(): AttemptGroup[] {
    const { records, floats, used } = this.groups;
    return Array.from({ length: used }, (_, group) => {
      const at = group * GROUP;
      const count = records[at + COUNT]!;
      return {
        server: records[at]!,
        outcome: OUTCOMES[records[at + 1]!]!,
        count,
        clients: Math.min(count, this.clients.count(group)),
        single: records[at + SINGLE]!,
        firstNs: floats[(at + FIRST) / 2]!,
        lastNs: floats[(at + LAST) / 2]!,
        examples: () => this.examplesOf(at),
      };
    });
  }

  private examplesOf(at: number): AttemptExample[] {
    const { records } = this.groups;
    const numbers = records.subarray(at + EXAMPLE, at + EXAMPLE + records[at + EXAMPLES]!);
    return Array.from(numbers, (number) => this.examples.get(number));
  }

  /** Puts an example to its place among those of the group at `at`, behind those that are as clear. */
  private keepExample(at: number, most: number, example: number, clarity: number): void {
    const { records } = this.groups;
    const kept = records[at + EXAMPLES]!;
    let nth = kept;
    if (kept === most) this.examples.remove(records[at + EXAMPLE + --nth]!);
    else records[at + EXAMPLES] = kept + 1;
    for (; nth > 0 && clarity > clarityAt(records, at, nth - 1); nth--) {
      records[at + EXAMPLE + nth] = records[at + EXAMPLE + nth - 1]!;
      setClarity(records, at, nth, clarityAt(records, at, nth - 1));
    }
    records[at + EXAMPLE + nth] = example;
    setClarity(records, at, nth, clarity);
  }
}

/** How clear the nth example of the group at `at` is. */
function clarityAt(records: Int32Array, at: number, nth: number): number {
  return (records[at + CLARITIES]! >>> (nth * 8)) & 255;
}

function setClarity(records: Int32Array, at: number, nth: number, clarity: number): void {
  records[at + CLARITIES] = (records[at + CLARITIES]! & ~(255 << (nth * 8))) | (clarity << (nth * 8));
}

/** Copies of attempts, in tables that are added as they are needed; examples are numbers. */
class AttemptExamples {
  private readonly tables: CopyTable[] = [];
  /** Where there is likely to be room. */
  private current = 0;

  /** Keeps a copy of an attempt. */
  add(table: AttemptTable, row: number): number {
    for (;;) {
      const to = this.tables[this.current];
      const copy = to === undefined ? -1 : copyAttempt(table, row, to);
      if (copy >= 0) return this.current * TABLE_ROWS + copy;
      if (this.current >= this.tables.length - 1) {
        this.tables.push(createCopyTable(TABLE_ROWS, TABLE_EVENTS, table.encapsulations));
      }
      this.current = this.tables.length - 1;
    }
  }

  get(example: number): AttemptExample {
    return { table: this.tables[Math.floor(example / TABLE_ROWS)]!, row: example % TABLE_ROWS };
  }

  remove(example: number): void {
    this.current = Math.floor(example / TABLE_ROWS);
    releaseCopy(this.tables[this.current]!, example % TABLE_ROWS);
  }
}

/** The more segments an attempt shows, the clearer it is; copies of packets and tunnels only confuse. */
function clarityOf(rows: Int32Array, base: number): number {
  const confusing = (rows[base + ROW_STATE]! & STATE_DUPLICATES) !== 0 || encapsulationOf(rows, base) !== 0;
  return Math.min(rows[base + ROW_SEGMENTS]!, 8) * 2 + (confusing ? 0 : 1);
}
