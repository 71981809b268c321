import { type CaptureMemory, type FrameBatch, MAX_RECORD_BYTES } from '../formats/pcap/frames.ts';
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
  AT_WALKED,
  BATCH_PACKETS,
  INPUT_BYTES,
} from './scan-layout.ts';
import { SCAN_MODULE } from './scan-module.ts';
import { Tally, type TallyOptions, writeTallyRules } from './tally.ts';
import { ALL_EXAMPLES, TALLY_BYTES } from './tally-layout.ts';

/** What the scan can do; see `wasm/scan.ts`. */
export interface ScanFunctions {
  init(
    rowsAt: number,
    rows: number,
    borrowed: number,
    open: number,
    keeps: number,
    tellsBegin: number,
    tellsEnd: number,
  ): void;
  count(at: number, all: number, failedOnly: number, limit: number, asks: number): void;
  walk(from: number, at: number, end: number, count: number, longest: number): number;
  setBatch(bytesAt: number, firstFrame: number): void;
  setLink(linkType: number, etherType: number, network: number): void;
  setClock(nsPerUnit: number, swaps: number, baseSeconds: number): void;
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
    overIpv6: number,
  ): void;
  end(row: number): void;
  finish(endNs: number): void;
  patience(row: number): number;
  settleAll(): void;
  uniteClients(group: number): void;
}

/** What the scan asks and tells while it works. */
export interface ScanHost {
  /** An attempt began. */
  begun(row: number, timeNs: number): void;
  /** An attempt is over. */
  closed(row: number): void;
  /** Whether an attempt that is over is to be counted. */
  passes(row: number): boolean;
  /** An attempt that was counted is to be shown by itself. */
  show(row: number, server: number): void;
  /** There is no room for one more attempt. */
  makeRoom(): void;
  /** Decodes the options of the TCP header at `transport`, which are of no common form; returns them packed. */
  options(transport: number, end: number): number;
  /** The time of a packet of the batch; its direction is to be noted. */
  place(packet: number): number;
}

/** How a scan is set up. */
export interface ScanOptions {
  /** Most attempts that are open at once; of all, when they are kept. */
  readonly capacity: number;
  readonly keep: boolean;
  /** Whether the host is told when attempts begin, and when they are over. */
  readonly tellsBegin: boolean;
  readonly tellsEnd: boolean;
  /** What is counted of attempts that are over. */
  readonly tally?: TallyOptions | undefined;
  /** Whether the host is asked which of them are counted. */
  readonly asks: boolean;
}

/** The scan with the memory that it works in. */
export interface ScanInstance {
  readonly functions: ScanFunctions;
  readonly table: AttemptTable;
  /** Where a capture is best read to. */
  readonly input: CaptureMemory;
  /** What was counted, if anything is. */
  readonly tally?: Tally;
  /** The index of flows and the rows: what is touched all over when many attempts are open. */
  readonly attempts: Uint8Array;
  readonly buffer: SharedArrayBuffer;
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
    readonly shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

const PAGE_BYTES = 65536;
/** All that a 32-bit address can reach. */
const MAX_PAGES = 65536;
const CACHE_LINE = 64;
const SLOTS_PER_ROW = 2.5;
/** A limit without end, for the scan. */
const MOST_SHOWN = 0x7fffffff;
/** With less room than this there is no point in going on. */
const SMALLEST_CAPACITY = 10_000;

let compiled: object | undefined;

/** Makes a scan that has room for as many attempts as asked, or for fewer where the system does not promise memory that is not used yet. */
export function createScan(options: ScanOptions, host: ScanHost): ScanInstance {
  try {
    return instantiate(options, host);
  } catch (error) {
    const { capacity } = options;
    if (!(error instanceof RangeError) || capacity <= SMALLEST_CAPACITY) throw error;
    return createScan({ ...options, capacity: Math.ceil(capacity / 2) }, host);
  }
}

function instantiate({ capacity, keep, tellsBegin, tellsEnd, tally, asks }: ScanOptions, host: ScanHost): ScanInstance {
  const rows = capacity + (tally === undefined ? 0 : ALL_EXAMPLES);
  const slots = 2 ** Math.max(15, Math.ceil(Math.log2((capacity + 1) * SLOTS_PER_ROW)));
  const rowsAt = AT_SLOTS + slots * 4;
  const borrowed = capacity;
  const tallyAt = Math.ceil((rowsAt + tableBytes(rows, borrowed)) / CACHE_LINE) * CACHE_LINE;
  const pages = Math.ceil((tallyAt + (tally === undefined ? 0 : TALLY_BYTES)) / PAGE_BYTES);
  if (pages > MAX_PAGES) throw new RangeError(`${capacity} attempts need more memory than can be addressed`);
  // V8 counts memory that is not shared as if all of it were in use, and collects garbage that is not there.
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  compiled ??= new WebAssembly.Module(Buffer.from(SCAN_MODULE, 'base64'));
  const functions = new WebAssembly.Instance(compiled, {
    env: { memory },
    // Named by the files that declare them.
    attempts: host,
    segment: { unusualOptions: host.options },
    scan: host,
    tally: host,
  }).exports as ScanFunctions;
  functions.init(rowsAt, rows, borrowed, capacity, Number(keep), Number(tellsBegin), Number(tellsEnd));
  const { buffer } = memory;
  const words = new Int32Array(buffer);
  const column = (at: number): Int32Array => new Int32Array(buffer, at, BATCH_PACKETS);
  const batch: FrameBatch = {
    count: 0,
    dataOffset: column(AT_DATA_OFFSET),
    capturedBytes: column(AT_CAPTURED_BYTES),
    recordOffset: column(AT_RECORD_OFFSET),
    interfaceId: column(AT_INTERFACE_ID),
    walkPlain(origin, at, end) {
      const next = functions.walk(origin, at, end, batch.count, MAX_RECORD_BYTES);
      batch.count = words[AT_WALKED / 4]!;
      return next;
    },
  };
  const arrays = tableArrays(buffer, rowsAt, rows, borrowed);
  const encapsulations = [''];
  if (tally !== undefined) {
    writeTallyRules(buffer);
    const { all, failedOnly, limit } = tally;
    functions.count(tallyAt, Number(all), Number(failedOnly), Math.min(limit, MOST_SHOWN), Number(asks));
  }
  return {
    functions,
    table: {
      ...arrays,
      capacity: rows,
      encapsulations,
      get rowEnd() {
        return words[AT_ROW_END / 4]!;
      },
      get eventEnd() {
        return words[AT_EVENT_END / 4]!;
      },
    },
    input: { bytes: new Uint8Array(buffer, AT_INPUT, INPUT_BYTES), batch },
    ...(tally === undefined ? {} : { tally: new Tally(buffer, tallyAt, functions.uniteClients) }),
    attempts: new Uint8Array(buffer, AT_SLOTS, tallyAt - AT_SLOTS),
    buffer,
    words,
    floats: new Float64Array(buffer, 0, AT_INPUT / 8),
  };
}
