import type { CaptureMemory, FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { createTcpOptions, decodeTcpOptions, type TcpOptions } from '../formats/wire/tcp-options.ts';
import { type IntakeCounts, PacketIntake } from './packet-intake.ts';
import {
  AT_CAPTURED_BYTES,
  AT_CUT_ICMP,
  AT_DATA_OFFSET,
  AT_HAS_TSVAL,
  AT_INPUT,
  AT_RECORD_OFFSET,
  AT_SEEN,
  AT_TSVAL,
  BATCH_PACKETS,
  INPUT_BYTES,
} from './scan-layout.ts';
import { packTcpOptions } from './syn-option-bits.ts';
import type { HandshakeTracker } from './tracker.ts';

/** What a scan met, packet by packet. */
export interface ScanCounts extends IntakeCounts {
  packets: number;
}

/** How the network layer is found in packets of the common link types without looking further. */
interface LinkLayout {
  /** Offset of the EtherType; -1 when the IP version is read from the IP header itself. */
  readonly etherType: number;
  /** Offset of the IP header. */
  readonly network: number;
}

const LAYOUTS: Readonly<Record<number, LinkLayout>> = {
  1: { etherType: 12, network: 14 },
  113: { etherType: 14, network: 16 },
  276: { etherType: 0, network: 20 },
  101: { etherType: -1, network: 0 },
  12: { etherType: -1, network: 0 },
  228: { etherType: -1, network: 0 },
  229: { etherType: -1, network: 0 },
};

/**
 * Finds the few packets of a capture that can matter to a handshake and hands them to a tracker. The work on every packet is done by
 * the scan (`wasm/`); packets with tunnels, IP options, fragments and ICMP errors come back to {@link PacketIntake}.
 */
export class HandshakeScanner {
  readonly counts: ScanCounts = { packets: 0, cutTcp: 0, malformed: 0 };
  private readonly tracker: HandshakeTracker;
  private readonly intake: PacketIntake;
  private readonly memoryView: DataView;
  private readonly decoded: TcpOptions = createTcpOptions();
  private reader!: FrameReader;
  private view!: DataView;
  private batch!: FrameBatch;
  /** Index in the batch of what the scan has as its first packet. */
  private first = 0;

  constructor(tracker: HandshakeTracker) {
    this.tracker = tracker;
    this.intake = new PacketIntake(tracker, this.counts);
    this.memoryView = new DataView(tracker.scan.buffer);
    tracker.feedFrom(this);
  }

  /** ICMP errors whose quoted packet the capture cut off before the sequence number. */
  get cutIcmp(): number {
    return this.tracker.scan.floats[AT_CUT_ICMP / 8]!;
  }

  /** Where a capture is best read to: what lies there is scanned without being copied. */
  get memory(): CaptureMemory {
    return this.tracker.scan.input;
  }

  /** Takes the packets of one batch; `firstFrame` is the number of its first packet, counted from 1. */
  scan(reader: FrameReader, view: DataView, batch: FrameBatch, firstFrame: number): void {
    const { functions, buffer, input } = this.tracker.scan;
    this.reader = reader;
    this.view = view;
    this.batch = batch;
    this.counts.packets += batch.count;
    this.intake.begin(reader, view, batch, firstFrame);
    const { clock } = reader;
    if (clock === undefined) functions.setClock(0, 0, 0);
    else functions.setClock(clock.nsPerUnit, Number(!clock.littleEndian), clock.baseSeconds);
    if (batch === input.batch && view.buffer === buffer) {
      this.first = 0;
      functions.setBatch(view.byteOffset, firstFrame);
      this.take(0, batch.count);
    } else {
      for (this.first = 0; this.first < batch.count; ) {
        const count = this.copyIn();
        functions.setBatch(AT_INPUT - batch.recordOffset[this.first]!, firstFrame + this.first);
        this.take(0, count);
        this.first += count;
      }
    }
    functions.settleAll();
  }

  /** Decodes options for the scan. */
  options(transport: number, end: number): number {
    const { decoded, tracker } = this;
    const { words } = tracker.scan;
    decodeTcpOptions(this.memoryView, transport, end, decoded);
    words[AT_HAS_TSVAL / 4] = Number(decoded.hasTimestamps);
    words[AT_TSVAL / 4] = decoded.tsval;
    return packTcpOptions(decoded);
  }

  /** Finds the time and the direction of a packet for the scan, where its record does not begin with them. */
  place(packet: number): number {
    const { reader, view, batch } = this;
    const recordOffset = batch.recordOffset[this.first + packet]!;
    this.tracker.scan.words[AT_SEEN / 4] = reader.format === 'pcapng' ? reader.direction(view, recordOffset) : 0;
    return reader.timeNs(view, recordOffset, batch.interfaceId[this.first + packet]!);
  }

  /** Copies packets from {@link first} on to where the scan reads; returns how many, at least one. */
  private copyIn(): number {
    const { view, batch, first } = this;
    const { bytes } = this.tracker.scan.input;
    const { buffer } = this.tracker.scan;
    const start = batch.recordOffset[first]!;
    let count = 0;
    let end = start;
    while (count < BATCH_PACKETS && first + count < batch.count) {
      const next = batch.dataOffset[first + count]! + batch.capturedBytes[first + count]!;
      if (next - start > INPUT_BYTES) break;
      end = next;
      count++;
    }
    bytes.set(new Uint8Array(view.buffer, view.byteOffset + start, end - start));
    const columns = [
      [AT_DATA_OFFSET, batch.dataOffset],
      [AT_CAPTURED_BYTES, batch.capturedBytes],
      [AT_RECORD_OFFSET, batch.recordOffset],
    ] as const;
    for (const [at, column] of columns) new Int32Array(buffer, at, count).set(column.subarray(first, first + count));
    return count;
  }

  /** Takes packets that the scan can read: those of one interface after the other. */
  private take(from: number, to: number): void {
    const { interfaceId } = this.batch;
    const { first } = this;
    for (let start = from; start < to; ) {
      const id = interfaceId[first + start]!;
      let end = this.reader.format === 'pcap' ? to : start + 1;
      while (end < to && interfaceId[first + end] === id) end++;
      this.takeOfLink(start, end, this.reader.interfaces[id]?.linkType ?? -1);
      start = end;
    }
  }

  private takeOfLink(from: number, to: number, linkType: number): void {
    const { intake, first } = this;
    const { functions } = this.tracker.scan;
    const layout = LAYOUTS[linkType];
    if (layout === undefined) {
      for (let i = from; i < to; i++) intake.take(first + i);
      return;
    }
    functions.setLink(linkType, layout.etherType, layout.network);
    for (let i = functions.track(from, to); i < to; i = functions.track(i + 1, to)) intake.take(first + i);
  }
}
