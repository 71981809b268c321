import { covers } from '../formats/iproute/prefix.ts';
import { InputError } from '../model/errors.ts';
import {
  ETHERNET_BYTES,
  isOffloaded,
  macAt,
  macBytes,
  removeSignature,
  repairTcpChecksum,
  SYN_OPTIONS,
  shapeOf,
  TCP_SYN,
  tcpFrame,
} from './frames.ts';
import type { HostState } from './state.ts';
import type { SynSpec } from './syn.ts';
import { STRANGER, type World } from './world.ts';

/** A SYN with everything decided. */
export interface CompleteSyn {
  readonly family: 4 | 6;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly device: string;
  readonly sourceMac: string;
  readonly ttl: number;
  /** It came through a router; otherwise its sender is on the link. */
  readonly isRouted: boolean;
  /** No packet showed it: it is asked whether it would be answered. */
  readonly isSupposed: boolean;
  /** As in {@link SynSpec}. */
  readonly isAskedFor: boolean;
  readonly frame: Buffer;
  /** Sequence number of its TCP header. */
  readonly sequence: number;
  /** It bore a signature (TCP-MD5, TCP-AO), which is taken out: the copy has not the keys. */
  readonly isSigned: boolean;
  /** What was decided here. */
  readonly assumed: readonly string[];
}

/** What senders start with (RFC 1340 recommends 64; others are usual). */
const START_TTLS: readonly number[] = [32, 64, 128, 255];
const SEQUENCE = 0x1234_5678;

/** Decides what a description of a SYN leaves open. @throws InputError when there is no interface that it could have come in by. */
export function completeSyn(syn: SynSpec, state: HostState, world: World, devices: readonly string[]): CompleteSyn {
  const assumed: string[] = [];
  const device = syn.device ?? likelyDevice(syn, state, devices);
  if (device === undefined || !state.links.some(({ name }) => name === device)) {
    throw new InputError({
      code: 'no-device',
      message:
        device === undefined
          ? `No interface is known by which a SYN from ${syn.source} could come in.`
          : `The host has no interface ${device}, by which the SYN is said to have come in.`,
    });
  }
  if (syn.device === undefined) assumed.push(`the SYN comes in by ${device}`);
  const onLink = isOnLink(syn.source, world.layer3(device), state);
  const captured = capturedFrame(syn);
  const capturedTtl = captured === undefined ? undefined : captured[captured.readUInt16BE(12) === 0x0800 ? 22 : 21];
  const ttl = syn.ttl ?? capturedTtl ?? (onLink ? 64 : 63);
  const isRouted = !onLink && !(syn.ttl !== undefined && START_TTLS.includes(ttl));
  const hasMac = captured !== undefined && syn.frame !== undefined;
  const sourceMac =
    (hasMac ? macAt(captured, 6) : syn.sourceMac) ?? senderMac(syn, device, onLink, state, world, assumed);
  const frame = captured ?? supposedFrame(syn, sourceMac, ttl);
  if (syn.frame === undefined) {
    frame.set(macBytes(ownMac(device, state, world)), 0);
    frame.set(macBytes(sourceMac), 6);
  }
  if (isOffloaded(frame)) repairTcpChecksum(frame);
  // Where no signature is wanted, any is wrong; where one is, only the keys tell.
  const isSigned = mayWantSignature(syn, state) && removeSignature(frame);
  if (isSigned) assumed.push('the signature of the SYN is right');
  if (captured === undefined && syn.isAskedFor !== true && !isOnLink(syn.destination, world.layer3(device), state)) {
    assumed.push(
      `whoever delivers the SYN sends packets for ${syn.destination} to this host without asking for that address`,
    );
  }
  const { transport } = shapeOf(frame);
  return {
    family: syn.family,
    source: syn.source,
    sourcePort: syn.sourcePort,
    destination: syn.destination,
    destinationPort: syn.destinationPort,
    device,
    sourceMac,
    ttl,
    isRouted,
    isSupposed: captured === undefined,
    isAskedFor: syn.isAskedFor === true,
    isSigned,
    frame,
    sequence: transport < 0 || transport + 8 > frame.length ? SEQUENCE : frame.readUInt32BE(transport + 4),
    assumed,
  };
}

