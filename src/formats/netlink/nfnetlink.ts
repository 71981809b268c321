import type { NetlinkRequest } from './message.ts';

/** Number of nftables among the parts of nfnetlink (linux/netfilter/nfnetlink.h). */
const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;

/** `struct nfgenmsg`: family, version, and two bytes in network order. */
export const NFGEN_BYTES = 4;

/** The type of a message of nftables. */
export function nftType(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}

/** Which message of nftables a type is; undefined when it is none. */
export function nftMessage(type: number): number | undefined {
  return type >>> 8 === NFNL_SUBSYS_NFTABLES ? type & 255 : undefined;
}

/** The fixed part of a message of nfnetlink. */
export function nfgen(family: number): Uint8Array {
  return Uint8Array.of(family, 0, 0, 0);
}

/** What goes before and after the requests of a batch. */
export const NFT_BATCH: { readonly begin: NetlinkRequest; readonly end: NetlinkRequest } = {
  begin: { type: NFNL_MSG_BATCH_BEGIN, flags: 0, body: Uint8Array.of(0, 0, 0, NFNL_SUBSYS_NFTABLES) },
  end: { type: NFNL_MSG_BATCH_END, flags: 0, body: Uint8Array.of(0, 0, 0, NFNL_SUBSYS_NFTABLES) },
};
