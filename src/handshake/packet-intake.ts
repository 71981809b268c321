import type { FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { dissect } from '../formats/wire/dissect.ts';
import { createIcmpError, decodeIcmpError, type IcmpError } from '../formats/wire/icmp.ts';
import { CONTENT_ICMP, CONTENT_ICMPV6, CONTENT_TCP, createLayers, type Layers } from '../formats/wire/layers.ts';
import { encapsulationIndex } from './encapsulation.ts';
import { AT_CUT_ICMP, AT_SENDER } from './scan-layout.ts';
import type { HandshakeTracker } from './tracker.ts';

/** What is counted of packets that could not be used as they should. */
export interface IntakeCounts {
  /** TCP packets whose header the capture cut off before the flags. */
  cutTcp: number;
  /** Packets with a header that contradicts itself. */
  malformed: number;
}

/** Takes the packets that the scan leaves to be taken with care: dissects them from their first byte, and hands on what it finds. */
export class PacketIntake {
  private readonly tracker: HandshakeTracker;
  private readonly counts: IntakeCounts;
  private readonly quoted: IcmpError = createIcmpError();
  private readonly layers: Layers = createLayers();
  private reader!: FrameReader;
  private view!: DataView;
  private batch!: FrameBatch;
  private firstFrame = 1;

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
  }

  /** Packet `i` of the batch, whatever it is. */
  take(i: number): void {
    const { view, layers, batch, reader } = this;
    const start = batch.dataOffset[i]!;
    const linkType = reader.interfaces[batch.interfaceId[i]!]?.linkType ?? -1;
    dissect(view, start, start + batch.capturedBytes[i]!, linkType, layers);
    if (layers.malformed) this.counts.malformed++;
    if (layers.content === CONTENT_TCP) {
      if (layers.transportOffset + 14 > layers.end) {
        this.counts.cutTcp++;
        return;
      }
      this.segment(i);
    } else if (layers.content === CONTENT_ICMP || layers.content === CONTENT_ICMPV6) {
      this.icmp(i);
    } else if (layers.cut) {
      this.counts.cutTcp++;
    }
  }

  private segment(i: number): void {
    const { layers, tracker } = this;
    tracker.scan.functions.takePacket(
      layers.ipOffset,
      layers.transportOffset,
      layers.transportBytes,
      layers.end,
      Number(layers.ipVersion === 6),
      this.timeNs(i),
      this.firstFrame + i,
      this.direction(i),
      encapsulationIndex(tracker.table.encapsulations, layers),
    );
  }

  /** Counts an ICMP error whose quoted packet the capture cut off before the sequence number, as the scan does. */
  private noteCut(): void {
    this.tracker.scan.floats[AT_CUT_ICMP / 8]!++;
  }

  private timeNs(i: number): number {
    const { reader, view, batch } = this;
    return reader.timeNs(view, batch.recordOffset[i]!, batch.interfaceId[i]!);
  }

  private direction(i: number): number {
    const { reader, view, batch, layers } = this;
    if (layers.direction !== 0) return layers.direction;
    const linkType = reader.interfaces[batch.interfaceId[i]!]?.linkType ?? -1;
    if (linkType === 113 || linkType === 276) return cookedDirection(view, batch.dataOffset[i]!, linkType);
    return reader.format === 'pcapng' ? reader.direction(view, batch.recordOffset[i]!) : 0;
  }

  private icmp(i: number): void {
    const { view, layers, quoted, tracker } = this;
    const ipv6 = layers.ipVersion === 6;
    if (!decodeIcmpError(view, layers.transportOffset, layers.end, layers.ipVersion, quoted)) return;
    if (!quoted.hasPorts) {
      const cut = layers.transportOffset + layers.transportBytes > layers.end;
      if (cut && (quoted.ipProtocol === 6 || quoted.quotedVersion === 0)) this.noteCut();
      return;
    }
    if (quoted.ipProtocol !== 6) return;
    if (!quoted.hasSeq) this.noteCut();
    const from = layers.ipOffset + (ipv6 ? 8 : 12);
    for (let word = 0; word < 4; word++) {
      tracker.scan.words[AT_SENDER / 4 + word] = ipv6 || word === 0 ? view.getInt32(from + word * 4) : 0;
    }
    tracker.scan.functions.takeError(
      quoted.quotedOffset,
      quoted.transportOffset,
      Number(quoted.quotedVersion === 6),
      this.timeNs(i),
      this.firstFrame + i,
      this.direction(i),
      encapsulationIndex(tracker.table.encapsulations, layers),
      view.getUint8(layers.ipOffset + (ipv6 ? 7 : 8)),
      ipv6 ? 0 : view.getUint16(layers.ipOffset + 4),
      (quoted.type << 24) | (quoted.code << 16) | Math.min(quoted.mtuBytes, 0xffff),
      quoted.hasSeq ? quoted.seq | 0 : 0,
      Number(quoted.hasSeq),
      Number(ipv6),
    );
  }
}

/** Direction by the packet type of a Linux cooked header (SLL: first two bytes, SLL2: byte 10): 0 is to, 4 from this host. */
function cookedDirection(view: DataView, start: number, linkType: number): number {
  const type = linkType === 113 ? view.getUint16(start) : view.getUint8(start + 10);
  return type === 4 ? 2 : type === 0 ? 1 : 0;
}
