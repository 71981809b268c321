import { ROW, ROW_CLIENT, ROW_STATE, STATE_IPV6 } from '../handshake/attempt-layout.ts';
import type { AttemptTable } from '../handshake/attempt-table.ts';
import { foldIpv6 } from '../handshake/fold-address.ts';
import { absoluteNs, flowAt, materialize } from '../handshake/materialize.ts';
import { isFailure } from '../handshake/outcome.ts';
import type { AttemptGroup, Tally } from '../handshake/tally.ts';
import type { Diagnosis, Group } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import { OUTCOMES } from '../model/handshake.ts';
import { formatCount, formatQuantity } from '../model/text.ts';
import type { CaptureContext } from './capture-context.ts';
import { floodSentence, groupSentence } from './group-sentences.ts';
import { judgeHandshake } from './judge-handshake.ts';

/** A flood is at least so many attempts, nearly all from different clients and never repeated. */
const FLOOD_ATTEMPTS = 500;
const FLOOD_DISTINCT = 0.5;
const FLOOD_SINGLE = 0.9;
/** A scan is one client whose attempts failed at so many different addresses and ports. */
const SCAN_TARGETS = 15;
/** Of that many groups the targets of a scan are named in the sentence. */
const NAMED_TARGETS = 3;

/** Of each outcome so many servers are groups of their own; the rest of them is one group. */
const LISTED_SERVERS = 100;

type GroupContext = Omit<CaptureContext, 'server'> & {
  /** What the times of groups count from. */
  readonly baseNs: bigint;
  readonly tally: Tally;
  /** Where the examples of groups are. */
  readonly table: AttemptTable;
};

/**
 * Turns the groups of a capture into what reports show: failures first, most frequent first; a scan or a flood as one group, and
 * the servers beyond the most frequent ones as one group for each outcome.
 */
export function summarizeGroups(context: GroupContext): Group[] {
  const { scans, rest } = separateScans(context);
  const result = scans.map(([client, group]) => scan(client, group, context));
  const byOutcome = Map.groupBy(rest, ({ outcome }) => outcome);
  for (const same of byOutcome.values()) {
    same.sort((a, b) => b.count - a.count || a.firstNs - b.firstNs);
    const listed = same.length <= LISTED_SERVERS + 1 ? same : same.slice(0, LISTED_SERVERS);
    result.push(...listed.map((group) => summarize(group, context)));
    if (same.length > listed.length) result.push(others(same.slice(LISTED_SERVERS), context));
  }
  return result.sort(
    (a, b) =>
      Number(isFailure(b.outcome)) - Number(isFailure(a.outcome)) ||
      Number('port' in b.server) - Number('port' in a.server) ||
      b.count - a.count ||
      OUTCOMES.indexOf(a.outcome) - OUTCOMES.indexOf(b.outcome) ||
      Number(a.firstNs - b.firstNs),
  );
}

/** One client that failed at many addresses and ports is a scan: its groups belong together. */
function separateScans({ tally, table }: GroupContext): { scans: [string, AttemptGroup[]][]; rest: AttemptGroup[] } {
  /** By a hash of the address. */
  const clients = new Map<number, { readonly row: number; readonly groups: AttemptGroup[] }[]>();
  const rest: AttemptGroup[] = [];
  for (const group of tally.groups()) {
    const row = group.isOfOneClient && isFailure(group.outcome) ? group.examples[0] : undefined;
    if (row === undefined) {
      rest.push(group);
      continue;
    }
    const hash = clientHash(table, row);
    const alike = clients.get(hash) ?? [];
    if (alike.length === 0) clients.set(hash, alike);
    const known = alike.find((client) => sameClient(table, client.row, row));
    if (known === undefined) alike.push({ row, groups: [group] });
    else known.groups.push(group);
  }
  const scans: [string, AttemptGroup[]][] = [];
  for (const { row, groups } of [...clients.values()].flat()) {
    if (isScan(groups, tally)) scans.push([flowAt(table, row).client.address, groups]);
    else rest.push(...groups);
  }
  return { scans, rest };
}

function clientHash({ rows }: AttemptTable, row: number): number {
  const at = row * ROW + ROW_CLIENT;
  return foldIpv6(rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!);
}

function sameClient({ rows }: AttemptTable, a: number, b: number): boolean {
  const words = [0, 1, 2, 3].map((word) => ROW_CLIENT + word);
  const family = (row: number): number => rows[row * ROW + ROW_STATE]! & STATE_IPV6;
  return family(a) === family(b) && words.every((word) => rows[a * ROW + word] === rows[b * ROW + word]);
}

