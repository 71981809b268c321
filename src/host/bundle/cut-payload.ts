import { dissect } from '../../formats/wire/dissect.ts';
import { createIcmpError, decodeIcmpError } from '../../formats/wire/icmp.ts';
import { CONTENT_ICMP, CONTENT_ICMPV6, CONTENT_TCP, createLayers } from '../../formats/wire/layers.ts';
import { ETHERTYPE_ARP, IPPROTO_TCP, LINKTYPE_LINUX_SLL2 } from '../../formats/wire/numbers.ts';
import { SLL2_BYTES } from '../sll2-stream.ts';

/** Of a protocol that matters to nobody here: its ports or its first words. */
const OTHER_TRANSPORT_BYTES = 8;
const ARP_BYTES = 28;
const IPV6_BYTES = 40;
/** ICMP redirect with the 28 bytes that RFC 792 has it quote. */
const QUOTING_REDIRECT_BYTES = 36;
/** The longest message of RFC 4861 (redirect) with one link-layer address option. */
const NEIGHBOUR_DISCOVERY_BYTES = 48;

const layers = createLayers();
const error = createIcmpError();

/** Where the headers of a packet end: what applications say to each other is no part of a recording. */
export function cutPayload(view: DataView, start: number, end: number): number {
  return Math.min(end, headersEnd(view, start, end));
}

function headersEnd(view: DataView, start: number, end: number): number {
  if (view.getUint16(start) === ETHERTYPE_ARP) return start + SLL2_BYTES + ARP_BYTES;
  dissect(view, start, end, LINKTYPE_LINUX_SLL2, layers);
  const { content, transportOffset, ipVersion } = layers;
  switch (content) {
    case CONTENT_TCP:
      return tcpEnd(view, transportOffset, end);
    case CONTENT_ICMP:
    case CONTENT_ICMPV6:
      if (decodeIcmpError(view, transportOffset, end, ipVersion, error)) {
        if (!error.hasPorts) return error.transportOffset > 0 ? error.transportOffset : end;
        if (error.ipProtocol === IPPROTO_TCP) return tcpEnd(view, error.transportOffset, end);
        return error.transportOffset + OTHER_TRANSPORT_BYTES;
      }
      // A redirect may quote more than headers; neighbour discovery is shorter than this.
      return transportOffset + (content === CONTENT_ICMP ? QUOTING_REDIRECT_BYTES : NEIGHBOUR_DISCOVERY_BYTES);
    default:
      return transportOffset > start ? transportOffset + OTHER_TRANSPORT_BYTES : start + SLL2_BYTES + IPV6_BYTES;
  }
}

function tcpEnd(view: DataView, offset: number, end: number): number {
  return offset + 13 > end ? end : offset + Math.max(20, (view.getUint8(offset + 12) >>> 4) * 4);
}
