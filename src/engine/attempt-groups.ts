import { copyAttempt, tableOfCopy } from '../handshake/attempt-copy.ts';
import {
  type AttemptTable,
  ROW,
  ROW_CLIENT,
  ROW_ENCAPSULATION,
  ROW_SEGMENTS,
  ROW_STATE,
  STATE_DUPLICATES,
} from '../handshake/attempt-table.ts';
import { DistinctCounter } from '../handshake/distinct.ts';
import { foldIpv6 } from '../handshake/flow-index.ts';
import { synCount } from '../handshake/outcome.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { createProbeTable, type ProbeTable } from './probe-table.ts';

/** An attempt that is kept to be shown. */
interface AttemptExample {
  /** See `copyAttempt`. */
  readonly copy: ArrayBuffer;
  readonly clarity: number;
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
  /** The clearest attempts, best first: tables that hold just one attempt, in row 0. */
  readonly examples: readonly AttemptTable[];
}

const MAX_EXAMPLES = 3;
/** Groups that appear after so many others keep one example: with so many, few are shown at all. */
const FULL_GROUPS = 1000;
/** More groups than this share the last one. */
const MAX_GROUPS = 200_000;
/** Words of a group's key: server, outcome, variant. */
const KEY = 3;

/** Groups by server, outcome and what else the sentence about them depends on; counted in columns. */
export class AttemptGroups {
  private readonly groups: ProbeTable = createProbeTable(MAX_GROUPS, KEY);
  private readonly key = new Int32Array(KEY);
  private readonly counts = new Int32Array(MAX_GROUPS);
  private readonly singles = new Int32Array(MAX_GROUPS);
  private readonly firstNs = new Float64Array(MAX_GROUPS).fill(Number.POSITIVE_INFINITY);
  private readonly lastNs = new Float64Array(MAX_GROUPS).fill(Number.NEGATIVE_INFINITY);
  /** Where the attempts come from. */
  private table: AttemptTable | undefined;
  private readonly clients: DistinctCounter[] = [];
  private readonly examples: AttemptExample[][] = [];
  /** Clarity that a further attempt must exceed to be an example. */
  private readonly bars = new Int8Array(MAX_GROUPS).fill(-1);

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
    if (group === this.clients.length) {
      this.clients.push(new DistinctCounter());
      this.examples.push([]);
    }
    this.counts[group]!++;
    if (synCount(rows, base) <= 1) this.singles[group]!++;
    if (startNs < this.firstNs[group]!) this.firstNs[group] = startNs;
    if (endNs > this.lastNs[group]!) this.lastNs[group] = endNs;
    const at = base + ROW_CLIENT;
    this.clients[group]!.add(foldIpv6(rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!));
    const clarity = clarityOf(rows, base);
    if (clarity > this.bars[group]!) {
      this.table = table;
      this.keepExample(group, { copy: copyAttempt(table, row), clarity });
    }
  }

  /** Every group, in order of first appearance. */
  all(): AttemptGroup[] {
    const { keys } = this.groups;
    const { table } = this;
    return this.clients.map((clients, group) => {
      const count = this.counts[group]!;
      return {
        server: keys[group * KEY]!,
        outcome: OUTCOMES[keys[group * KEY + 1]!]!,
        count,
        clients: Math.min(count, clients.count()),
        single: this.singles[group]!,
        firstNs: this.firstNs[group]!,
        lastNs: this.lastNs[group]!,
        examples: table === undefined ? [] : this.examples[group]!.map(({ copy }) => tableOfCopy(copy, table)),
      };
    });
  }

  private keepExample(group: number, example: AttemptExample): void {
    const examples = this.examples[group]!;
    const at = examples.findIndex(({ clarity }) => example.clarity > clarity);
    examples.splice(at < 0 ? examples.length : at, 0, example);
    const most = group < FULL_GROUPS ? MAX_EXAMPLES : 1;
    if (examples.length > most) examples.pop();
    if (examples.length === most) this.bars[group] = examples.at(-1)!.clarity;
  }
}

/** The more segments an attempt shows, the clearer it is; copies of packets and tunnels only confuse. */
function clarityOf(rows: Int32Array, base: number): number {
  const confusing = (rows[base + ROW_STATE]! & STATE_DUPLICATES) !== 0 || rows[base + ROW_ENCAPSULATION] !== 0;
  return Math.min(rows[base + ROW_SEGMENTS]!, 8) * 2 - (confusing ? 1 : 0);
}
