import { formatIpv4, formatIpv6 } from '../../formats/wire/address.ts';
import { dissect } from '../../formats/wire/dissect.ts';
import { createIcmpError, decodeIcmpError, isIcmpError } from '../../formats/wire/icmp.ts';
import { CONTENT_ICMP, CONTENT_ICMPV6, CONTENT_TCP, createLayers } from '../../formats/wire/layers.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPPROTO_TCP } from '../../formats/wire/numbers.ts';
import { TCP_ACK, TCP_RST, TCP_SYN } from '../../formats/wire/tcp.ts';
import type { NeighbourActivity, Sighting } from '../../model/facts/attempt.ts';
import type { Flow } from '../../model/flow.ts';
import { type CookedHeader, cookedHeader, type KeptPacket, linkAddress, type PacketHistory } from './packet-history.ts';

/** Names of interfaces by index. */
export type InterfaceNames = ReadonlyMap<number, string>;

const OUTGOING = 4;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** More targets than this are a scan; the first ones are kept. */
const MAX_NEIGHBOUR_TARGETS = 256;

/** How the packets of one attempt passed the interfaces of this host. */
export function sightingsOf(history: PacketHistory, flow: Flow, names: InterfaceNames): Sighting[] {
  const layers = createLayers();
  const icmp = createIcmpError();
  const counts = new Map<string, { -readonly [Key in keyof Sighting]: Sighting[Key] }>();
  for (const packet of history.packets()) {
    const cooked = cookedHeader(packet);
    if (cooked === undefined) continue;
    const { view } = packet;
    if (isOtherFlow(packet, cooked, flow)) continue;
    dissect(view, packet.start, packet.end, packet.linkType, layers);
    const { transportOffset, ipVersion, ipOffset, end } = layers;
    let segment: Sighting['segment'];
    if (layers.content === CONTENT_TCP) {
      if (transportOffset + 14 > end || !between(view, ipVersion, ipOffset, transportOffset, flow)) continue;
      segment = segmentKind(view.getUint8(transportOffset + 13));
    } else if (layers.content === CONTENT_ICMP || layers.content === CONTENT_ICMPV6) {
      if (!decodeIcmpError(view, transportOffset, end, ipVersion, icmp) || !icmp.hasPorts || icmp.ipProtocol !== 6)
        continue;
      if (!between(view, icmp.quotedVersion, icmp.quotedOffset, icmp.transportOffset, flow)) continue;
      segment = 'icmp';
    } else continue;
    const device = cooked.interfaceIndex === undefined ? undefined : names.get(cooked.interfaceIndex);
    const direction = cooked.packetType === OUTGOING ? 'out' : 'in';
    const linkDestination = destinationOf(cooked);
    const key = `${segment} ${direction} ${device ?? ''} ${linkDestination}`;
    const known = counts.get(key);
    if (known === undefined) {
      counts.set(key, { segment, direction, ...(device === undefined ? {} : { device }), count: 1, linkDestination });
    } else known.count++;
  }
  return [...counts.values()];
}

/** Whether a plain TCP packet has other ports than the attempt: of a flood, nearly all have, and need no closer look. */
function isOtherFlow(
  { view, end }: KeptPacket,
  { etherType, payload }: CookedHeader,
  { client, server }: Flow,
): boolean {
  let transport: number;
  if (payload + 40 > end) return false;
  if (etherType === ETHERTYPE_IPV4) {
    const isPlain = view.getUint8(payload) === 0x45 && (view.getUint16(payload + 6) & 0x3fff) === 0;
    if (!isPlain || view.getUint8(payload + 9) !== IPPROTO_TCP) return false;
    transport = payload + 20;
  } else if (etherType === ETHERTYPE_IPV6) {
    if (payload + 44 > end || view.getUint8(payload + 6) !== IPPROTO_TCP) return false;
    transport = payload + 40;
  } else return false;
  const ports = view.getUint32(transport);
  const ahead = client.port * 0x1_0000 + server.port;
  return ports !== ahead && ports !== server.port * 0x1_0000 + client.port;
}

/**
 * Packets of the capture that came in, by interface; undefined when the oldest ones are gone.
 * @param sinceNs by the clock of the history: those before it do not count.
 */
export function receivedBy(
  history: PacketHistory,
  names: InterfaceNames,
  sinceNs: number,
): Readonly<Record<string, number>> | undefined {
  if (!history.complete) return undefined;
  const received: Record<string, number> = {};
  for (const packet of history.packets()) {
    const cooked = cookedHeader(packet);
    if (cooked?.interfaceIndex === undefined || cooked.packetType === OUTGOING || packet.timeNs < sinceNs) continue;
    const device = names.get(cooked.interfaceIndex);
    if (device !== undefined) received[device] = (received[device] ?? 0) + 1;
  }
  return received;
}

