import { sysctlNumber } from '../model/cause-facts.ts';
import type { Listener, SocketTable } from '../model/facts/sockets.ts';

/** Value of `net.ipv4.tcp_syncookies`: 0 never, 1 when the SYN queue is full, 2 always. It governs IPv6 as well. */
export function synCookies(sysctls: Readonly<Record<string, string>> | undefined): number | undefined {
  return sysctlNumber(sysctls, 'net.ipv4.tcp_syncookies');
}

/** The listener to which all half-open connections of the port belong; undefined when several share it. */
export function onlyListener({ matching, mismatched }: SocketTable): Listener | undefined {
  return matching.length === 1 && mismatched.length === 0 ? matching[0] : undefined;
}

/**
 * Whether so few places of `tcp_max_syn_backlog` are free that only proven peers get one: fewer than a quarter (`tcp_conn_request()`).
 * @param halfOpen connections in SYN-RECV of the listener.
 */
export function inLastQuarter(maxSynBacklog: number, halfOpen: number): boolean {
  return maxSynBacklog - halfOpen < Math.floor(maxSynBacklog / 4);
}
