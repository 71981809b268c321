import type { CompleteSyn } from './complete-syn.ts';
import {
  addressAt,
  ETHERNET_BYTES,
  ETHERTYPE_IPV4,
  type FrameShape,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  macAt,
  shapeOf,
  synAckTo,
  TCP_ACK,
  TCP_RST,
  TCP_SYN,
} from './frames.ts';
import { neighbourAnswer, neighbourQuestion } from './neighbour-frames.ts';
import type { Replay, ReplayRemark, ReplyKind, TwinRole } from './syn.ts';
import type { Taps } from './tap.ts';
import type { World } from './world.ts';

/** A frame that left, with where. */
export interface Departure {
  readonly device: string;
  readonly frame: Buffer;
  readonly shape: FrameShape;
}

/** What came out after a packet went in, while the outside world answered ARP and ND. */
export interface Exchange {
  readonly departures: readonly Departure[];
  readonly unanswered: readonly string[];
  readonly assumed: readonly string[];
  /** Neighbours were asked for: the kernel has new entries. */
  readonly asked: boolean;
}

/**
 * Takes everything that the kernel sends until it is silent, and plays the outside world meanwhile.
 * @param onDeparture may answer a packet.
 */
export function exchange(
  taps: Taps,
  world: World,
  syn: CompleteSyn,
  onDeparture?: (departure: Departure) => void,
): Exchange {
  const departures: Departure[] = [];
  const unanswered = new Set<string>();
  const assumed = new Set<string>(syn.assumed);
  let asked = false;
  for (const { device, frame } of taps.received()) {
    const question = neighbourQuestion(frame);
    if (question === undefined) {
      const departure = { device, frame, shape: shapeOf(frame) };
      departures.push(departure);
      onDeparture?.(departure);
      continue;
    }
    asked = true;
    // A host that asks for its own address wants to hear nothing.
    if (question.source === '0.0.0.0' || question.source === '::') continue;
    const mac = world.answererOf(device, question.target, syn, assumed);
    if (mac === undefined) unanswered.add(`${world.layer3(device)} ${question.target}`);
    else taps.send(device, neighbourAnswer(question, mac));
  }
  return { departures, unanswered: [...unanswered], assumed: [...assumed], asked };
}

/**
 * For {@link exchange}: a SYN that the host of a server hands to another one (address translation, forwarding) is answered as whoever it is
 * for would.
 * @param assumed gets what is taken to be so.
 */
export function answerPassedOn(
  taps: Taps,
  world: World,
  syn: CompleteSyn,
  assumed: Set<string>,
): (departure: Departure) => void {
  return (departure) => {
    const { device, frame, shape } = departure;
    if (!isThisSyn(departure, syn) || isReturnedSyn(departure, syn, world)) return;
    if (!world.isAlive(macAt(frame, 0), syn)) return;
    const [, destination] = addressesOf(departure);
    assumed.add(`${destination}, to which this host passes the SYN on by ${world.layer3(device)}, answers it`);
    taps.send(device, synAckTo(frame, shape));
  };
}

