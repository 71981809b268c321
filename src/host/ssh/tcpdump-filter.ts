import { parseAddress } from '../../formats/wire/address.ts';
import { type CaptureSpec, HostError } from '../host.ts';

/** One end of a TCP connection. */
export interface FilterEndpoint {
  readonly address: string;
  readonly port: number;
}

const SMALL_V4 = 'ip[2:2] <= 120';
const SMALL_V6 = 'ip6[4:2] <= 80';
/** SYN, FIN or RST. */
const EDGE = '& 7 != 0';

/**
 * What `handshakeFilter` keeps, in the language of pcap-filter(7). TCP over IPv6 is spelled out: `tcp[13]` means IPv4 only.
 * @param without the end of a connection whose packets are left out: our own, whose packets would beget packets.
 * @throws HostError when the peer of the capture is no address.
 */
export function tcpdumpFilter({ port, peer }: CaptureSpec, without?: FilterEndpoint): string {
  const ofPort = port === undefined ? [] : [`port ${port}`];
  const v6Port = port === undefined ? [] : [`(ip6[40:2] = ${port} or ip6[42:2] = ${port})`];
  const ofPeer = peer === undefined ? [] : [`host ${checked(peer)}`];
  const ours = without === undefined ? [] : [`not (host ${checked(without.address)} and port ${without.port})`];
  const v4 = all('ip proto 6', ...ofPort, ...ofPeer, ...ours, any(`tcp[13] ${EDGE}`, SMALL_V4));
  const v6 = all('ip6[6] = 6', ...v6Port, ...ofPeer, ...ours, any(`ip6[53] ${EDGE}`, SMALL_V6));
  const icmp = all('icmp', any(...[3, 4, 5, 11, 12].map((type) => `icmp[0] = ${type}`)));
  const icmpv6 = all('ip6[6] = 58', any('ip6[40] < 128', ...[135, 136, 137].map((type) => `ip6[40] = ${type}`)));
  const extensions = any(...[0, 43, 44, 51, 60].map((header) => `ip6[6] = ${header}`));
  return any('arp', v4, icmp, all('ip6', any(v6, icmpv6, extensions)));
}

function checked(address: string): string {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (parseAddress(bare) === undefined) {
    throw new HostError('failed', `packets of ${address} cannot be captured: it is no address`);
  }
  return bare;
}

function all(...parts: readonly string[]): string {
  return `(${parts.join(' and ')})`;
}

function any(...parts: readonly string[]): string {
  return `(${parts.join(' or ')})`;
}
