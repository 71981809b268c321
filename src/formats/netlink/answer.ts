import { decodeAttributes, findNumber, findText, viewOf } from './attributes.ts';
import { align4, HEADER_BYTES, type NetlinkMessage } from './message.ts';

/** Types of the messages with which netlink itself answers (linux/netlink.h). */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

/** What the kernel answered to a request (`struct nlmsgerr`, with its extended part). */
export interface NetlinkAnswer {
  /** 0 when it was done; else the number of the error, positive. */
  readonly errno: number;
  /** What the kernel says of it in words. */
  readonly message?: string;
  /** Where in the request the attribute is that it did not like, in bytes from the header on. */
  readonly offset?: number;
}

/**
 * Decodes an NLMSG_ERROR, which is an acknowledgement as well, or the NLMSG_DONE at the end of a dump.
 * @returns undefined for a message of another type, or one that is too short.
 */
export function decodeAnswer({ type, flags, body }: NetlinkMessage): NetlinkAnswer | undefined {
  if (type === NLMSG_DONE) return body.length < 4 ? { errno: 0 } : answer(body, 4);
  if (type !== NLMSG_ERROR || body.length < 4) return undefined;
  if ((flags & NLM_F_ACK_TLVS) === 0) return answer(body, body.length);
  // The request follows: only its header when capped, else the whole of it.
  const asked = body.length < 8 ? 0 : viewOf(body).getUint32(4, true);
  return answer(body, 4 + ((flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : align4(asked)));
}

function answer(body: Uint8Array, attributesAt: number): NetlinkAnswer {
  const list = decodeAttributes(body, attributesAt);
  const message = findText(list, NLMSGERR_ATTR_MSG);
  const offset = findNumber(list, NLMSGERR_ATTR_OFFS);
  return {
    errno: Math.abs(viewOf(body).getInt32(0, true)),
    ...(message === undefined ? {} : { message }),
    ...(offset === undefined ? {} : { offset }),
  };
}
