import { type Bits, bits, isKnown, partlyUnknown, unknownBits } from '../../formats/netfilter/bits.ts';
import { type Names, NO_DEVICE } from '../../formats/netfilter/names.ts';
import type { Connection, Endpoints, FilterPacket, PacketKind, PacketOptions } from '../../formats/netfilter/packet.ts';
import { type Doubt, depends, type Truth } from '../../formats/netfilter/truth.ts';
import type { FilterHost } from '../../formats/netfilter/view.ts';
import type { SegmentKind, SynOptions } from '../../model/handshake.ts';
import { type AttemptScope, known } from './collector.ts';
import { egressDevices, inputDevices, isLoopback, outputDevice } from './packet-filter-devices.ts';
import { addressBits, returnPath } from './packet-filter-host.ts';

/** A packet of the attempt that goes in or out through this host. */
export interface PacketRole {
  readonly kind: PacketKind;
  readonly segment: 'syn' | 'syn-ack' | 'ack';
  readonly way: 'in' | 'out';
}

/** The packets of an attempt on this host, in order; over loopback each is both sent and received. */
export function packetRoles(scope: AttemptScope): readonly PacketRole[] {
  const loopback = isLoopback(scope);
  const server = scope.side === 'server';
  const roles: readonly PacketRole[] = [
    { kind: 'syn-out', segment: 'syn', way: 'out' },
    { kind: 'syn-in', segment: 'syn', way: 'in' },
    { kind: 'syn-ack-out', segment: 'syn-ack', way: 'out' },
    { kind: 'syn-ack-in', segment: 'syn-ack', way: 'in' },
    { kind: 'ack-out', segment: 'ack', way: 'out' },
    { kind: 'ack-in', segment: 'ack', way: 'in' },
  ];
  return roles.filter(({ segment, way }) => loopback || (way === 'in') === (server !== (segment === 'syn-ack')));
}

/** Addresses and ports of the SYN before any translation. */
export function synEndpoints({ attempt }: AttemptScope): Endpoints {
  const { client, server, family } = attempt;
  return {
    source: addressBits(client.address, family),
    sourcePort: port(client.port),
    destination: addressBits(server.address, family),
    destinationPort: port(server.port),
  };
}

function port(number: number): Bits {
  return number === 0 ? unknownBits(16) : bits(number);
}

/** What came of the SYN. */
export interface SynResult {
  readonly connection: Connection;
  /** It is sent on to another host or namespace, through this device. */
  readonly forwardedTo?: Names;
}

/** One packet of the attempt, as far as the facts tell it. */
export function filterPacket(
  role: PacketRole,
  scope: AttemptScope,
  host: FilterHost,
  result: SynResult | undefined,
): FilterPacket {
  const packet = ownPacket(role, scope, host, result?.connection);
  if (role.segment !== 'syn-ack' || role.way !== 'out' || result === undefined || !('forwardedTo' in result))
    return packet;
  // The answer comes from where the SYN was sent on to.
  const { uid: _, linkDestination: __, ...rest } = packet;
  const from = result.forwardedTo;
  return {
    ...rest,
    origin: 'device',
    local: false,
    inDevice: from,
    ...(from === undefined ? {} : { ingressDevices: from }),
    mark: arrivingMark(scope, from),
    returnPath: { exists: depends('reverse-path'), sameDevice: depends('reverse-path') },
  };
}

