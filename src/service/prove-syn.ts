import { trackCapture } from '../collect/track-capture.ts';
import { supposedEnds } from '../collect/watch/own-address.ts';
import type { FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { parseAddress } from '../formats/wire/address.ts';
import { canonicalAddress } from '../formats/wire/canonical-address.ts';
import { dissect } from '../formats/wire/dissect.ts';
import { CONTENT_TCP, createLayers, type Layers } from '../formats/wire/layers.ts';
import { materialize } from '../handshake/materialize.ts';
import { isFailure } from '../handshake/outcome.ts';
import type { HandshakeTracker } from '../handshake/tracker.ts';
import { readCapture } from '../host/capture-input.ts';
import type { Host } from '../host/host.ts';
import { InputError } from '../model/errors.ts';
import type { Endpoint } from '../model/flow.ts';
import type { Handshake } from '../model/handshake.ts';
import { TCP_ACK, TCP_RST, TCP_SYN } from '../twin/frames.ts';
import type { HostState } from '../twin/state.ts';
import type { SynSpec, TwinRole } from '../twin/syn.ts';

/** Which attempt of a capture is meant. */
export interface CapturedSynQuery {
  readonly file: string;
  readonly port: number;
  readonly address?: string;
  readonly from?: string;
  readonly signal?: AbortSignal;
}

/** A SYN of a capture that was not answered as it should. */
export interface CapturedSyn {
  readonly handshake: Handshake;
  /** The bytes of its first packet, and of what kind of link they are. */
  readonly bytes: Uint8Array;
  readonly linkType: number;
  /** Name of the interface, where the capture tells it. */
  readonly device?: string;
  /** MAC addresses of the frames of the capture: whose it is. */
  readonly macs: ReadonlySet<string>;
  /** Who sent a SYN-ACK for it from another address or port than it was sent to: MAC addresses. */
  readonly foreignAnswers: ReadonlySet<string>;
}

/** LINKTYPE_ values: Ethernet, and the two kinds of Linux cooked captures. */
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_SLL = 113;
const LINKTYPE_SLL2 = 276;
const MAX_MACS = 4096;

/**
 * Finds the first failed attempt to a port in a capture; one that was answered when none failed.
 * @throws InputError when there is neither, ParseError as `readCapture` does.
 */
export async function findCapturedSyn(query: CapturedSynQuery): Promise<CapturedSyn> {
  const { file, port, signal } = query;
  const options = signal === undefined ? {} : { signal };
  const address = query.address === undefined ? undefined : canonicalAddress(query.address)?.address;
  const from = query.from === undefined ? undefined : canonicalAddress(query.from.split('%')[0] ?? '')?.address;
  let found: Handshake | undefined;
  let open: Handshake | undefined;
  let answered: Handshake | undefined;
  const onClose = (tracker: HandshakeTracker, row: number, baseNs: bigint): void => {
    if (found !== undefined) return;
    const handshake = materialize(tracker.table, row, baseNs);
    const { client, server, outcome, stage } = handshake;
    if (server.port !== port || (address !== undefined && server.address !== address)) return;
    if (from !== undefined && client.address !== from) return;
    if (handshake.segments[0]?.direction !== 'to-server') return;
    if (isFailure(outcome)) found = handshake;
    // The capture ended before the client gave up.
    else if (outcome === 'in-progress' && stage === 'syn') open ??= handshake;
    else answered ??= handshake;
  };
  await trackCapture(file, options, { onClose });
  found ??= open ?? answered;
  if (found === undefined) {
    throw new InputError({
      code: 'no-failed-attempt',
      message: `${file} holds no attempt to port ${port}${from === undefined ? '' : ` from ${from}`} that begins with a SYN.`,
      hint: 'Name the port as the server has it, or give the client with --from and leave --pcap out.',
    });
  }
  return { handshake: found, ...(await readPacket(file, found, options)) };
}

async function readPacket(
  file: string,
  { client, server, segments }: Handshake,
  options: { readonly signal?: AbortSignal },
): Promise<Omit<CapturedSyn, 'handshake'>> {
  const { frame = 1, seq = 0 } = segments.find(({ direction }) => direction === 'to-server') ?? {};
  const wanted = { ends: [client, server], acknowledgement: (seq + 1) >>> 0 } as const;
  const foreignAnswers = new Set<string>();
  const layers = createLayers();
  let bytes: Uint8Array = new Uint8Array(0);
  let linkType = -1;
  let device: string | undefined;
  const macs = new Set<string>();
  const take = (reader: FrameReader, view: DataView, batch: FrameBatch, first: number): void => {
    for (let index = 0; index < batch.count; index++) {
      const start = batch.dataOffset[index]!;
      const captured = batch.capturedBytes[index]!;
      const one = reader.interfaces[batch.interfaceId[index]!];
      if (one?.linkType === LINKTYPE_ETHERNET && captured >= 12 && macs.size < MAX_MACS) {
        macs.add(macAt(view, start)).add(macAt(view, start + 6));
      }
      if (one?.linkType === LINKTYPE_ETHERNET && foreignAnswers.size < MAX_MACS) {
        dissect(view, start, start + captured, one.linkType, layers);
        if (isForeignAnswer(view, layers, wanted)) foreignAnswers.add(macAt(view, start + 6));
      }
      if (first + index !== frame) continue;
      bytes = new Uint8Array(view.buffer.slice(view.byteOffset + start, view.byteOffset + start + captured));
      linkType = one?.linkType ?? -1;
      device = one?.name;
    }
  };
  await readCapture(file, take, options);
  return { bytes, linkType, macs, foreignAnswers, ...(device === undefined ? {} : { device }) };
}

/** A SYN-ACK to the client for the sequence number of its SYN, that does not come from where the SYN was sent to. */
function isForeignAnswer(
  view: DataView,
  { content, cut, ipVersion, ipOffset, transportOffset }: Layers,
  {
    ends: [client, server],
    acknowledgement,
  }: { readonly ends: readonly [Endpoint, Endpoint]; readonly acknowledgement: number },
): boolean {
  if (
    content !== CONTENT_TCP ||
    cut ||
    (view.getUint8(transportOffset + 13) & (TCP_SYN | TCP_RST | TCP_ACK)) !== (TCP_SYN | TCP_ACK)
  )
    return false;
  if (view.getUint32(transportOffset + 8) !== acknowledgement) return false;
  const [at, length] = ipVersion === 4 ? [ipOffset + 12, 4] : [ipOffset + 8, 16];
  const has = (from: number, address: string): boolean =>
    parseAddress(address)?.every((byte, index) => view.getUint8(from + index) === byte) === true;
  return (
    view.getUint16(transportOffset + 2) === client.port &&
    has(at + length, client.address) &&
    !(view.getUint16(transportOffset) === server.port && has(at, server.address))
  );
}

/** Whether a capture shows that the server did answer: by its SYN-ACK, or by the client's ACK for one that left by another way. */
export function isAnswered({ handshake: { segments } }: Pick<CapturedSyn, 'handshake'>): boolean {
  return segments.some(({ kind, direction, flags }) =>
    direction === 'to-client'
      ? kind === 'syn-ack'
      : kind !== 'icmp' && (flags & (TCP_SYN | TCP_RST | TCP_ACK)) === TCP_ACK,
  );
}

/** What a host was seen to answer. */
export type SeenReply = 'syn-ack' | 'silence' | 'rst' | 'icmp';

/** What the host of a capture was seen to answer; also from another address, as a program of its own may. */
export function capturedReply({ handshake, foreignAnswers }: CapturedSyn, { links }: HostState): SeenReply | undefined {
  const isOwn = links.some(({ linkAddress }) => linkAddress !== undefined && foreignAnswers.has(linkAddress));
  return isOwn ? 'syn-ack' : seenReply(handshake);
}

/** What an attempt met, as far as it tells a copy that is like the host from one that is not. */
export function seenReply(handshake: Handshake): SeenReply | undefined {
  const { outcome, stage, segments } = handshake;
  if (isAnswered({ handshake })) return 'syn-ack';
  if (segments.some(({ kind, direction }) => direction === 'to-client' && kind !== 'rst' && kind !== 'icmp'))
    return undefined;
  if (outcome === 'refused') return 'rst';
  if (outcome === 'unreachable') return 'icmp';
  return outcome === 'no-reply' || (outcome === 'in-progress' && stage === 'syn') ? 'silence' : undefined;
}

/** A SYN as a twin is asked about it, with what is said beside the verdict. */
export interface SpecifiedSyn {
  readonly syn: SynSpec;
  readonly assumptions: readonly string[];
}

/** The SYN of a capture as it came to a host: the packet itself where the capture was made there. */
export function specify({ handshake, bytes, linkType, device, macs }: CapturedSyn, state: HostState): SpecifiedSyn {
  const { client, server } = handshake;
  const syn: SynSpec = {
    family: client.address.includes(':') ? 6 : 4,
    source: client.address,
    sourcePort: client.port,
    destination: server.address,
    destinationPort: server.port,
  };
  const own = new Set(state.links.flatMap(({ linkAddress }) => linkAddress ?? []));
  const isHere = state.addresses.some(({ address }) => address === server.address);
  const layers = createLayers();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  dissect(view, 0, bytes.length, linkType, layers);
  const isWhole =
    layers.ipOffset + ipLength(view, layers.ipOffset, layers.ipVersion) <= bytes.length && layers.tunnelCount === 0;
  const named = device !== undefined && state.links.some(({ name }) => name === device) ? { device } : {};
  if (!isWhole) {
    return {
      syn: { ...syn, ...named },
      assumptions: ['the SYN is made anew: the capture does not hold the whole of it, or holds it in a tunnel'],
    };
  }
  if (linkType === LINKTYPE_ETHERNET) {
    if (![...macs].some((mac) => own.has(mac))) {
      return {
        syn,
        assumptions: [
          'the capture was made on another host (no MAC address of this one is in it): the SYN is made anew',
        ],
      };
    }
    const to = macAt(view, 0);
    const link = state.links.find(({ linkAddress }) => linkAddress === to);
    const on = link === undefined ? named : { device: link.name };
    return { syn: { ...syn, ...on, frame: Buffer.from(bytes).toString('hex') }, assumptions: [] };
  }
  const packet = Buffer.from(bytes.subarray(layers.ipOffset)).toString('hex');
  if (!isHere && linkType !== LINKTYPE_SLL && linkType !== LINKTYPE_SLL2) return { syn, assumptions: [] };
  const mac = cookedSender(view, linkType);
  const index = linkType === LINKTYPE_SLL2 ? view.getUint32(4) : undefined;
  const came = index === undefined ? undefined : state.links.find((link) => link.index === index)?.name;
  return {
    syn: {
      ...syn,
      ...named,
      ...(came === undefined ? {} : { device: came }),
      ...(mac === undefined ? {} : { sourceMac: mac }),
      packet,
    },
    assumptions: [],
  };
}

/** Bytes of an IP packet by its header; beyond any capture when it cannot be told. */
function ipLength(view: DataView, at: number, version: number): number {
  if (version === 4 && at + 4 <= view.byteLength) return view.getUint16(at + 2);
  if (version === 6 && at + 6 <= view.byteLength) return 40 + view.getUint16(at + 4);
  return Number.POSITIVE_INFINITY;
}

/** The sender's MAC address of a packet that came in, in a Linux cooked capture. */
function cookedSender(view: DataView, linkType: number): string | undefined {
  if (linkType === LINKTYPE_SLL && view.byteLength >= 16) {
    return view.getUint16(0) === 0 && view.getUint16(4) === 6 ? macAt(view, 6) : undefined;
  }
  if (linkType !== LINKTYPE_SLL2 || view.byteLength < 20) return undefined;
  return view.getUint8(10) === 0 && view.getUint8(11) === 6 ? macAt(view, 12) : undefined;
}

function macAt(view: DataView, at: number): string {
  return Array.from({ length: 6 }, (_, index) =>
    view
      .getUint8(at + index)
      .toString(16)
      .padStart(2, '0'),
  ).join(':');
}

/** Source port of a SYN that is only supposed. */
const SUPPOSED_PORT = 45_678;

/** The SYN that a client would send; nobody saw it. Of a client the source is its own address, which the kernel chooses unless given. */
export async function supposedSyn(
  host: Host,
  { port, address }: { readonly port: number; readonly address?: string },
  from: string | undefined,
  role: TwinRole,
): Promise<SpecifiedSyn> {
  const peer = role === 'client' ? address : from;
  if (peer === undefined || (role !== 'server' && address === undefined)) {
    throw new InputError({
      code: 'no-address',
      message: `Of a ${role} the address of the server is needed: prove 192.0.2.9:${port} --as ${role}.`,
    });
  }
  const [source = peer] = peer.split('%');
  const family = source.includes(':') ? 6 : 4;
  if (role === 'client') {
    const own = from?.split('%')[0] ?? (family === 4 ? '0.0.0.0' : '::');
    const syn: SynSpec = { family, source: own, sourcePort: SUPPOSED_PORT, destination: source, destinationPort: port };
    return { syn, assumptions: ['the server answers every SYN that reaches it'] };
  }
  const ends = address === undefined || peer.includes('%') ? await supposedEnds(host, peer) : undefined;
  const syn: SynSpec = {
    family,
    source,
    sourcePort: SUPPOSED_PORT,
    destination: address ?? ends?.address ?? '',
    destinationPort: port,
    // Where packets for the client leave is not where its own come in, when the ways differ.
    ...(peer.includes('%') && ends?.device !== undefined ? { device: ends.device } : {}),
  };
  return { syn, assumptions: ['no packet was given: the SYN is that of a usual Linux client'] };
}
