import type { TcpOptions } from '../formats/wire/tcp-options.ts';
import {
  OPTION_AO,
  OPTION_CUT,
  OPTION_FAST_OPEN_COOKIE,
  OPTION_FAST_OPEN_REQUEST,
  OPTION_MD5,
  OPTION_MPTCP,
  OPTION_MSS,
  OPTION_SACK,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
} from './attempt-layout.ts';

/** Packs the options of a SYN or SYN-ACK into one word of a row; whether it asks for ECN is known from its flags. */
export function packTcpOptions(options: TcpOptions): number {
  let bits = 0;
  if (options.hasMss) bits |= OPTION_MSS | (options.mssBytes << 16);
  if (options.hasWindowScale) bits |= OPTION_WINDOW_SCALE | (options.windowScaleShift & 15);
  if (options.sackPermitted) bits |= OPTION_SACK;
  if (options.hasTimestamps) bits |= OPTION_TIMESTAMPS;
  if (options.fastOpen === 1) bits |= OPTION_FAST_OPEN_REQUEST;
  if (options.fastOpen === 2) bits |= OPTION_FAST_OPEN_COOKIE;
  if (options.mptcp) bits |= OPTION_MPTCP;
  if (options.md5) bits |= OPTION_MD5;
  if (options.ao) bits |= OPTION_AO;
  if (options.cut) bits |= OPTION_CUT;
  return bits;
}
