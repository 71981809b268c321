import { IP_COUNTERS } from './counters-ip.ts';
import { LISTENER_COUNTERS } from './counters-listener.ts';
import { TCP_COUNTERS } from './counters-tcp.ts';
import type { Explanation } from './entry.ts';

/** What kernel counters mean for a handshake, and what does not move them. */
export const COUNTERS: Readonly<Record<string, Explanation>> = {
  ...LISTENER_COUNTERS,
  ...TCP_COUNTERS,
  ...IP_COUNTERS,
};