/** Whether an address is in a prefix that an interface of the host has. */
export function isOnLink(address: string, device: string, { addresses }: HostState): boolean {
  return addresses.some(
    (own) =>
      own.device === device &&
      (own.peer === undefined ? covers(`${own.address}/${own.prefixLength}`, address) : own.peer === address),
  );
}

function mayWantSignature({ destinationPort }: SynSpec, { sockets }: HostState): boolean {
  const listeners = sockets.filter(({ state, local }) => state === 'LISTEN' && local.port === destinationPort);
  return listeners.some(({ options }) => options === undefined || options.md5Peers !== undefined);
}

function capturedFrame({ frame, packet, family }: SynSpec): Buffer | undefined {
  if (frame !== undefined) return Buffer.from(frame, 'hex');
  if (packet === undefined) return undefined;
  const ethernet = Buffer.alloc(ETHERNET_BYTES);
  ethernet.writeUInt16BE(family === 4 ? 0x0800 : 0x86dd, 12);
  return Buffer.concat([ethernet, Buffer.from(packet, 'hex')]);
}

function supposedFrame(syn: SynSpec, sourceMac: string, ttl: number): Buffer {
  return tcpFrame({
    ...syn,
    sourceMac,
    destinationMac: sourceMac,
    flags: TCP_SYN,
    sequence: SEQUENCE,
    ttl,
    options: SYN_OPTIONS,
  });
}

/** Where the address of the server is; else where anything can come in. */
function likelyDevice(
  { destination, source }: SynSpec,
  state: HostState,
  devices: readonly string[],
): string | undefined {
  const isUsable = (name: string): boolean =>
    devices.includes(name) || state.links.some(({ master }) => master === name);
  const near = state.addresses.find(({ device }) => isUsable(device) && isOnLink(source, device, state));
  const own = state.addresses.find(({ address, device }) => address === destination && isUsable(device));
  return near?.device ?? own?.device ?? devices[0];
}

function ownMac(device: string, { links }: HostState, world: World): string {
  const mac = (name: string): string | undefined => links.find((link) => link.name === name)?.linkAddress;
  const found = mac(world.layer3(device)) ?? mac(device) ?? STRANGER;
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(found) ? found : STRANGER;
}

/** Who delivers a SYN: the client itself on its own link, else the gateway, else somebody. */
function senderMac(
  { source, family }: SynSpec,
  device: string,
  onLink: boolean,
  state: HostState,
  world: World,
  assumed: string[],
): string {
  if (onLink) {
    const known = world.macOf(device, source);
    if (known !== undefined) return known;
    assumed.push(`${source} has the MAC address ${STRANGER}`);
    return STRANGER;
  }
  const link = world.layer3(device);
  const gateways = state.routes
    .filter((route) => route.family === family)
    .flatMap(({ nextHops }) => nextHops)
    .filter((hop) => hop.device === link && hop.gateway !== undefined)
    .flatMap(({ gateway = '' }) => {
      const mac = world.macOf(device, gateway);
      return mac === undefined ? [] : [{ gateway, mac }];
    });
  const [first] = gateways;
  if (first !== undefined) {
    assumed.push(`the gateway ${first.gateway} (${first.mac}) on ${link} delivers the SYN`);
    return first.mac;
  }
  // A router of the other family is as a rule the same machine.
  const [only, ...others] = new Set(world.neighboursOn(device).map(({ mac }) => mac));
  if (only !== undefined && others.length === 0) {
    assumed.push(`the only neighbour on ${link}, ${only}, delivers the SYN`);
    return only;
  }
  assumed.push(`a router on ${link} that the host does not know delivers the SYN`);
  return STRANGER;
}
