/** A message of netlink(7) without its header fields that only the transport needs. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  /** Of the request that it answers; 0 for a notification. */
  readonly sequence: number;
  /** What follows the header: a fixed part by the type, then attributes. A view into the datagram. */
  readonly body: Uint8Array;
}

/** A message that asks for something. */
export interface NetlinkRequest {
  readonly type: number;
  /** NLM_F_REQUEST is added by who sends it. */
  readonly flags: number;
  readonly body: Uint8Array;
}

/** `struct nlmsghdr` (linux/netlink.h): length, type, flags, sequence, port. */
export const HEADER_BYTES = 16;

/** Flags of every message (linux/netlink.h). */
const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
/** The state changed while it was dumped: the dump has gaps. */
export const NLM_F_DUMP_INTR = 0x10;
/** Flags of a request that reads: all objects, not one. */
export const NLM_F_DUMP = 0x300;
/** Flags of a request that makes something. */
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

/** What a datagram held. */
export interface DecodedDatagram {
  readonly messages: readonly NetlinkMessage[];
  /** `cut`: it ends within a message, which is left out. `malformed`: a length that no message can have; the rest is left out. */
  readonly damage?: 'cut' | 'malformed';
}

/** Splits a datagram into its messages. */
export function decodeMessages(bytes: Uint8Array): DecodedDatagram {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes.length - offset < HEADER_BYTES) return { messages, damage: 'cut' };
    const length = view.getUint32(offset, true);
    if (length < HEADER_BYTES) return { messages, damage: 'malformed' };
    if (length > bytes.length - offset) return { messages, damage: 'cut' };
    messages.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      body: bytes.subarray(offset + HEADER_BYTES, offset + length),
    });
    offset += align4(length);
  }
  return { messages };
}

/** The bytes of requests that are sent together, numbered from `sequence` on. */
export function encodeRequests(requests: readonly NetlinkRequest[], sequence: number): Uint8Array {
  const bytes = new Uint8Array(requests.reduce((sum, { body }) => sum + HEADER_BYTES + align4(body.length), 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [index, { type, flags, body }] of requests.entries()) {
    view.setUint32(offset, HEADER_BYTES + body.length, true);
    view.setUint16(offset + 4, type, true);
    view.setUint16(offset + 6, flags | NLM_F_REQUEST, true);
    view.setUint32(offset + 8, sequence + index, true);
    bytes.set(body, offset + HEADER_BYTES);
    offset += HEADER_BYTES + align4(body.length);
  }
  return bytes;
}

/** The next multiple of four: netlink aligns messages and attributes (NLMSG_ALIGN, NLA_ALIGN). */
export function align4(length: number): number {
  return (length + 3) & ~3;
}
