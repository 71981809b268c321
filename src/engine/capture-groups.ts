import { addressAt } from '../handshake/materialize.ts';
import { isFailure } from '../handshake/outcome.ts';
import type { Diagnosis, Group } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { Handshake } from '../model/handshake.ts';
import { formatCount, formatDuration, formatQuantity } from '../model/text.ts';
import { type AttemptGroup, clientsOf } from './attempt-groups.ts';
import type { CaptureContext } from './capture-context.ts';
import { findingOf, judgeHandshake } from './judge-handshake.ts';
import { historyOf } from './server-history.ts';

/** A flood is at least so many attempts, nearly all from different clients and never repeated. */
const FLOOD_ATTEMPTS = 500;
const FLOOD_DISTINCT = 0.5;
const FLOOD_SINGLE = 0.9;
/** A scan is one client whose attempts failed at so many different addresses and ports. */
const SCAN_TARGETS = 15;
/** Of that many groups the targets of a scan are named in the sentence. */
const NAMED_TARGETS = 3;

type GroupContext = Omit<CaptureContext, 'server'>;

/** Turns the groups of a capture into what reports show: failures first, most frequent first; scans and floods as one each. */
export function summarizeGroups(groups: Iterable<AttemptGroup>, context: GroupContext, baseNs: bigint): Group[] {
  const byScanner = new Map<string, AttemptGroup[]>();
  const single: AttemptGroup[] = [];
  for (const group of groups) {
    const client = group.examples[0]?.client.address;
    if (client !== undefined && !group.late && clientsOf(group) === 1) {
      const same = byScanner.get(client);
      if (same === undefined) byScanner.set(client, [group]);
      else same.push(group);
    } else {
      single.push(group);
    }
  }
  const result = single.map((group) => summarize(group, context, baseNs));
  for (const [client, same] of byScanner) {
    if (same.length >= SCAN_TARGETS) result.push(scan(client, same, context, baseNs));
    else result.push(...same.map((group) => summarize(group, context, baseNs)));
  }
  return result.sort(
    (a, b) =>
      Number(isFailure(b.outcome)) - Number(isFailure(a.outcome)) || b.count - a.count || Number(a.firstNs - b.firstNs),
  );
}

function summarize(group: AttemptGroup, context: GroupContext, baseNs: bigint): Group {
  const { server, outcome, count } = group;
  const clients = clientsOf(group);
  const examples = judgeExamples(group, context);
  const first = examples[0];
  const flood =
    (outcome === 'no-reply' || outcome === 'half-open') &&
    count >= FLOOD_ATTEMPTS &&
    clients >= count * FLOOD_DISTINCT &&
    group.single >= count * FLOOD_SINGLE;
  return {
    kind: flood ? 'syn-flood' : 'alike',
    sentence: flood
      ? floodSentence(group, clients)
      : count === 1 && first !== undefined
        ? first.sentence
        : groupSentence(group, clients, first),
    server: { address: addressAt(server.words, 0, server.ipv6), port: server.port },
    outcome,
    count,
    clients,
    ...times(group.firstNs, group.lastNs, baseNs),
    examples,
  };
}

function judgeExamples(group: AttemptGroup, context: GroupContext): Diagnosis[] {
  return group.examples.map((handshake) => judgeHandshake(handshake, { ...context, server: historyOf(group.server) }));
}

function times(firstNs: number, lastNs: number, baseNs: bigint): Pick<Group, 'firstNs' | 'lastNs'> {
  return { firstNs: baseNs + BigInt(Math.round(firstNs)), lastNs: baseNs + BigInt(Math.round(lastNs)) };
}

function floodSentence({ server, count, firstNs, lastNs }: AttemptGroup, clients: number): string {
  const to = formatEndpoint({ address: addressAt(server.words, 0, server.ipv6), port: server.port });
  const seconds = Math.max((lastNs - firstNs) / 1e9, 0.001);
  return `SYN flood on ${to}: ${formatCount(count)} attempts from about ${formatCount(clients)} addresses in ${formatDuration(
    lastNs - firstNs,
  )} (${formatCount(Math.round(count / seconds))}/s), none completed or repeated.`;
}

function groupSentence(group: AttemptGroup, clients: number, first: Diagnosis | undefined): string {
  const { server, outcome, count } = group;
  const to = formatEndpoint({ address: addressAt(server.words, 0, server.ipv6), port: server.port });
  const from = clients === 1 ? group.examples[0]?.client.address : `${formatCount(clients)} clients`;
  const attempts = `${formatCount(count)} attempts from ${from} to ${to}`;
  return `${attempts} ${predicate(outcome, first?.handshake)}`;
}

function predicate(outcome: AttemptGroup['outcome'], example: Handshake | undefined): string {
  switch (outcome) {
    case 'no-reply':
      return 'got no reply at all.';
    case 'refused':
      if (example !== undefined && findingOf(example, 'reset-by-middlebox') !== undefined) {
        return 'were refused by something on the way, not by the server.';
      }
      return example?.stage === 'ack' ? "were reset right after the client's final ACK." : 'were refused with a RST.';
    case 'unreachable': {
      const icmp = example?.segments.find((segment) => segment.icmp !== undefined)?.icmp;
      const from = icmp?.from === example?.server.address ? 'the server itself' : icmp?.from;
      return icmp === undefined ? 'were answered with ICMP errors.' : `got ICMP "${icmp.name}" from ${from}.`;
    }
    case 'half-open':
      return example?.stage === 'ack'
        ? 'were acknowledged by the client, but the server went on repeating its SYN-ACK.'
        : 'were answered with a SYN-ACK that the client never acknowledged.';
    case 'abandoned':
      return example?.stage === 'syn-ack'
        ? 'were reset by the client after the SYN-ACK.'
        : 'got an answer that belongs to another connection.';
    case 'one-sided':
      return 'show only one direction.';
    case 'in-progress':
      return 'were still waiting when the capture ended.';
    case 'established':
      return 'worked, but only after repeating.';
  }
}

function scan(client: string, groups: AttemptGroup[], context: GroupContext, baseNs: bigint): Group {
  groups.sort((a, b) => b.count - a.count);
  const biggest = groups[0] as AttemptGroup;
  const addresses = new Set(groups.map(({ server }) => addressAt(server.words, 0, server.ipv6)));
  const ports = new Set(groups.map(({ server }) => server.port));
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  const named = [...addresses].slice(0, NAMED_TARGETS).join(', ');
  const where =
    addresses.size <= NAMED_TARGETS
      ? `${formatQuantity(ports.size, 'port')} of ${named}`
      : `${formatQuantity(ports.size, 'port')} of ${formatQuantity(addresses.size, 'address', 'addresses')}`;
  const failures = groups.filter(({ outcome }) => isFailure(outcome)).sort((a, b) => b.count - a.count);
  return {
    kind: 'port-scan',
    sentence: `${client} tried ${where} without success (${formatQuantity(count, 'attempt')}): it looks like a port scan.`,
    server:
      addresses.size === 1 ? { address: named } : { address: addressAt(biggest.server.words, 0, biggest.server.ipv6) },
    outcome: (failures[0] ?? biggest).outcome,
    count,
    clients: 1,
    ...times(
      Math.min(...groups.map(({ firstNs }) => firstNs)),
      Math.max(...groups.map(({ lastNs }) => lastNs)),
      baseNs,
    ),
    examples: groups.slice(0, NAMED_TARGETS).flatMap((group) => judgeExamples(group, context).slice(0, 1)),
  };
}