/** Many ports, or many targets that were tried only once: a client whose network is down repeats its SYNs to a few ports. */
function isScan(groups: readonly AttemptGroup[], tally: Tally): boolean {
  if (groups.length < SCAN_TARGETS) return false;
  const ports = new Set(groups.map(({ server }) => tally.endpoint(server).port));
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  const single = groups.reduce((sum, group) => sum + group.single, 0);
  return ports.size >= SCAN_TARGETS || single >= count * FLOOD_SINGLE;
}

function summarize(group: AttemptGroup, context: GroupContext): Group {
  const { outcome, count, clients } = group;
  const server = context.tally.endpoint(group.server);
  const flood =
    (outcome === 'no-reply' || outcome === 'half-open') &&
    count >= FLOOD_ATTEMPTS &&
    clients.count >= count * FLOOD_DISTINCT &&
    group.single >= count * FLOOD_SINGLE;
  return lateGroup(
    {
      kind: flood ? 'syn-flood' : 'alike',
      server,
      outcome,
      count,
      clients: clients.count,
      ...times([group], context),
    },
    () => judgeExamples(group, context),
    (first) => {
      if (flood) return floodSentence(group, formatEndpoint(server));
      if (count === 1 && first !== undefined) return first.sentence;
      return groupSentence(group, clients, formatEndpoint(server), first);
    },
  );
}

/**
 * A group whose examples are judged, and whose sentence is made, when a report asks for them: a terminal shows few of many groups.
 */
function lateGroup(
  known: Omit<Group, 'sentence' | 'examples'>,
  judge: () => readonly Diagnosis[],
  tell: (first: Diagnosis | undefined) => string,
): Group {
  let examples: readonly Diagnosis[] | undefined;
  let sentence: string | undefined;
  const group: Group = {
    ...known,
    get examples() {
      examples ??= judge();
      return examples;
    },
    get sentence() {
      sentence ??= tell(group.examples[0]);
      return sentence;
    },
  };
  return group;
}

/** The less frequent servers of one outcome, most frequent first, as one group. */
function others(groups: readonly AttemptGroup[], context: GroupContext): Group {
  const biggest = groups[0] as AttemptGroup;
  const { outcome } = biggest;
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  const clients = context.tally.clientsOf(groups);
  const to = `${formatCount(groups.length)} other servers`;
  const server = { address: context.tally.endpoint(biggest.server).address };
  return lateGroup(
    { kind: 'alike', server, outcome, count, clients: clients.count, ...times(groups, context) },
    () => judgeExamples(biggest, context),
    (first) => groupSentence({ outcome, count }, clients, to, first),
  );
}

function judgeExamples(group: AttemptGroup, context: GroupContext): Diagnosis[] {
  const { tally, table, baseNs } = context;
  const server = tally.history(group.server);
  return group.examples.map((row) => judgeHandshake(materialize(table, row, baseNs), { ...context, server }));
}

function times(groups: readonly AttemptGroup[], { baseNs }: GroupContext): Pick<Group, 'firstNs' | 'lastNs'> {
  const firstNs = groups.reduce((least, group) => Math.min(least, group.firstNs), Number.POSITIVE_INFINITY);
  const lastNs = groups.reduce((most, group) => Math.max(most, group.lastNs), Number.NEGATIVE_INFINITY);
  return { firstNs: absoluteNs(baseNs, firstNs), lastNs: absoluteNs(baseNs, lastNs) };
}

function scan(client: string, groups: AttemptGroup[], context: GroupContext): Group {
  groups.sort((a, b) => b.count - a.count);
  const biggest = groups[0] as AttemptGroup;
  const targets = groups.map(({ server }) => context.tally.endpoint(server));
  const addresses = new Set(targets.map(({ address }) => address));
  const ports = new Set(targets.map(({ port }) => port));
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  const named = [...addresses].slice(0, NAMED_TARGETS).join(', ');
  const where =
    addresses.size <= NAMED_TARGETS
      ? `${formatQuantity(ports.size, 'port')} of ${named}`
      : `${formatQuantity(ports.size, 'port')} of ${formatQuantity(addresses.size, 'address', 'addresses')}`;
  const failures = groups.filter(({ outcome }) => isFailure(outcome)).sort((a, b) => b.count - a.count);
  return lateGroup(
    {
      kind: 'port-scan',
      server: { address: context.tally.endpoint(biggest.server).address },
      outcome: (failures[0] ?? biggest).outcome,
      count,
      clients: 1,
      ...times(groups, context),
    },
    () => groups.slice(0, NAMED_TARGETS).flatMap((group) => judgeExamples(group, context).slice(0, 1)),
    () => `${client} tried ${where} without success (${formatQuantity(count, 'attempt')}): it looks like a port scan.`,
  );
}