function ownPacket(
  { kind, segment, way }: PacketRole,
  scope: AttemptScope,
  host: FilterHost,
  connection: Connection | undefined,
): FilterPacket {
  const syn = synEndpoints(scope);
  const reply = segment === 'syn-ack';
  const loopback = isLoopback(scope);
  const inDevice: Names = way === 'in' ? inputDevices(scope, loopback) : NO_DEVICE;
  const outDevice = outputDevice(scope, way, loopback);
  const ends = reply ? replyEndpoints(syn, connection) : syn;
  const seen = linkDestination(scope, segment);
  const ingress = way === 'in' ? ingressDevices(scope, segment, loopback) : [];
  const egress = way === 'out' ? egressDevices(scope, outDevice) : undefined;
  const uid = way === 'out' ? socketUid(scope, segment) : undefined;
  return {
    kind,
    family: scope.attempt.family,
    origin: way === 'in' ? 'device' : 'local',
    direction: reply ? 'reply' : 'original',
    ...ends,
    flags: flagsOf(scope, segment),
    ttl: way === 'in' && scope.attempt.arrivedTtl !== undefined ? bits(scope.attempt.arrivedTtl) : unknownBits(8),
    window: unknownBits(16),
    options: segment === 'ack' ? { present: {} } : optionsOf(scope, segment),
    mark: way === 'in' ? arrivingMark(scope, inDevice) : socketMark(scope, segment),
    ...(seen === undefined ? {} : { linkDestination: seen }),
    ...(ingress === undefined ? {} : { ingressDevices: ingress }),
    ...(egress === undefined ? {} : { egressDevices: egress }),
    inDevice,
    outDevice,
    local: way === 'in' ? isLocal(scope, host, ends.destination, reply) : true,
    ...(uid === undefined ? {} : { uid }),
    state: stateOf(scope, segment, connection),
    ...(connection === undefined ? {} : { connection }),
    returnPath: returnPath(scope, inDevice),
  };
}

/** The SYN-ACK answers what arrived: the translated SYN. */
function replyEndpoints(syn: Endpoints, connection: Connection | undefined): Endpoints {
  return {
    source: connection?.destination?.address ?? syn.destination,
    sourcePort: connection?.destination?.port ?? syn.destinationPort,
    destination: connection?.source?.address ?? syn.source,
    destinationPort: connection?.source?.port ?? syn.sourcePort,
  };
}

const FLAGS: Readonly<Record<PacketRole['segment'], number>> = { syn: 0x02, 'syn-ack': 0x12, ack: 0x10 };
/** ECE and CWR. */
const ECN_FLAGS = 0xc0;

/** As they were captured; several that differ leave those bits open. Uncaptured, only ECN is in question. */
function flagsOf({ attempt }: AttemptScope, segment: PacketRole['segment']): Bits {
  const wanted: SegmentKind = segment;
  const captured =
    attempt.handshake?.segments.filter(({ kind }) => kind === wanted).map(({ flags }) => flags & 0xff) ?? [];
  const [first] = captured;
  if (first !== undefined) {
    const differ = captured.reduce((mask, flags) => mask | (flags ^ first), 0);
    return partlyUnknown(first, differ, depends('ecn'));
  }
  if (segment === 'syn' && attempt.oddFlags !== undefined) return bits(attempt.oddFlags & 0xff);
  const plain = segment === 'ack' || (segment === 'syn-ack' && attempt.synOptions?.ecnSetup === false);
  return partlyUnknown(FLAGS[segment], plain ? 0 : ECN_FLAGS, depends('ecn'));
}

function optionsOf({ attempt }: AttemptScope, segment: 'syn' | 'syn-ack'): PacketOptions {
  const options = segment === 'syn' ? attempt.synOptions : attempt.handshake?.serverOptions;
  if (options === undefined) return { present: {} };
  const all = presentOptions(options);
  // Beyond where the capture ends others may follow.
  const present = options.cut ? Object.fromEntries(Object.entries(all).filter(([, there]) => there)) : all;
  return {
    present,
    ...(options.mssBytes === undefined ? {} : { maxSegment: options.mssBytes }),
    ...(options.windowScaleShift === undefined ? {} : { windowScale: options.windowScaleShift }),
  };
}

function presentOptions(options: SynOptions): Record<string, boolean> {
  return {
    maxseg: options.mssBytes !== undefined,
    window: options.windowScaleShift !== undefined,
    'sack-perm': options.sackPermitted,
    timestamp: options.timestamps,
    fastopen: options.fastOpen !== undefined,
    mptcp: options.mptcp,
    md5sig: options.md5,
  };
}

/** A packet has no mark when it comes in, unless a filter or program of traffic control sets one. */
function arrivingMark(scope: AttemptScope, inDevice: Names): Bits {
  const filters = known(scope, 'trafficControl');
  const programs = known(scope, 'bpfPrograms');
  if (filters === undefined && inDevice?.every((name) => name === 'lo') !== true)
    return unknownBits(32, depends('mark'));
  const marked =
    filters?.some(({ where, device }) => where === 'ingress' && inDevice?.includes(device) !== false) === true ||
    programs?.some(({ hook, onPath }) => hook === 'tc-ingress' && onPath !== false) === true;
  return marked ? unknownBits(32, depends('mark')) : bits(0);
}

