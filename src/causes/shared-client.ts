import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit, PacketFilter } from '../model/facts/packet-filter.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { formatEndpoint } from '../model/flow.ts';

/** An errno that came sooner than any packet could have travelled came from this host. */
const INSTANT_MS = 25;
/** The same on a busy host, when a capture shows that no SYN left. */
const SOON_MS = 250;

/** Whether connect() failed at once, with that errno, and no SYN was seen to leave. */
export function failedAtOnce(attempt: Attempt, ...errnos: readonly string[]): boolean {
  const { connect, side, syns, captured } = attempt;
  return (
    side === 'client' &&
    connect?.errno !== undefined &&
    errnos.includes(connect.errno) &&
    connect.elapsedMs < (captured ? SOON_MS : INSTANT_MS) &&
    syns === 0
  );
}

/** Whether connect() from this host is still without any result, or ended without one. */
export function isSilent(attempt: Attempt): boolean {
  const errno = attempt.connect?.errno;
  return (
    attempt.side === 'client' &&
    errno !== undefined &&
    ['EINPROGRESS', 'ETIMEDOUT', 'TIMEDOUT-LOCAL', 'EHOSTUNREACH'].includes(errno)
  );
}

/** Whether packets were captured and no SYN of the attempt left through any interface. */
export function noSynLeft(attempt: Attempt): boolean {
  return (
    attempt.side === 'client' &&
    attempt.observed &&
    attempt.captured &&
    attempt.syns === 0 &&
    attempt.connect?.errno !== undefined
  );
}

/** `connect() to 192.0.2.1:443 ended with ECONNREFUSED after 3 ms`. */
export function connectStatement({ connect, server }: Attempt): string {
  const to = `connect() to ${formatEndpoint(server)}`;
  if (connect === undefined) return `${to} was not tried`;
  const took = `${Math.round(connect.elapsedMs)} ms`;
  if (connect.errno === undefined) return `${to} succeeded after ${took}`;
  if (connect.errno === 'EINPROGRESS') return `${to} has no result after ${took}`;
  if (connect.errno === 'TIMEDOUT-LOCAL') return `${to} had no result after ${took}`;
  return `${to} ended with ${connect.errno} after ${took}`;
}

/** The first rule that decides about a packet on its way out or in, as the packet meets them. */
export function firstHit(
  filter: PacketFilter | undefined,
  packet: FilterHit['packet'],
  ...verdicts: readonly FilterHit['verdict'][]
): FilterHit | undefined {
  const hit = filter?.hits.find((one) => one.packet === packet);
  return hit !== undefined && verdicts.includes(hit.verdict) ? hit : undefined;
}

/** A rule as a sentence names it: `the rule "tcp dport 443 drop" (inet fw output, handle 5)`. */
export function ruleName(hit: FilterHit): string {
  const place = `${hit.family} ${hit.table} ${hit.chain}`;
  if (hit.policy) return `the policy of chain ${place}`;
  return `the rule "${hit.text}" (${place}${hit.handle === undefined ? '' : `, ${hit.tool === 'nft' ? 'handle' : 'number'} ${hit.handle}`})`;
}

// Facts that the examples of the client's causes begin with.

/** An attempt of a client that has no result after a second; its SYN left twice. */
export const CLIENT_ATTEMPT: Attempt = {
  side: 'client',
  observed: true,
  captured: true,
  family: 4,
  client: { address: '198.51.100.7', port: 50204 },
  server: { address: '192.0.2.1', port: 443 },
  syns: 2,
  synAcks: 0,
  sightings: [{ segment: 'syn', direction: 'out', device: 'eth0', count: 2, linkDestination: 'unknown' }],
  icmpErrors: [],
  connect: { remote: { address: '192.0.2.1', port: 443 }, errno: 'EINPROGRESS', elapsedMs: 1150 },
  lastedMs: 1030,
};

/** The same client when connect() failed at once. */
export function failedAttempt(errno: string, elapsedMs: number = 0): Attempt {
  return {
    ...CLIENT_ATTEMPT,
    client: { address: '0.0.0.0', port: 0 },
    syns: 0,
    sightings: [],
    connect: { remote: CLIENT_ATTEMPT.server, errno, elapsedMs },
    lastedMs: elapsedMs,
  };
}

/** A client that connected. */
export const CONNECTED_ATTEMPT: Attempt = {
  ...CLIENT_ATTEMPT,
  syns: 1,
  synAcks: 1,
  connect: { remote: CLIENT_ATTEMPT.server, local: CLIENT_ATTEMPT.client, elapsedMs: 12, afterwards: 'silent' },
  lastedMs: 12,
};

/** The lookup of the SYN when there is a route. */
export const ROUTE_OUT: RouteLookup = {
  command: ['ip', 'route', 'get', '192.0.2.1', 'ipproto', 'tcp', 'dport', '443'],
  question: '→ 192.0.2.1 tcp dport 443',
  ok: true,
  type: 'unicast',
  device: 'eth0',
  gateway: '198.51.100.1',
  source: '198.51.100.7',
};

/** The same lookup when it fails. */
export function noRouteOut(failure: NonNullable<RouteLookup['failure']>, message: string): RouteLookup {
  const { command, question } = ROUTE_OUT;
  return { command, question, ok: false, failure, message };
}

/** A client without any socket of interest. */
export const NO_SOCKETS: SocketTable = { listeners: [], matching: [], mismatched: [], connections: [], synReceived: 0 };

/** A packet filter in which one rule drops the SYN on its way out. */
export function filterWith(...hits: readonly FilterHit[]): PacketFilter {
  return { hits, passes: [], rules: 12, tools: ['nft'], unread: [], counted: [] };
}

/** A rule of the output chain. */
export const OUTPUT_RULE: FilterHit = {
  packet: 'syn-out',
  verdict: 'drop',
  certainty: 'certain',
  conditions: [],
  tool: 'nft',
  family: 'inet',
  table: 'fw',
  chain: 'out',
  hook: 'output',
  priority: 0,
  policy: false,
  handle: 5,
  text: 'tcp dport 443 counter drop',
  packetsDelta: 2,
  packets: 9,
};
