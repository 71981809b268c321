import type { CaptureMemory } from '../formats/pcap/frames.ts';
import { type AttemptTable, tableArrays, tableBytes } from './attempt-table.ts';
import {
  AT_CAPTURED_BYTES,
  AT_DATA_OFFSET,
  AT_EVENT_END,
  AT_INPUT,
  AT_INTERFACE_ID,
  AT_RECORD_OFFSET,
  AT_ROW_END,
  AT_SLOTS,
  BATCH_PACKETS,
  INPUT_BYTES,
} from './scan-layout.ts';
import { SCAN_MODULE } from './scan-module.ts';

/** What the scan can do; see `wasm/scan.ts`. */
export interface ScanFunctions {
  init(rowsAt: number, rows: number, borrowed: number, keeps: number, tellsBegin: number): void;
  setBatch(bytesAt: number, firstFrame: number): void;
  setLink(linkType: number, etherType: number, network: number): void;
  setClock(nsPerUnit: number, swaps: number, baseSeconds: number): void;
  classify(from: number, to: number): number;
  track(from: number, to: number): number;
  takePacket(
    ip: number,
    transport: number,
    transportBytes: number,
    end: number,
    isIpv6: number,
    timeNs: number,
    frame: number,
    seen: number,
    encapsulation: number,
  ): void;
  takeError(
    ip: number,
    transport: number,
    isIpv6: number,
    timeNs: number,
    frame: number,
    seen: number,
    encapsulation: number,
    ttl: number,
    ipId: number,
    typeCode: number,
    seq: number,
    hasSeq: number,
    advisory: number,
  ): void;
  end(row: number): void;
}

/** What the scan asks and tells while it works. */
export interface ScanHost {
  /** An attempt began; one is over. */
  begun(row: number, timeNs: number): void;
  closed(row: number): void;
  /** There is no room for one more attempt. */
  makeRoom(): void;
  /** Decodes the options of the TCP header at `transport`, which are of no common form; returns them packed. */
  options(transport: number, end: number): number;
  /** The time of a packet of the batch; its direction is to be noted. */
  place(packet: number): number;
}

/** The scan with the memory that it works in. */
export interface ScanInstance {
  readonly functions: ScanFunctions;
  readonly table: AttemptTable;
  /** Where a capture is best read to. */
  readonly input: CaptureMemory;
  readonly buffer: ArrayBuffer;
  /** The whole memory as words, and as floats. */
  readonly words: Int32Array;
  readonly floats: Float64Array;
}

/** The part of WebAssembly's interface that is used, which the types of the standard library have for browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

const PAGE_BYTES = 65536;
/** All that a 32-bit address can reach. */
const MAX_PAGES = 65536;
const SLOTS_PER_ROW = 2.5;
/** With less room than this there is no point in going on. */
const SMALLEST_CAPACITY = 10_000;

let compiled: object | undefined;

/** Makes a scan that has room for `capacity` attempts, or for fewer where the system does not promise memory that is not used yet. */
export function createScan(
  capacity: number,
  options: { readonly keep: boolean; readonly tellBegin: boolean },
  host: ScanHost,
): ScanInstance {
  try {
    return instantiate(capacity, options, host);
  } catch (error) {
    if (!(error instanceof RangeError) || capacity <= SMALLEST_CAPACITY) throw error;
    return createScan(Math.ceil(capacity / 2), options, host);
  }
}

function instantiate(
  capacity: number,
  { keep, tellBegin }: { readonly keep: boolean; readonly tellBegin: boolean },
  host: ScanHost,
): ScanInstance {
  const slots = 2 ** Math.max(15, Math.ceil(Math.log2((capacity + 1) * SLOTS_PER_ROW)));
  const rowsAt = AT_SLOTS + slots * 4;
  const borrowed = capacity;
  const bytes = rowsAt + tableBytes(capacity, borrowed);
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (pages > MAX_PAGES) throw new RangeError(`${capacity} attempts need more memory than can be addressed`);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  compiled ??= new WebAssembly.Module(Buffer.from(SCAN_MODULE, 'base64'));
  const functions = new WebAssembly.Instance(compiled, {
    env: { memory },
    // Named by the files that declare them.
    attempts: host,
    segment: { unusualOptions: host.options },
    scan: host,
  }).exports as ScanFunctions;
  functions.init(rowsAt, capacity, borrowed, Number(keep), Number(tellBegin));
  const { buffer } = memory;
  const words = new Int32Array(buffer);
  const column = (at: number): Int32Array => new Int32Array(buffer, at, BATCH_PACKETS);
  const arrays = tableArrays(buffer, rowsAt, capacity, borrowed);
  const encapsulations = [''];
  return {
    functions,
    table: {
      ...arrays,
      capacity,
      encapsulations,
      get rowEnd() {
        return words[AT_ROW_END / 4]!;
      },
      get eventEnd() {
        return words[AT_EVENT_END / 4]!;
      },
    },
    input: {
      bytes: new Uint8Array(buffer, AT_INPUT, INPUT_BYTES),
      batch: {
        count: 0,
        dataOffset: column(AT_DATA_OFFSET),
        capturedBytes: column(AT_CAPTURED_BYTES),
        recordOffset: column(AT_RECORD_OFFSET),
        interfaceId: column(AT_INTERFACE_ID),
      },
    },
    buffer,
    words,
    floats: new Float64Array(buffer, 0, AT_INPUT / 8),
  };
}