/** The mark of the socket that sends (SO_MARK); that of a request comes from its listener or from the SYN. */
function socketMark(scope: AttemptScope, segment: PacketRole['segment']): Bits {
  const unknown = unknownBits(32, depends('mark'));
  if (segment !== 'syn-ack') return scope.attempt.connect === undefined ? unknown : bits(0);
  if (Number(known(scope, 'sysctls')?.['net.ipv4.tcp_fwmark_accept'] ?? 0) !== 0) return unknown;
  const listeners = known(scope, 'sockets')?.matching;
  const marks = new Set(listeners?.map(({ mark }) => mark ?? 0));
  const [mark] = marks;
  return marks.size === 1 && mark !== undefined ? bits(mark) : unknown;
}

function socketUid(scope: AttemptScope, segment: PacketRole['segment']): Bits | undefined {
  if (segment !== 'syn-ack') return undefined;
  const uids = new Set(known(scope, 'sockets')?.matching.map(({ uid }) => uid));
  const [uid] = uids;
  return uids.size === 1 && uid !== undefined ? bits(uid) : undefined;
}

function linkDestination(
  { attempt }: AttemptScope,
  segment: PacketRole['segment'],
): 'host' | 'broadcast' | 'multicast' | 'otherhost' | undefined {
  const kinds = new Set(
    attempt.sightings
      .filter((sighting) => sighting.segment === segment && sighting.direction === 'in')
      .map((sighting) => sighting.linkDestination),
  );
  const [kind] = kinds;
  return kinds.size === 1 && kind !== 'unknown' ? kind : undefined;
}

/** Devices whose ingress hook the packet passed: those that the capture names, or the one by which it must come. */
function ingressDevices(
  scope: AttemptScope,
  segment: PacketRole['segment'],
  loopback: boolean,
): readonly string[] | undefined {
  if (loopback) return ['lo'];
  const { attempt } = scope;
  const seen = attempt.sightings.filter((one) => one.segment === segment && one.direction === 'in');
  const names = seen.flatMap(({ device }) => (device === undefined ? [] : [device]));
  if (names.length > 0 && names.length === seen.length) return [...new Set(names)];
  const devices = inputDevices(scope, false);
  return devices?.length === 1 ? devices : undefined;
}

/** Whether it is for this host: by the lookup of the kernel, or by the addresses that the host has. */
function isLocal(scope: AttemptScope, host: FilterHost, destination: Bits, reply: boolean): Truth {
  const route = known(scope, 'incomingRoute');
  if (route?.ok === true) return route.type === 'local' || (route.type === undefined && route.device === undefined);
  if (reply || !isKnown(destination)) return true;
  const own = host.addressType(destination, 'local');
  return typeof own === 'boolean' ? own : true;
}

function stateOf(
  scope: AttemptScope,
  segment: PacketRole['segment'],
  connection: Connection | undefined,
): 'new' | 'established' | 'invalid' | Doubt {
  if (segment === 'syn') return synState(scope);
  const untracked = connection?.untracked ?? false;
  if (untracked === false) return 'established';
  // A SYN-ACK or ACK of which tracking never saw the SYN (nf_conntrack_tcp_packet()); an ACK may be picked up in the middle.
  if (untracked === true) return segment === 'syn-ack' ? 'invalid' : depends('ct-state');
  return untracked;
}

/** Of a connection that is older than the attempt and still known, a SYN is no first packet. */
function synState(scope: AttemptScope): 'new' | Doubt {
  const { attempt } = scope;
  const handshaking = ['SYN_SENT', 'SYN_RECV', 'SYN_SENT2'];
  const older = known(scope, 'conntrack')?.entries.some(
    ({ state, unreplied }) => state !== undefined && !unreplied && !handshaking.includes(state),
  );
  return attempt.observed && older === true && attempt.synAcks === 0 ? depends('ct-state') : 'new';
}