function destinationOf({ packetType }: CookedHeader): Sighting['linkDestination'] {
  return (['host', 'broadcast', 'multicast', 'otherhost'] as const)[packetType] ?? 'unknown';
}

function segmentKind(flags: number): Sighting['segment'] {
  if ((flags & TCP_RST) !== 0) return 'rst';
  if ((flags & TCP_SYN) !== 0) return (flags & TCP_ACK) !== 0 ? 'syn-ack' : 'syn';
  return (flags & TCP_ACK) !== 0 ? 'ack' : 'other';
}

/** Whether the TCP segment at `transport` goes between the two ends, in either direction. */
function between(view: DataView, version: number, ip: number, transport: number, { client, server }: Flow): boolean {
  const ports = [view.getUint16(transport), view.getUint16(transport + 2)];
  const ahead = ports[0] === client.port && ports[1] === server.port;
  const back = ports[0] === server.port && ports[1] === client.port;
  if (!ahead && !back) return false;
  const [source, destination] = addressesAt(view, version, ip);
  return (
    (ahead && source === client.address && destination === server.address) ||
    (back && source === server.address && destination === client.address)
  );
}

function addressesAt(view: DataView, version: number, ip: number): [source: string, destination: string] {
  return version === 6
    ? [formatIpv6(view, ip + 8), formatIpv6(view, ip + 24)]
    : [formatIpv4(view, ip + 12), formatIpv4(view, ip + 16)];
}

/** ARP and neighbour discovery of the watch, by what was asked for (RFC 826, RFC 4861 section 4.3 and 4.4). */
export function neighbourActivityOf(history: PacketHistory, names: InterfaceNames): NeighbourActivity[] {
  const found = new Map<
    string,
    { -readonly [Key in keyof NeighbourActivity]: NeighbourActivity[Key] } & { answeredBy: string[] }
  >();
  const note = (cooked: CookedHeader, target: string, asks: boolean, answeredBy: string): void => {
    const device = cooked.interfaceIndex === undefined ? undefined : names.get(cooked.interfaceIndex);
    // A reply travels against its request: what this host asked for is answered by a packet that comes in.
    const direction = (cooked.packetType === OUTGOING) === asks ? 'out' : 'in';
    const key = `${device ?? ''} ${target} ${direction}`;
    let entry = found.get(key);
    if (entry === undefined) {
      if (found.size >= MAX_NEIGHBOUR_TARGETS) return;
      entry = {
        ...(device === undefined ? {} : { device }),
        target,
        direction,
        requests: 0,
        replies: 0,
        answeredBy: [],
      };
      found.set(key, entry);
    }
    if (asks) entry.requests++;
    else {
      entry.replies++;
      if (answeredBy !== '' && !entry.answeredBy.includes(answeredBy)) entry.answeredBy.push(answeredBy);
    }
  };
  const layers = createLayers();
  for (const packet of history.packets()) {
    const cooked = cookedHeader(packet);
    if (cooked === undefined) continue;
    const { view, end } = packet;
    if (cooked.etherType === ETHERTYPE_ARP) {
      const arp = cooked.payload;
      if (end - arp < 28 || view.getUint32(arp + 2) !== 0x0800_0604) continue;
      const operation = view.getUint16(arp + 6);
      const sender = formatIpv4(view, arp + 14);
      if (operation === 1 && sender !== formatIpv4(view, arp + 24)) note(cooked, formatIpv4(view, arp + 24), true, '');
      else if (operation === 2) note(cooked, sender, false, linkAddress(view, arp + 8, 6));
    } else if (cooked.etherType === ETHERTYPE_IPV6) {
      if (end - cooked.payload < 40 || view.getUint8(cooked.payload + 6) === IPPROTO_TCP) continue;
      dissect(view, packet.start, end, packet.linkType, layers);
      const { transportOffset } = layers;
      if (layers.content !== CONTENT_ICMPV6 || transportOffset + 24 > end) continue;
      const type = view.getUint8(transportOffset);
      if (isIcmpError(6, type)) continue;
      const target = formatIpv6(view, transportOffset + 8);
      if (type === NEIGHBOUR_SOLICITATION) note(cooked, target, true, '');
      else if (type === NEIGHBOUR_ADVERTISEMENT) {
        note(cooked, target, false, linkAddress(view, cooked.sender, cooked.senderBytes));
      }
    }
  }
  return [...found.values()];
}
