import { type CopyTable, copyAttempt, createCopyTable, releaseCopy } from '../handshake/attempt-copy.ts';
import { ROW, ROW_CLIENT, ROW_SEGMENTS, ROW_STATE, STATE_DUPLICATES } from '../handshake/attempt-layout.ts';
import { type AttemptTable, encapsulationOf } from '../handshake/attempt-table.ts';
import { DistinctCounters } from '../handshake/distinct.ts';
import { foldIpv6 } from '../handshake/fold-address.ts';
import { synCount } from '../handshake/outcome.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { createProbeTable, type ProbeTable } from './probe-table.ts';

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
/** Words of a group's key: server, outcome, variant. */
const KEY = 3;

/** Groups by server, outcome and what else the sentence about them depends on; counted in columns. */
export class AttemptGroups {
  private readonly groups: ProbeTable = createProbeTable(MAX_GROUPS, KEY);
  private readonly key = new Int32Array(KEY);
  private readonly counts = new Int32Array(MAX_GROUPS);
  private readonly singles = new Int32Array(MAX_GROUPS);
  private readonly firstNs = new Float64Array(MAX_GROUPS);
  private readonly lastNs = new Float64Array(MAX_GROUPS);
  private readonly clients = new DistinctCounters(MAX_GROUPS);
  private readonly examples = new AttemptExamples();
  /** {@link MAX_EXAMPLES} a group, best first: number of the example, and how clear it is. */
  private readonly exampleNumbers = new Int32Array(MAX_GROUPS * MAX_EXAMPLES);
  private readonly exampleClarities = new Int8Array(MAX_GROUPS * MAX_EXAMPLES);
  private readonly exampleCounts = new Uint8Array(MAX_GROUPS);

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
    const known = this.groups.used;
    const group = this.groups.find(key, hash);
    const count = group === known ? 0 : this.counts[group]!;
    this.counts[group] = count + 1;
    if (synCount(rows, base) <= 1) this.singles[group]!++;
    if (count === 0 || startNs < this.firstNs[group]!) this.firstNs[group] = startNs;
    if (count === 0 || endNs > this.lastNs[group]!) this.lastNs[group] = endNs;
    const at = base + ROW_CLIENT;
    this.clients.add(group, foldIpv6(rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!));
    const clarity = clarityOf(rows, base);
    const kept = this.exampleCounts[group]!;
    const most = group < FULL_GROUPS ? MAX_EXAMPLES : 1;
    if (kept < most || clarity > this.exampleClarities[group * MAX_EXAMPLES + most - 1]!) {
      this.keepExample(group, kept, most, this.examples.add(table, row), clarity);
    }
  }

  /** Every group, in order of first appearance. */
  all(): AttemptGroup[] {
    const { keys, used } = this.groups;
    return Array.from({ length: used }, (_, group) => {
      const count = this.counts[group]!;
      return {
        server: keys[group * KEY]!,
        outcome: OUTCOMES[keys[group * KEY + 1]!]!,
        count,
        clients: Math.min(count, this.clients.count(group)),
        single: this.singles[group]!,
        firstNs: this.firstNs[group]!,
        lastNs: this.lastNs[group]!,
        examples: () => this.examplesOf(group),
      };
    });
  }

  private examplesOf(group: number): AttemptExample[] {
    const at = group * MAX_EXAMPLES;
    const numbers = this.exampleNumbers.subarray(at, at + this.exampleCounts[group]!);
    return Array.from(numbers, (number) => this.examples.get(number));
  }

  /** Puts an example to its place among the `kept` ones of its group, behind those that are as clear. */
  private keepExample(group: number, kept: number, most: number, example: number, clarity: number): void {
    const { exampleNumbers, exampleClarities } = this;
    const first = group * MAX_EXAMPLES;
    let at = first + kept;
    if (kept === most) this.examples.remove(exampleNumbers[--at]!);
    else this.exampleCounts[group] = kept + 1;
    for (; at > first && clarity > exampleClarities[at - 1]!; at--) {
      exampleNumbers[at] = exampleNumbers[at - 1]!;
      exampleClarities[at] = exampleClarities[at - 1]!;
    }
    exampleNumbers[at] = example;
    exampleClarities[at] = clarity;
  }
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
  return Math.min(rows[base + ROW_SEGMENTS]!, 8) * 2 - (confusing ? 1 : 0);
}
