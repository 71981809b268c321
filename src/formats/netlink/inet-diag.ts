import { canonicalFromBytes } from '../wire/canonical-address.ts';
import { type Attribute, addressOf, decodeAttributes, find, findNumber, viewOf } from './attributes.ts';
import { known } from './known.ts';
import type { NetlinkMessage } from './message.ts';
import { AF_INET, AF_INET6 } from './rtnetlink.ts';

/** Types of sock_diag(7) messages. */
export const SOCK_DIAG_BY_FAMILY = 20;
export const SOCK_DESTROY = 21;

/** States of a TCP socket as the kernel numbers them (net/tcp_states.h). */
export const TCP_STATES = {
  established: 1,
  synSent: 2,
  synReceived: 3,
  finWait1: 4,
  finWait2: 5,
  timeWait: 6,
  close: 7,
  closeWait: 8,
  lastAck: 9,
  listen: 10,
  closing: 11,
  newSynReceived: 12,
} as const;

/** A TCP socket (`struct inet_diag_msg`, linux/inet_diag.h). */
export interface DiagSocket {
  /** Of the socket; its addresses may be IPv4 ones on a socket of IPv6. */
  readonly family: number;
  /** One of {@link TCP_STATES}. */
  readonly state: number;
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
  /** Index of the interface that it is bound to; 0 for any. */
  readonly linkIndex: number;
  /** Of a listener: connections that wait to be accepted. */
  readonly receiveQueue: number;
  /** Of a listener: the longest that the accept queue may get. */
  readonly sendQueue: number;
  readonly inode: number;
  readonly userId: number;
  /** SYN-ACKs or segments that were sent again. */
  readonly retransmits: number;
  /** Takes no IPv4 (IPV6_V6ONLY). */
  readonly v6Only: boolean;
  /** Peers for which it has TCP-MD5 keys; the keys themselves are not kept. */
  readonly md5Peers: readonly { readonly address: string; readonly prefixLength: number }[];
  readonly mark?: number;
  /** What tells this socket from any other that ever was: SOCK_DESTROY without it would look the addresses up, and find the listener. */
  readonly identity: Uint8Array;
}

/** `struct inet_diag_req_v2`: 8 bytes, then the identity (`struct inet_diag_sockid`). */
const REQUEST_BYTES = 56;
const IDENTITY_BYTES = 48;
const SOCKET_HEAD_BYTES = 72;
const IPPROTO_TCP = 6;
const INET_DIAG_SKV6ONLY = 11;
const INET_DIAG_MARK = 15;
const INET_DIAG_MD5SIG = 18;
/** `struct tcp_diag_md5sig`: family, prefix length, key length, address, key. */
const MD5_ENTRY_BYTES = 100;

/**
 * The body of a request for all TCP sockets of a family in certain states.
 * @param states of {@link TCP_STATES}.
 */
export function encodeDiagDump(family: 4 | 6, states: readonly number[]): Uint8Array {
  const body = new Uint8Array(REQUEST_BYTES);
  body[0] = family === 4 ? AF_INET : AF_INET6;
  body[1] = IPPROTO_TCP;
  body[2] = ALL_EXTENSIONS;
  viewOf(body).setUint32(
    4,
    states.reduce((mask, state) => mask | (1 << state), 0),
    true,
  );
  return body;
}

/** The body of a SOCK_DESTROY for exactly one socket that a dump has shown. */
export function encodeDestroy({ family, identity }: Pick<DiagSocket, 'family' | 'identity'>): Uint8Array {
  const body = new Uint8Array(REQUEST_BYTES);
  body[0] = family;
  body[1] = IPPROTO_TCP;
  viewOf(body).setUint32(4, 0xffff_ffff, true);
  body.set(identity, 8);
  return body;
}

const ALL_EXTENSIONS = 0xff;

/** Decodes a socket of a dump; undefined for other messages, and those that are too short. */
export function decodeDiagSocket({ type, body }: NetlinkMessage): DiagSocket | undefined {
  if (type !== SOCK_DIAG_BY_FAMILY || body.length < SOCKET_HEAD_BYTES) return undefined;
  const family = body[0]!;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const view = viewOf(body);
  const attributes = decodeAttributes(body, SOCKET_HEAD_BYTES);
  const length = family === AF_INET ? 4 : 16;
  return {
    family,
    state: body[1]!,
    local: { address: canonicalFromBytes(body.subarray(8, 8 + length)).address, port: view.getUint16(4) },
    remote: { address: canonicalFromBytes(body.subarray(24, 24 + length)).address, port: view.getUint16(6) },
    linkIndex: view.getUint32(40, true),
    receiveQueue: view.getUint32(56, true),
    sendQueue: view.getUint32(60, true),
    userId: view.getUint32(64, true),
    inode: view.getUint32(68, true),
    retransmits: body[3]!,
    v6Only: find(attributes, INET_DIAG_SKV6ONLY)?.[0] === 1,
    md5Peers: md5Peers(attributes),
    ...known('mark', findNumber(attributes, INET_DIAG_MARK)),
    identity: body.slice(4, 4 + IDENTITY_BYTES),
  };
}

function md5Peers(attributes: readonly Attribute[]): { address: string; prefixLength: number }[] {
  const bytes = find(attributes, INET_DIAG_MD5SIG);
  const peers: { address: string; prefixLength: number }[] = [];
  for (let at = 0; bytes !== undefined && at + MD5_ENTRY_BYTES <= bytes.length; at += MD5_ENTRY_BYTES) {
    const length = bytes[at] === AF_INET ? 4 : 16;
    peers.push({ address: addressOf(bytes.subarray(at + 4, at + 4 + length))!, prefixLength: bytes[at + 1]! });
  }
  return peers;
}