/** Addresses and ports may be translated on the way; the sequence number is not. */
function isThisSyn({ frame, shape: { protocol, transport } }: Departure, { sequence }: CompleteSyn): boolean {
  return (
    protocol === IPPROTO_TCP &&
    transport + 20 <= frame.length &&
    (frame[transport + 13]! & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN &&
    frame.readUInt32BE(transport + 4) === sequence
  );
}

/** The SYN goes back as it is to who delivered it: the two hosts think of each other that it is for them. */
function isReturnedSyn(departure: Departure, syn: CompleteSyn, world: World): boolean {
  const { device, frame } = departure;
  return (
    isThisSyn(departure, syn) &&
    world.layer3(device) === world.layer3(syn.device) &&
    macAt(frame, 0) === syn.sourceMac &&
    addressesOf(departure)[1] === syn.destination
  );
}

/** Source and destination. */
function addressesOf({ frame, shape: { etherType } }: Departure): readonly [string, string] {
  const [at, length] = etherType === ETHERTYPE_IPV4 ? ([26, 4] as const) : ([22, 16] as const);
  return [addressAt(frame, at, length), addressAt(frame, at + length, length)];
}

/** The SYN-ACK for a SYN, and whether the connection was reset, among what came out. */
export function tcpAnswers(
  syn: CompleteSyn,
  departures: readonly Departure[],
): { readonly synAck?: Departure; readonly isReset: boolean } {
  const found = departures.flatMap((departure) => findReply('server', syn, departure) ?? []);
  const synAck = found.find(({ reply }) => reply === 'syn-ack')?.departure;
  return { ...(synAck === undefined ? {} : { synAck }), isReset: found.some(({ reply }) => reply === 'rst') };
}

interface Found {
  readonly reply: ReplyKind;
  readonly departure: Departure;
  readonly detail?: string;
  readonly hasOtherSource?: boolean;
}

const RANK: Readonly<Record<ReplyKind, number>> = {
  'syn-ack': 0,
  forwarded: 1,
  'syn-sent': 2,
  ack: 3,
  rst: 4,
  icmp: 5,
  silence: 6,
};

/** What the departures say of a SYN that came in, for a server or a router. */
export function judge(
  role: TwinRole,
  syn: CompleteSyn,
  world: World,
  { departures, unanswered, assumed }: Exchange,
): Replay {
  const found = departures.flatMap((departure) => findReply(role, syn, departure) ?? []);
  const [best] = found.sort((a, b) => RANK[a.reply] - RANK[b.reply]);
  if (best === undefined) {
    const isReturned = role === 'server' && departures.some((departure) => isReturnedSyn(departure, syn, world));
    const remark = isReturned ? ({ remark: 'returned' } as const) : {};
    return { reply: 'silence', isAnswered: false, ...remark, unanswered, assumed };
  }
  const { reply, departure, detail, hasOtherSource } = best;
  const nextHop = macAt(departure.frame, 0);
  const isGood = reply === 'syn-ack' || reply === 'forwarded';
  const isSameLink = world.layer3(departure.device) === world.layer3(syn.device);
  const remark = ((): ReplayRemark | undefined => {
    if (!isGood) return undefined;
    if (!world.isAlive(nextHop, syn)) return 'dead-next-hop';
    if (hasOtherSource) return 'other-source';
    if (reply === 'forwarded') return isSameLink ? 'same-device' : undefined;
    return isSameLink ? undefined : 'other-device';
  })();
  return {
    reply,
    isAnswered: isGood && remark !== 'dead-next-hop' && remark !== 'other-source',
    device: departure.device,
    nextHop,
    ...(remark === undefined ? {} : { remark }),
    unanswered,
    assumed:
      isGood && remark !== 'dead-next-hop' && world.isOnlyWritten(nextHop, syn)
        ? [...assumed, `the permanent neighbour entry with ${nextHop} is right`]
        : assumed,
    ...(detail === undefined ? {} : { detail }),
    ...(reply === 'syn-ack' ? { sequence: departure.frame.readUInt32BE(departure.shape.transport + 4) } : {}),
  };
}

function findReply(role: TwinRole, syn: CompleteSyn, departure: Departure): Found | undefined {
  const { frame, shape } = departure;
  const { protocol, transport } = shape;
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) return icmpReply(syn, departure);
  if (protocol !== IPPROTO_TCP || transport + 20 > frame.length) return undefined;
  const flags = frame[transport + 13]!;
  const [source, destination] = addressesOf(departure);
  const isSyn = (flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN;
  if (isSyn) return role === 'router' && isThisSyn(departure, syn) ? { reply: 'forwarded', departure } : undefined;
  if (destination !== syn.source || frame.readUInt16BE(transport + 2) !== syn.sourcePort) return undefined;
  const hasOtherSource = source !== syn.destination || frame.readUInt16BE(transport) !== syn.destinationPort;
  if ((flags & TCP_RST) !== 0) return { reply: 'rst', departure };
  if ((flags & (TCP_SYN | TCP_ACK)) === (TCP_SYN | TCP_ACK)) return { reply: 'syn-ack', departure, hasOtherSource };
  return (flags & TCP_ACK) !== 0 ? { reply: 'ack', departure } : undefined;
}

/** An error of ICMP about the SYN, sent to who sent it. */
function icmpReply(syn: CompleteSyn, departure: Departure): Found | undefined {
  const { frame, shape } = departure;
  const { protocol, transport } = shape;
  if (transport + 8 > frame.length) return undefined;
  const type = frame[transport]!;
  const code = frame[transport + 1]!;
  const isError = protocol === IPPROTO_ICMP ? [3, 11, 12].includes(type) : type >= 1 && type <= 4;
  const to =
    protocol === IPPROTO_ICMP ? addressAt(frame, ETHERNET_BYTES + 16, 4) : addressAt(frame, ETHERNET_BYTES + 24, 16);
  if (!isError || to !== syn.source) return undefined;
  return {
    reply: 'icmp',
    departure,
    detail: `${protocol === IPPROTO_ICMP ? 'ICMP' : 'ICMPv6'} type ${type} code ${code}`,
  };
}
