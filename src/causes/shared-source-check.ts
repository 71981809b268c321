import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import type { PacketFilter } from '../model/facts/packet-filter.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { hitName, weighHits } from './shared-filter.ts';
import { rpFilterMode } from './shared-reply.ts';
import { expectedSyns } from './shared-silence.ts';

type Sysctls = Readonly<Record<string, string>> | undefined;

/**
 * Whether the input path refuses the source of a packet: rp_filter, or a martian check. The kernel answers `ip route get … iif` with
 * EINVAL since 6.13 and with EXDEV before; a packet for an address that is not of this host fails in other words.
 */
export function sourceRefused(incoming: RouteLookup | undefined): boolean {
  if (incoming === undefined || incoming.ok) return false;
  return incoming.failure === 'invalid-source' || /invalid (argument|cross-device link)/i.test(incoming.message ?? '');
}

/** The reverse path filter in force on an interface, or undefined when its sysctls were not read. */
export function knownRpFilter(sysctls: Sysctls, device: string | undefined): number | undefined {
  return sysctlNumber(sysctls, 'net.ipv4.conf.all.rp_filter') === undefined ? undefined : rpFilterMode(sysctls, device);
}

/** `rp_filter=2 on eth0`, with where the value comes from when it is that of all interfaces. */
export function rpFilterText(sysctls: Sysctls, device: string | undefined): string {
  const mode = rpFilterMode(sysctls, device);
  const own = device === undefined ? undefined : sysctlNumber(sysctls, `net.ipv4.conf.${device}.rp_filter`);
  if (device === undefined) return `rp_filter=${mode}`;
  return own === mode ? `rp_filter=${mode} on ${device}` : `rp_filter=${mode} on ${device} (from conf.all)`;
}

/** The address of this host that a packet claims as its source; undefined when it is a stranger's. */
export function ownSource(attempt: Attempt, addresses: readonly LinkAddress[] | undefined): LinkAddress | undefined {
  return addresses?.find(({ address }) => address === attempt.client.address);
}

/** Why an IPv4 address can never be the source of a packet from the network (RFC 1122 section 3.2.1.3); undefined when it can. */
export function impossibleSource(address: string): string | undefined {
  const [first = 0] = address.split('.').map(Number);
  if (address.includes(':') || address === '0.0.0.0') return undefined;
  if (first === 127) return 'a loopback address';
  if (first === 0) return 'an address of "this network" (0.0.0.0/8)';
  if (address === '255.255.255.255') return 'the broadcast address';
  return first >= 224 && first < 240 ? 'a multicast address' : undefined;
}

/** A rule in the ingress or prerouting hook that ends the SYN before its source is checked, as evidence against that check. */
export function dropsBeforeRouting(filter: PacketFilter | undefined, attempt: Attempt): CauseEvidence | undefined {
  if (filter === undefined) return undefined;
  const { decider } = weighHits(filter, attempt, 'syn-in', expectedSyns(attempt));
  if (decider === undefined || (decider.hit.hook !== 'prerouting' && decider.hit.hook !== 'ingress')) return undefined;
  return contradicts('strong', 'packetFilter', `${hitName(decider.hit)} ends the SYN before its source is checked`);
}

/** Of a SYN that is only supposed: its source is an own address, so that it is answered over lo, and not when it comes from the network. */
export function ownIfFromOutside(attempt: Attempt, addresses: readonly LinkAddress[]): CauseEvidence[] {
  const own = ownSource(attempt, addresses);
  if (own === undefined || own.address.startsWith('127.') || own.address === '::1') return [];
  return [
    supports(
      'moderate',
      'addresses',
      `${own.address} is an address of this host itself (on ${own.device}): no other host may use it`,
    ),
  ];
}
