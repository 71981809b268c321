import type { FilterHit, PacketFilter } from '../model/facts/packet-filter.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { HEALTHY_LISTENER } from './shared-examples.ts';

// Facts with which the examples of causes below TCP begin.

/** A certain drop of the SYN by an nft rule in the input hook. */
export const DROP_HIT: FilterHit = {
  packet: 'syn-in',
  verdict: 'drop',
  certainty: 'certain',
  conditions: [],
  tool: 'nft',
  family: 'inet',
  table: 'filter',
  chain: 'input',
  hook: 'input',
  priority: 0,
  policy: false,
  handle: 5,
  text: 'tcp dport 443 drop',
};

/** The same with a counter that took so many packets during the watch. */
export function countedHit(packetsDelta: number, changes: Partial<FilterHit> = {}): FilterHit {
  return {
    ...DROP_HIT,
    text: `tcp dport 443 counter packets ${packetsDelta} bytes ${packetsDelta * 60} drop`,
    packets: packetsDelta,
    packetsDelta,
    ...changes,
  };
}

/** A rule set in which these rules decide. */
export function filterWith(...hits: readonly FilterHit[]): PacketFilter {
  return { hits, passes: [], rules: 12, tools: ['nft'], unread: [], counted: [] };
}

/** A rule set that lets every packet of the attempt pass. */
export const PASSING_FILTER: PacketFilter = {
  hits: [],
  passes: ['syn-in', 'syn-ack-out', 'syn-out', 'syn-ack-in', 'ack-in', 'ack-out'],
  rules: 12,
  tools: ['nft'],
  unread: [],
  counted: [],
};

/** The input path takes the SYN: it is delivered here. */
export const TAKEN_IN: RouteLookup = {
  command: ['ip', 'route', 'get', '192.0.2.1', 'from', '198.51.100.7', 'iif', 'eth0'],
  question: '198.51.100.7 → 192.0.2.1 coming in on eth0',
  ok: true,
  type: 'local',
  device: 'lo',
};

/** The source check of the input path refuses the SYN. */
export const SOURCE_REFUSED: RouteLookup = {
  command: TAKEN_IN.command,
  question: TAKEN_IN.question,
  ok: false,
  failure: 'invalid-source',
  message: 'Invalid argument',
};

/** A route back over IPv4 that leaves through this interface. */
export function routeBackV4(device: string): RouteLookup {
  return {
    command: ['ip', 'route', 'get', '198.51.100.7', 'from', '192.0.2.1', 'ipproto', 'tcp', 'sport', '443'],
    question: '192.0.2.1 → 198.51.100.7 tcp sport 443',
    ok: true,
    type: 'unicast',
    device,
    gateway: '192.0.2.254',
  };
}

/** A healthy listener that itself refused so many segments during the watch. */
export function listenerThatRefused(dropsDelta: number): SocketTable {
  return { ...HEALTHY_LISTENER, matching: HEALTHY_LISTENER.matching.map((one) => ({ ...one, dropsDelta })) };
}
