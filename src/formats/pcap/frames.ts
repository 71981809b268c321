/**
 * The records that one walk over a piece of a capture found. Parallel columns, one entry a packet, so that the loop over
 * millions of packets makes no object for any of them.
 */
export interface FrameBatch {
  /** Entries in use. */
  count: number;
  /** Offset of the first byte of the packet in the walked buffer. */
  readonly dataOffset: Int32Array;
  /** Bytes of the packet that the capture holds (caplen). */
  readonly capturedBytes: Int32Array;
  /** Offset of the record (pcap) or block (pcapng) in the walked buffer. */
  readonly recordOffset: Int32Array;
  /** Index into {@link FrameReader.interfaces}. */
  readonly interfaceId: Int32Array;
  /**
   * A faster way to append the packets of classic records that are little-endian and have headers of 16 bytes, captured length first, as
   * nearly all files have them; see `walkRecords`. The bytes must lie in the memory of the columns, from byte `origin` on.
   */
  readonly walkPlain?: (origin: number, at: number, end: number) => number;
}

/**
 * The longest record (pcap) or packet block (pcapng) in bytes that is believed. Capture tools write packets of up to 262144 bytes,
 * a few kinds of link more; a length above this is taken for damage.
 */
export const MAX_RECORD_BYTES: number = 16 * 1024 * 1024;

/** Makes an empty batch with room for `capacity` packets. */
export function createFrameBatch(capacity: number): FrameBatch {
  return {
    count: 0,
    dataOffset: new Int32Array(capacity),
    capturedBytes: new Int32Array(capacity),
    recordOffset: new Int32Array(capacity),
    interfaceId: new Int32Array(capacity),
  };
}

/** Memory that a capture may be read into: bytes that lie there need not be copied to be scanned. */
export interface CaptureMemory {
  readonly bytes: Uint8Array;
  readonly batch: FrameBatch;
}

/** One interface of a capture; pcap files have exactly one. Indexes count through all sections of a pcapng file. */
export interface FrameInterface {
  readonly linkType: number;
  /** 0 when unlimited. */
  readonly snapLength: number;
  readonly name?: string;
  readonly description?: string;
}

/** How the time of a record is coded that begins with seconds since 1970 and a fraction of a second. */
export interface RecordClock {
  readonly littleEndian: boolean;
  /** Nanoseconds of a unit of the fraction. */
  readonly nsPerUnit: number;
  /** Seconds since 1970 from which times count. */
  readonly baseSeconds: number;
}

/** Damage or loss that the framing of a capture shows. */
export interface FramingNote {
  readonly code: string;
  readonly statement: string;
  readonly hint?: string;
}

/**
 * Finds the packets in the bytes of one capture. It is fed pieces in order and keeps what it must remember between them
 * (interfaces, byte order, time resolution); it never keeps the buffer.
 */
export interface FrameReader {
  readonly format: 'pcap' | 'pcapng';
  /** Grows as interface descriptions are met, through all sections of a pcapng file. */
  readonly interfaces: readonly FrameInterface[];
  readonly notes: readonly FramingNote[];
  /** Time that {@link timeNs} counts from: the first packet's time, rounded down to a second. Undefined before it. */
  readonly baseNs: bigint | undefined;
  /**
   * Bytes that the buffer must be able to hold for {@link walk} to go on: the length that the next record claims, or that of a
   * record header when not even that was there. Never above {@link MAX_RECORD_BYTES}; a claim is no reason to allocate
   * so much before the bytes are there.
   */
  readonly neededBytes: number;
  /**
   * True when the framing is damaged and nothing after it can be used; {@link notes} says what and at which offset of the file.
   */
  readonly ended: boolean;
  /**
   * Fills `batch` (from its start) with the packets that lie wholly in `view` from `start` to `end`, and stops when the batch is
   * full or a new pcapng section begins. The first call begins at the file header. Offsets in the batch are good until the
   * next call, and so are the other functions that take a record offset.
   * @returns the offset of the first byte that it did not use; equal to `start` when more bytes are needed (or the reader
   * has {@link ended}).
   */
  walk(view: DataView, start: number, end: number, batch: FrameBatch): number;
  /**
   * Nanoseconds since {@link baseNs} of the packet of a record, as a float that is exact for 104 days. A packet without
   * a time (pcapng's Simple Packet Block) has that of the last packet before it that has one, or 0.
   */
  timeNs(view: DataView, recordOffset: number, interfaceId: number): number;
  /** How {@link timeNs} comes out of the first eight bytes of a record; undefined where it is less simple. */
  readonly clock: RecordClock | undefined;
  /** Length of the packet on the wire in bytes. */
  wireBytes(view: DataView, recordOffset: number): number;
  /** Direction by pcapng's `epb_flags` (or the packet type of a modified pcap): 1 inbound, 2 outbound, 0 unknown. */
  direction(view: DataView, recordOffset: number): 0 | 1 | 2;
  /** The comments of a packet (pcapng's `opt_comment`), in file order. */
  comments(view: DataView, recordOffset: number): string[];
  /**
   * Tells the reader that the input is over, so that {@link notes} is complete.
   * @param unusedBytes what is left unused of the input: more than 0 makes a note about a cut file.
   */
  finish(unusedBytes: number): void;
}
