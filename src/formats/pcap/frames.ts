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
}

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

/** One interface of a capture; pcap files have exactly one. Indexes count through all sections of a pcapng file. */
export interface FrameInterface {
  readonly linkType: number;
  /** 0 when unlimited. */
  readonly snapLength: number;
  readonly name?: string;
  readonly description?: string;
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
  /** Grows as interface descriptions are met. */
  readonly interfaces: readonly FrameInterface[];
  readonly notes: readonly FramingNote[];
  /** Time that {@link timeNs} counts from: the first packet's time, rounded down to a second. Undefined before it. */
  readonly baseNs: bigint | undefined;
  /** Bytes that one record may need at most before {@link walk} can use it, as far as known; the buffer must hold them. */
  readonly neededBytes: number;
  /**
   * True when the framing is damaged and nothing after it can be used; {@link notes} says what and at which offset of the file.
   */
  readonly ended: boolean;
  /**
   * Fills `batch` (from its start) with the packets that lie wholly in `view` from `start` to `end`, and stops when the batch is full.
   * @returns the offset of the first byte that it did not use; equal to `start` when more bytes are needed.
   */
  walk(view: DataView, start: number, end: number, batch: FrameBatch): number;
  /** Nanoseconds since {@link baseNs} of the packet of a record, as a float that is exact for 104 days. */
  timeNs(view: DataView, recordOffset: number, interfaceId: number): number;
  /** Length of the packet on the wire in bytes. */
  wireBytes(view: DataView, recordOffset: number): number;
  /** Direction by pcapng's `epb_flags`: 1 inbound, 2 outbound, 0 unknown. */
  direction(view: DataView, recordOffset: number): 0 | 1 | 2;
  /** Tells the reader that the input is over: what is left unused, in bytes, makes a note about a cut file. */
  finish(unusedBytes: number): void;
}
