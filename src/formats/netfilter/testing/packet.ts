import { addressNumber, bits, equalBits, unknownBits } from '../bits.ts';
import type { FilterPacket } from '../packet.ts';
import type { FilterTable } from '../ruleset.ts';
import { UNKNOWN } from '../truth.ts';
import type { FilterHost } from '../view.ts';
import type { WalkHit } from '../walk-chain.ts';
import { type PacketWalk, walkPacket } from '../walk-packet.ts';

/** A SYN from 198.51.100.20:50204 to 192.0.2.1:443 that comes in through eth0. */
export const SYN: FilterPacket = {
  kind: 'syn-in',
  family: 4,
  origin: 'device',
  direction: 'original',
  source: bits(addressNumber('198.51.100.20')!.value),
  sourcePort: bits(50204),
  destination: bits(addressNumber('192.0.2.1')!.value),
  destinationPort: bits(443),
  flags: bits(2),
  ttl: bits(60),
  window: unknownBits(16),
  options: { present: { maxseg: true, timestamp: true, window: false }, maxSegment: 1460 },
  mark: bits(0),
  linkDestination: 'host',
  ingressDevices: ['eth0'],
  inDevice: ['eth0'],
  outDevice: [''],
  local: true,
  state: 'new',
  returnPath: { exists: true, sameDevice: true },
};

/** The same over IPv6, from 2001:db8:1::2 to 2001:db8:2::2. */
export const SYN_V6: FilterPacket = {
  ...SYN,
  family: 6,
  source: bits(addressNumber('2001:db8:1::2')!.value),
  destination: bits(addressNumber('2001:db8:2::2')!.value),
};

/** A host whose own address is the destination of {@link SYN}, and that knows nothing else. */
const HOST: FilterHost = {
  addressType: (address, type) => {
    const own = equalBits(address, SYN.destination.value);
    return type === 'local' ? own : type === 'unicast' ? own === false : UNKNOWN;
  },
  redirectAddress: () => SYN.destination,
  deviceTowards: () => undefined,
  deviceKind: () => undefined,
  queueBound: () => undefined,
};

/** Walks a packet through tables; no counter says anything. */
export function walk(tables: readonly FilterTable[], packet: FilterPacket = SYN): PacketWalk {
  return walkPacket(tables, packet, { host: HOST, stoodStill: () => false });
}

/** What becomes of a packet in short: `pass`, or the verdicts that it may meet with a `?` where they are not sure. */
export function fate(tables: readonly FilterTable[], packet: FilterPacket = SYN): string {
  const { hits, passes } = walk(tables, packet);
  const verdicts = hits.map(({ verdict, doubt }: WalkHit) => `${verdict.kind}${doubt === undefined ? '' : '?'}`);
  return [...verdicts, ...(passes ? ['pass'] : [])].join(' ');
}
