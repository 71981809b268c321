import { bits, unknownBits } from '../netfilter/bits.ts';
import { type Names, testNames } from '../netfilter/names.ts';
import type { AddressType } from '../netfilter/packet.ts';
import { allOf, depends, isSure, not, type Truth, UNKNOWN } from '../netfilter/truth.ts';
import { ctState, ctStatus, hasConnection, inputDevice, outputDevice, type PacketView } from '../netfilter/view.ts';
import {
  BOOLEAN,
  CT_DIRECTION,
  CT_STATE,
  CT_STATUS,
  ETHER_TYPE,
  INTEGER,
  IPV4,
  IPV6,
  NFPROTO,
  PACKET_TYPE,
  PROTOCOL,
} from './data-types.ts';
import { asList, type Json, textOf } from './json.ts';
import { ABSENT, asked, deviceName, nameMatches, number, obscure, type Value } from './operand.ts';

/** The value of `{"meta": {"key": ...}}` (nft_meta_get_eval()). */
export function metaValue(body: Json, view: PacketView): Value {
  const { packet, state, host } = view;
  switch (textOf(body, 'key')) {
    case 'nfproto':
      return number(NFPROTO, bits(packet.family === 4 ? 2 : 10));
    case 'l4proto':
      return number(PROTOCOL, bits(6));
    case 'protocol':
      return number(ETHER_TYPE, bits(packet.family === 4 ? 0x800 : 0x86dd));
    case 'mark':
      return number(INTEGER, state.mark);
    case 'iif':
    case 'iifname':
      return deviceName(inputDevice(view));
    case 'oif':
    case 'oifname':
      return deviceName(outputDevice(view));
    case 'iifkind':
      return asked((kind) => kindOf(kind, inputDevice(view), host.deviceKind));
    case 'oifkind':
      return asked((kind) => kindOf(kind, outputDevice(view), host.deviceKind));
    case 'skuid':
      if (packet.origin === 'device') return ABSENT;
      return packet.uid === undefined ? obscure(depends('owner')) : number(INTEGER, packet.uid);
    case 'skgid':
    case 'cgroup':
      return packet.origin === 'device' ? ABSENT : obscure(depends('owner'));
    case 'pkttype':
      return packetType(view);
    case 'ipsec':
    case 'secpath':
      return host.ipsec === undefined ? obscure(UNKNOWN) : number(BOOLEAN, bits(host.ipsec ? 1 : 0));
    case 'random':
      return number(INTEGER, unknownBits(32, depends('random')));
    case 'time':
    case 'hour':
    case 'day':
      return obscure(depends('time'));
    default:
      return obscure(UNKNOWN);
  }
}

function kindOf(kind: string, names: readonly string[] | undefined, of: (name: string) => string | undefined): Truth {
  if (names?.length !== 1) return UNKNOWN;
  const known = of(names[0]!);
  return known === undefined ? UNKNOWN : known === kind;
}

function packetType({ packet }: PacketView): Value {
  if (packet.origin === 'local' || packet.linkDestination === undefined) return obscure(UNKNOWN);
  const number_ = { host: 0, broadcast: 1, multicast: 2, otherhost: 3 }[packet.linkDestination];
  return number(PACKET_TYPE, bits(number_));
}

/** The value of `{"ct": ...}` (nft_ct_get_eval()); without a connection only the state has one. */
export function ctValue(body: Json, view: PacketView): Value {
  const key = textOf(body, 'key');
  if (key === 'state') return number(CT_STATE, ctState(view));
  const connected = hasConnection(view);
  if (connected === false) return ABSENT;
  if (!isSure(connected)) return obscure(connected);
  const { packet, state } = view;
  const reply = textOf(body, 'dir') === 'reply';
  switch (key) {
    case 'direction':
      return number(CT_DIRECTION, bits(packet.direction === 'reply' ? 1 : 0));
    case 'status':
      return number(CT_STATUS, ctStatus(view));
    case 'mark':
      return number(INTEGER, state.ctMark);
    case 'l3proto':
      return number(NFPROTO, bits(packet.family === 4 ? 2 : 10));
    case 'protocol':
      return number(PROTOCOL, bits(6));
    case 'saddr':
    case 'daddr':
    case 'ip saddr':
    case 'ip daddr':
    case 'ip6 saddr':
    case 'ip6 daddr':
    case 'proto-src':
    case 'proto-dst':
      return reply ? obscure(depends('ct-state')) : originalEndpoint(key, view);
    case 'helper':
      return obscure(depends('ct-state'));
    default:
      return obscure(depends('ct-state'));
  }
}

function originalEndpoint(key: string, { packet }: PacketView): Value {
  const first = packet.connection?.original ?? packet;
  const type = packet.family === 4 ? IPV4 : IPV6;
  if (key.startsWith(packet.family === 4 ? 'ip6 ' : 'ip ')) return ABSENT;
  if (key === 'proto-src') return number(INTEGER, first.sourcePort);
  if (key === 'proto-dst') return number(INTEGER, first.destinationPort);
  return number(type, key.endsWith('saddr') ? first.source : first.destination);
}

/** The value of `{"fib": ...}`: a look-up of an address of the packet in the routing tables. */
export function fibValue(body: Json, view: PacketView): Value {
  const flags = asList(body.flags);
  const { state, packet, host } = view;
  const address = flags.includes('daddr') ? state.destination : state.source;
  const device = flags.includes('iif') ? inputDevice(view) : flags.includes('oif') ? outputDevice(view) : undefined;
  const result = textOf(body, 'result');
  if (result === 'type') {
    return asked((type) => host.addressType(address, type as AddressType, device));
  }
  if (!flags.includes('saddr') || packet.origin !== 'device' || state.source !== packet.source) {
    return obscure(depends('reverse-path'));
  }
  const exists = flags.includes('iif') ? packet.returnPath.sameDevice : packet.returnPath.exists;
  // The mark of the packet takes part: rules of routing may ask for it.
  const sure =
    flags.includes('mark') && (state.mark.value | state.mark.unknown) !== 0n ? depends('reverse-path') : exists;
  const name = flags.includes('iif') ? inputDevice(view) : undefined;
  return asked((text) => fibResult(text, sure, name));
}

/** A found device is compared with `true` (exists), `false` (missing), `0`, or its name. */
function fibResult(text: string, exists: Truth, found: Names): Truth {
  if (text === 'true' || text === '1') return exists;
  if (text === 'false' || text === '0') return not(exists);
  return allOf([exists, testNames(found, (name) => nameMatches(text, name), depends('reverse-path'))]);
}

/** The value of `{"socket": ...}`: whether a local socket takes the packet. */
export function socketValue(): Value {
  return obscure(depends('owner'));
}
