import type { FrameBatch, FrameReader } from '../../formats/pcap/frames.ts';
import { LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2 } from '../../formats/wire/numbers.ts';

/** Bytes of the latest packets that are kept, unless another size is asked for. */
const HISTORY_BYTES = 8 * 1024 * 1024;
/** Length, link type, time (float64, nanoseconds since the base). */
const RECORD_HEADER_BYTES = 16;

/** One packet of the history, in a view that is good until the next packet is added. */
export interface KeptPacket {
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  readonly linkType: number;
  /** Nanoseconds since the base of the capture. */
  readonly timeNs: number;
}

/** The latest packets of a live capture, so that one failed attempt can be looked at closely without a cost for all others. */
export class PacketHistory {
  private readonly bytes: number;
  /** Made with the first packet: most network namespaces of a host never see one that is captured. */
  private view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the next packet goes, and up to where the older half of the ring is good. */
  private head = 0;
  private wrapEnd = 0;
  private oldest = 0;

  /** Whether every packet that was added is still there. */
  complete = true;

  /** @param bytes memory for packets. */
  constructor(bytes: number = HISTORY_BYTES) {
    this.bytes = bytes;
  }

  /** Adds all packets of a batch. */
  add(reader: FrameReader, view: DataView, batch: FrameBatch): void {
    if (this.view.byteLength === 0) this.view = new DataView(new ArrayBuffer(this.bytes));
    for (let i = 0; i < batch.count; i++) {
      const length = batch.capturedBytes[i]!;
      const interfaceId = batch.interfaceId[i]!;
      const at = this.room(RECORD_HEADER_BYTES + length);
      this.view.setUint32(at, length);
      this.view.setUint32(at + 4, reader.interfaces[interfaceId]?.linkType ?? 0);
      this.view.setFloat64(at + 8, reader.timeNs(view, batch.recordOffset[i]!, interfaceId));
      copyBytes(view, batch.dataOffset[i]!, length, this.view, at + RECORD_HEADER_BYTES);
    }
  }

  /** The packets that are still there, oldest first. */
  *packets(): Generator<KeptPacket, void, undefined> {
    if (this.wrapEnd > 0) yield* this.between(this.oldest, this.wrapEnd);
    yield* this.between(0, this.head);
  }

  private *between(start: number, end: number): Generator<KeptPacket, void, undefined> {
    for (let at = start; at < end; ) {
      const length = this.view.getUint32(at);
      const first = at + RECORD_HEADER_BYTES;
      yield {
        view: this.view,
        start: first,
        end: first + length,
        linkType: this.view.getUint32(at + 4),
        timeNs: this.view.getFloat64(at + 8),
      };
      at = first + length;
    }
  }

  /** Makes room for a record, at the cost of the oldest ones. */
  private room(needed: number): number {
    if (this.head + needed > this.bytes) {
      this.wrapEnd = this.head;
      this.complete = false;
      this.head = 0;
      this.oldest = 0;
    }
    if (this.wrapEnd > 0) {
      while (this.oldest < this.wrapEnd && this.oldest < this.head + needed) {
        this.oldest += RECORD_HEADER_BYTES + this.view.getUint32(this.oldest);
      }
      if (this.oldest >= this.wrapEnd) this.wrapEnd = 0;
    }
    const at = this.head;
    this.head += needed;
    return at;
  }
}

/** Copies a packet word by word: packets are short, and a view of each would cost more than its bytes. */
function copyBytes(from: DataView, start: number, length: number, to: DataView, at: number): void {
  const words = length & ~3;
  for (let i = 0; i < words; i += 4) to.setInt32(at + i, from.getInt32(start + i));
  for (let i = words; i < length; i++) to.setUint8(at + i, from.getUint8(start + i));
}

/** What a Linux cooked header says of a packet. */
export interface CookedHeader {
  /** `sll_pkttype`: 0 to this host, 1 broadcast, 2 multicast, 3 to another host, 4 sent by this host. */
  readonly packetType: number;
  /** Index of the interface; absent in the first version of the header. */
  readonly interfaceIndex?: number;
  readonly etherType: number;
  /** Offset of what follows the header. */
  readonly payload: number;
  /** Offset of the link-layer address of the sender, and its length in bytes. */
  readonly sender: number;
  readonly senderBytes: number;
}

/** Reads a Linux cooked header (LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2); undefined for other link types and cut packets. */
export function cookedHeader({ view, start, end, linkType }: KeptPacket): CookedHeader | undefined {
  if (linkType === LINKTYPE_LINUX_SLL2 && end - start >= 20) {
    return {
      packetType: view.getUint8(start + 10),
      interfaceIndex: view.getUint32(start + 4),
      etherType: view.getUint16(start),
      payload: start + 20,
      sender: start + 12,
      senderBytes: view.getUint8(start + 11),
    };
  }
  if (linkType === LINKTYPE_LINUX_SLL && end - start >= 16) {
    return {
      packetType: view.getUint16(start),
      etherType: view.getUint16(start + 14),
      payload: start + 16,
      sender: start + 6,
      senderBytes: view.getUint16(start + 4),
    };
  }
  return undefined;
}

/** Formats the six bytes of an Ethernet address as hexadecimal pairs; empty for other lengths. */
export function linkAddress(view: DataView, offset: number, length: number): string {
  if (length !== 6) return '';
  const pairs: string[] = [];
  for (let i = 0; i < 6; i++)
    pairs.push(
      view
        .getUint8(offset + i)
        .toString(16)
        .padStart(2, '0'),
    );
  return pairs.join(':');
}
