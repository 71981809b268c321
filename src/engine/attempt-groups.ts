import { type AttemptTable, ROW, ROW_CLIENT, ROW_STATE } from '../handshake/attempt-table.ts';
import { addDistinct, countDistinct, createDistinctCounter, type DistinctCounter } from '../handshake/distinct.ts';
import { foldIpv6 } from '../handshake/flow-index.ts';
import { materialize } from '../handshake/materialize.ts';
import { synCount } from '../handshake/outcome.ts';
import type { Handshake, Outcome } from '../model/handshake.ts';
import type { ServerRecord } from './server-history.ts';

/** Attempts to one server that ended alike, while a capture is read. */
export interface AttemptGroup {
  readonly server: ServerRecord;
  readonly outcome: Outcome;
  /** Established, but only after something was repeated. */
  readonly late: boolean;
  count: number;
  readonly clients: DistinctCounter;
  /** Attempts without any repeated SYN: floods and scans do not retry. */
  single: number;
  firstNs: number;
  lastNs: number;
  /** The clearest attempts so far, best first. */
  readonly examples: Handshake[];
  /** Examples that were looked at and not taken; bounds the work spent on choosing. */
  considered: number;
}

const MAX_EXAMPLES = 3;
/** After so many attempts of a group no better example is looked for. */
const MAX_CONSIDERED = 16;

/** Groups by server, outcome and what the state flags add to it. */
export class AttemptGroups {
  private readonly byServer = new Map<ServerRecord, Map<number, AttemptGroup>>();

  /** Adds one ended attempt that began at `startNs` and ended at `endNs`, since the start of the capture. */
  add(
    table: AttemptTable,
    row: number,
    server: ServerRecord,
    outcome: Outcome,
    variant: number,
    times: { startNs: number; endNs: number; baseNs: bigint },
  ): void {
    const { rows } = table;
    const base = row * ROW;
    const group = this.group(server, outcome, variant, times.startNs);
    group.count++;
    const client = base + ROW_CLIENT;
    addDistinct(group.clients, foldIpv6(rows[client]!, rows[client + 1]!, rows[client + 2]!, rows[client + 3]!));
    if (synCount(rows, base) <= 1) group.single++;
    if (times.endNs > group.lastNs) group.lastNs = times.endNs;
    if (times.startNs < group.firstNs) group.firstNs = times.startNs;
    if (group.considered >= MAX_CONSIDERED) return;
    group.considered++;
    keepExample(group.examples, materialize(table, row, times.baseNs));
  }

  /** Every group, in order of first appearance. */
  *all(): Generator<AttemptGroup> {
    for (const groups of this.byServer.values()) yield* groups.values();
  }

  private group(server: ServerRecord, outcome: Outcome, variant: number, startNs: number): AttemptGroup {
    let groups = this.byServer.get(server);
    if (groups === undefined) {
      groups = new Map();
      this.byServer.set(server, groups);
    }
    let group = groups.get(variant);
    if (group === undefined) {
      group = {
        server,
        outcome,
        late: outcome === 'established',
        count: 0,
        clients: createDistinctCounter(),
        single: 0,
        firstNs: startNs,
        lastNs: startNs,
        examples: [],
        considered: 0,
      };
      groups.set(variant, group);
    }
    return group;
  }
}

/** Distinct clients of a group; an estimate beyond some hundreds. */
export function clientsOf(group: AttemptGroup): number {
  return Math.min(group.count, countDistinct(group.clients));
}

/** Number that tells groups of one server apart: outcome and the flags that change the sentence. */
export function variantOf(outcome: number, table: AttemptTable, row: number, flags: number): number {
  return outcome | ((table.rows[row * ROW + ROW_STATE]! & flags) << 4);
}

/** The more segments an attempt shows, the clearer it is; copies of packets only confuse. */
function clarity(handshake: Handshake): number {
  const copies = handshake.segments.reduce((sum, segment) => sum + segment.copies, 0);
  return (
    Math.min(handshake.segments.length, 8) * 4 - Math.min(copies, 4) - (handshake.encapsulation.length > 0 ? 1 : 0)
  );
}

function keepExample(examples: Handshake[], handshake: Handshake): void {
  const at = examples.findIndex((example) => clarity(handshake) > clarity(example));
  if (at < 0) examples.push(handshake);
  else examples.splice(at, 0, handshake);
  examples.length = Math.min(examples.length, MAX_EXAMPLES);
}
