import { DEVICE_DROP_REASONS } from './dropreasons-device.ts';
import { IP_DROP_REASONS } from './dropreasons-ip.ts';
import { TCP_DROP_REASONS } from './dropreasons-tcp.ts';
import type { Explanation } from './entry.ts';

/**
 * What the kernel's skb drop reasons mean for a handshake, by name: their numbers differ from release to release
 * (include/net/dropreason-core.h; in the trace event skb:kfree_skb since Linux 5.17).
 */
export const DROP_REASONS: Readonly<Record<string, Explanation>> = {
  ...TCP_DROP_REASONS,
  ...IP_DROP_REASONS,
  ...DEVICE_DROP_REASONS,
};
