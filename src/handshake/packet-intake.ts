import type { FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { dissect } from '../formats/wire/dissect.ts';
import { createIcmpError, decodeIcmpError, type IcmpError } from '../formats/wire/icmp.ts';
import { CONTENT_ICMP, CONTENT_ICMPV6, CONTENT_TCP, createLayers, type Layers } from '../formats/wire/layers.ts';
import { decodeTcpOptions } from '../formats/wire/tcp-options.ts';
import { encapsulationIndex } from './encapsulation.ts';
import { foldIpv6, hashFlow } from './flow-index.ts';
import {
  copyAddress,
  createIcmpInput,
  createSegmentInput,
  type IcmpInput,
  type SegmentInput,
} from './segment-input.ts';
import type { HandshakeTracker } from './tracker.ts';

/** The options that nearly every segment but a SYN carries: NOP, NOP, timestamps (RFC 7323 appendix A). */
const ONLY_TIMESTAMPS = 0x0101080a;

/** What is counted of packets that could not be used as they should. */
export interface IntakeCounts {
  /** TCP packets whose header the capture cut off before the flags. */
  cutTcp: number;
  /** ICMP errors whose quoted packet the capture cut off before the sequence number. */
  cutIcmp: number;
  /** Packets with a header that contradicts itself. */
  malformed: number;
}

/** Decodes the packets that a scan picked out, and hands them to the tracker. */
export class PacketIntake {
  private readonly tracker: HandshakeTracker;
  private readonly counts: IntakeCounts;
  private readonly input: SegmentInput = createSegmentInput();
  private readonly icmpInput: IcmpInput = createIcmpInput();
  private readonly quoted: IcmpError = createIcmpError();
  private readonly layers: Layers = createLayers();
  private reader!: FrameReader;
  private view!: DataView;
  private batch!: FrameBatch;
  private firstFrame = 1;
  private placedInterface = -1;
  private placedLinkType = -1;

  constructor(tracker: HandshakeTracker, counts: IntakeCounts) {
    this.tracker = tracker;
    this.counts = counts;
  }

  /** Names the batch that the following calls index into. */
  begin(reader: FrameReader, view: DataView, batch: FrameBatch, firstFrame: number): void {
    this.reader = reader;
    this.view = view;
    this.batch = batch;
    this.firstFrame = firstFrame;
    this.input.view = view;
  }

  /** Packet `i` of the batch, a TCP segment without encapsulation whose headers the scan has found already. */
  plain(i: number, ip: number, transport: number, hash: number, ipv6: boolean): void {
    const { view, input, batch } = this;
    const end = batch.dataOffset[i]! + batch.capturedBytes[i]!;
    const transportBytes = ipv6 ? view.getUint16(ip + 4) : view.getUint16(ip + 2) - 20;
    input.encapsulation = 0;
    input.hash = hash;
    this.place(i, 0);
    this.segment(ip, transport, Math.max(transportBytes, 0), ipv6, end);
  }

  /** Packet `i` of the batch, whatever it is: dissects it from its first byte. */
  careful(i: number): void {
    const { view, input, layers, batch, reader } = this;
    const start = batch.dataOffset[i]!;
    const linkType = reader.interfaces[batch.interfaceId[i]!]?.linkType ?? -1;
    dissect(view, start, start + batch.capturedBytes[i]!, linkType, layers);
    if (layers.malformed) this.counts.malformed++;
    if (layers.content === CONTENT_TCP) {
      if (layers.transportOffset + 14 > layers.end) {
        this.counts.cutTcp++;
        return;
      }
      this.locate(i);
      input.hash = this.hashAt(layers.ipOffset, layers.transportOffset, layers.ipVersion === 6);
      this.segment(layers.ipOffset, layers.transportOffset, layers.transportBytes, layers.ipVersion === 6, layers.end);
    } else if (layers.content === CONTENT_ICMP || layers.content === CONTENT_ICMPV6) {
      this.icmp(i);
    } else if (layers.cut) {
      this.counts.cutTcp++;
    }
  }

  private locate(i: number): void {
    this.input.encapsulation = encapsulationIndex(this.tracker.table.encapsulations, this.layers);
    this.place(i, this.layers.direction);
  }

  private place(i: number, direction: number): void {
    const { input, batch, reader, view } = this;
    const recordOffset = batch.recordOffset[i]!;
    const interfaceId = batch.interfaceId[i]!;
    input.timeNs = reader.timeNs(view, recordOffset, interfaceId);
    input.frame = this.firstFrame + i;
    input.seen = direction;
    if (direction !== 0) return;
    if (interfaceId !== this.placedInterface) {
      this.placedInterface = interfaceId;
      this.placedLinkType = reader.interfaces[interfaceId]?.linkType ?? -1;
    }
    const linkType = this.placedLinkType;
    if (linkType === 113 || linkType === 276) input.seen = cookedDirection(view, batch.dataOffset[i]!, linkType);
    else if (reader.format === 'pcapng') input.seen = reader.direction(view, recordOffset);
  }

  private hashAt(ip: number, transport: number, ipv6: boolean): number {
    const { view } = this;
    const ports = view.getInt32(transport);
    if (!ipv6) return hashFlow(view.getInt32(ip + 12), view.getInt32(ip + 16), ports);
    return hashFlow(this.foldAt(ip + 8), this.foldAt(ip + 24), ports);
  }

  private foldAt(offset: number): number {
    const { view } = this;
    return foldIpv6(
      view.getInt32(offset),
      view.getInt32(offset + 4),
      view.getInt32(offset + 8),
      view.getInt32(offset + 12),
    );
  }

  private segment(ip: number, transport: number, transportBytes: number, ipv6: boolean, end: number): void {
    const { view, input } = this;
    input.ipv6 = ipv6;
    input.sourceOffset = ip + (ipv6 ? 8 : 12);
    input.destinationOffset = ip + (ipv6 ? 24 : 16);
    input.ttl = view.getUint8(ipv6 ? ip + 7 : ip + 8);
    input.ipId = ipv6 ? 0 : view.getUint16(ip + 4);
    input.ports = view.getInt32(transport);
    input.seq = view.getInt32(transport + 4);
    input.ack = view.getInt32(transport + 8);
    const headerBytes = (view.getUint8(transport + 12) >>> 4) * 4;
    input.flags = view.getUint8(transport + 13);
    input.windowBytes = transport + 16 <= end ? view.getUint16(transport + 14) : 0;
    input.payloadBytes = Math.max(0, transportBytes - Math.max(headerBytes, 20));
    if (headerBytes === 32 && transport + 32 <= end && view.getUint32(transport + 20) === ONLY_TIMESTAMPS) {
      input.options.hasTimestamps = true;
      input.options.tsval = view.getUint32(transport + 24);
    } else {
      decodeTcpOptions(view, transport, end, input.options);
    }
    this.tracker.segment(input);
  }

  private icmp(i: number): void {
    const { view, layers, quoted, input, icmpInput } = this;
    const ipv6 = layers.ipVersion === 6;
    if (!decodeIcmpError(view, layers.transportOffset, layers.end, layers.ipVersion, quoted)) return;
    if (!quoted.hasPorts) {
      const cut = layers.transportOffset + layers.transportBytes > layers.end;
      if (cut && (quoted.ipProtocol === 6 || quoted.quotedVersion === 0)) this.counts.cutIcmp++;
      return;
    }
    if (quoted.ipProtocol !== 6) return;
    if (!quoted.hasSeq) this.counts.cutIcmp++;
    this.locate(i);
    copyAddress(icmpInput.from, 0, view, layers.ipOffset + (ipv6 ? 8 : 12), ipv6);
    icmpInput.type = quoted.type;
    icmpInput.code = quoted.code;
    icmpInput.mtuBytes = Math.min(quoted.mtuBytes, 0xffff);
    icmpInput.hasSeq = quoted.hasSeq;
    icmpInput.advisory = isAdvisory(layers.ipVersion, quoted.type, quoted.code);
    input.ttl = view.getUint8(layers.ipOffset + (ipv6 ? 7 : 8));
    input.ipId = ipv6 ? 0 : view.getUint16(layers.ipOffset + 4);
    const quotedV6 = quoted.quotedVersion === 6;
    input.ipv6 = quotedV6;
    input.sourceOffset = quoted.sourceOffset;
    input.destinationOffset = quoted.destinationOffset;
    input.ports = (quoted.sourcePort << 16) | quoted.destinationPort;
    input.seq = quoted.hasSeq ? quoted.seq | 0 : 0;
    input.hash = this.hashAt(quoted.quotedOffset, quoted.transportOffset, quotedV6);
    this.tracker.icmp(input, icmpInput);
  }
}

/** Errors that ask for smaller packets or fewer of them do not end a connection attempt (RFC 1191, RFC 8201, RFC 6633). */
function isAdvisory(version: number, type: number, code: number): boolean {
  return version === 4 ? (type === 3 && code === 4) || type === 4 : type === 2;
}

/** Direction by the packet type of a Linux cooked header (SLL: first two bytes, SLL2: byte 10): 0 is to, 4 from this host. */
function cookedDirection(view: DataView, start: number, linkType: number): number {
  const type = linkType === 113 ? view.getUint16(start) : view.getUint8(start + 10);
  return type === 4 ? 2 : type === 0 ? 1 : 0;
}
