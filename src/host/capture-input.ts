import { readSync } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { ParseError } from '../formats/parse-error.ts';
import { ETL_ADVICE } from '../formats/pcap/foreign-formats.ts';
import type { CaptureMemory } from '../formats/pcap/frames.ts';
import type { CaptureSummary, Note } from '../model/capture.ts';
import { CapturePump, type OnFrames } from './capture-pump.ts';
import { type CaptureSource, inputError, inputLabel, openCaptureSource } from './capture-source.ts';
import {
  COMPRESSION_SIGN_BYTES,
  type Compression,
  compressionOf,
  createDecompressor,
  type Decompressor,
} from './decompress.ts';

/** How {@link readCapture} reads. */
export interface ReadCaptureOptions {
  /** Ends the reading early; what is known by then is the result. */
  readonly signal?: AbortSignal;
  /** Told every few MiB and at the end how much of the input was read. The total is unknown for a pipe. */
  readonly onProgress?: (bytesRead: number, totalBytes: number | undefined) => void;
  /** Size of the buffer in bytes. The default stays in a processor's second-level cache, which is worth 9 to 25 % over 1 to 8 MiB. */
  readonly chunkBytes?: number;
  /** Where the buffer shall lie; somewhere when absent. */
  readonly memory?: CaptureMemory;
}

const CHUNK_BYTES = 256 * 1024;
/** Bytes between two looks at the event loop (for Ctrl-C) and two reports of progress. */
const STEP_BYTES = 8 * 1024 * 1024;

/**
 * Reads a capture and hands its packets on, a batch at a time: pcap or pcapng, plain or compressed with gzip or zstd (told by
 * content), from a file, a named pipe or standard input. Packets of a pipe are handed on as they arrive.
 *
 * Damage, a cut file and an input that fails midway end the reading; they are notes of the summary, next to what was read.
 * @param name a path, or `-` for standard input.
 * @throws InputError when there is nothing that can be read.
 * @throws ParseError when the input is no capture.
 */
export async function readCapture(
  name: string,
  onFrames: OnFrames,
  options: ReadCaptureOptions = {},
): Promise<CaptureSummary> {
  const { signal, chunkBytes = CHUNK_BYTES, memory } = options;
  const pump = new CapturePump(onFrames, chunkBytes, memory);
  const source = signal?.aborted ? undefined : await openCaptureSource(name, signal);
  if (source === undefined) {
    return pump.finish(name, false, [
      { code: 'interrupted', statement: `${inputLabel(name)} was not read: the run was stopped before.` },
    ]);
  }
  const reading = new Reading(name, pump, source, options);
  try {
    await reading.run();
    return reading.summary();
  } catch (error) {
    throw named(name, error);
  } finally {
    if (source.kind === 'file') source.close();
    else source.stream.destroy();
  }
}

/** One run of {@link readCapture}. */
class Reading {
  private readonly name: string;
  private readonly pump: CapturePump;
  private readonly source: CaptureSource;
  private readonly options: ReadCaptureOptions;
  private compression: Compression | undefined;
  private failure: Note | undefined;
  private inputBytes = 0;
  private reportedBytes = 0;

  constructor(name: string, pump: CapturePump, source: CaptureSource, options: ReadCaptureOptions) {
    this.name = name;
    this.pump = pump;
    this.source = source;
    this.options = options;
  }

  async run(): Promise<void> {
    const { source } = this;
    try {
      if (source.kind === 'file') await this.readFile(source.fd);
      else await this.readChunks(abortable(source.stream, this.options.signal));
    } catch (error) {
      // An aborted stream fails with an AbortError.
      if (this.stopped && error !== this.pump.thrown) return;
      this.failure = this.failureNote(error);
    }
  }

  summary(): CaptureSummary {
    const { pump, compression } = this;
    const notes: Note[] = this.failure === undefined ? [] : [this.failure];
    if (this.stopped && this.source.kind === 'file') {
      notes.push({ code: 'interrupted', statement: `Reading was stopped after packet ${pump.packets}.` });
    }
    this.report(true);
    const summary = pump.finish(this.name, notes.length === 0 && !this.stopped, notes);
    return compression === undefined ? summary : { ...summary, compression };
  }

  private get stopped(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  /**
   * A plain file: the kernel copies straight into the buffer of the pump. The event loop runs in between, for Ctrl-C.
   *
   * Reading ahead into a second buffer on the thread pool was measured (1 GB, 10 M packets, two cores, buffers of 256 KiB to 1 MiB):
   * it cost 25 to 50 % more CPU and gained no wall time, because the bytes come to rest in the other core's cache. Mapping the file
   * was measured, too (windows of 1 MiB over the buffer): what the kernel does not copy into the cache, each record then waits for.
   */
  private async readFile(fd: number): Promise<void> {
    const { pump } = this;
    const room = pump.room();
    const first = readSync(fd, room);
    this.compression = compressionOf(room.subarray(0, first));
    if (this.compression !== undefined) return this.readChunks(fileChunks(fd, room.slice(0, first)));
    for (let count = first; count > 0 && !pump.ended; count = readSync(fd, pump.room())) {
      pump.wrote(count);
      this.inputBytes += count;
      if (this.report(false)) {
        await setImmediate();
        if (this.stopped) return;
      }
    }
  }

  /** Bytes that come in pieces, compressed or not. */
  private async readChunks(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { pump } = this;
    let decompressor: Decompressor | undefined;
    let head: Uint8Array | undefined = new Uint8Array(0);
    try {
      for await (let chunk of chunks) {
        this.inputBytes += chunk.length;
        if (head !== undefined) {
          chunk = Buffer.concat([head, chunk]);
          head = chunk.length < COMPRESSION_SIGN_BYTES ? chunk : undefined;
          if (head !== undefined) continue;
          this.compression = compressionOf(chunk);
          if (this.compression !== undefined)
            decompressor = createDecompressor(this.compression, (out) => pump.push(out));
        }
        if (decompressor === undefined) {
          pump.push(chunk);
          if (this.source.kind === 'stream') release(chunk);
        } else await decompressor.write(chunk);
        this.report(false);
        if (pump.ended || this.stopped) return;
      }
      if (head !== undefined) pump.push(head);
      await decompressor?.finish();
    } finally {
      decompressor?.destroy();
    }
  }

  /** Reports progress when there is enough of it; returns whether it did. */
  private report(isEnd: boolean): boolean {
    if (!isEnd && this.inputBytes - this.reportedBytes < STEP_BYTES) return false;
    this.reportedBytes = this.inputBytes;
    this.options.onProgress?.(this.inputBytes, this.source.kind === 'file' ? this.source.totalBytes : undefined);
    return true;
  }

  /** What a failure means for the result: a note when something was read before it; else it is thrown, as is any bug. */
  private failureNote(error: unknown): Note {
    if (!(error instanceof Error) || !('code' in error) || error instanceof ParseError) throw error;
    if (error === this.pump.thrown) throw error;
    const code = String(error.code);
    const isCompression = /^(Z_|ZSTD_|ERR_BUFFER_TOO_LARGE)/.test(code);
    if (!isCompression && !('syscall' in error)) throw error;
    const note = isCompression ? this.compressionNote(code, error.message) : readNote(this.inputBytes, error.message);
    if (this.pump.reader !== undefined) return note;
    if (!isCompression) throw inputError(this.name, error);
    throw new ParseError({
      code: note.code,
      format: this.compression ?? 'gzip',
      offset: 0,
      message: `${note.statement} No packet could be read.`,
    });
  }

  private compressionNote(code: string, message: string): Note {
    const { compression, inputBytes } = this;
    if (code === 'Z_BUF_ERROR') {
      return {
        code: 'compression-cut',
        statement: `The ${compression} data ends too early, at byte ${inputBytes}: the file was cut short or is still being written.`,
        hint: 'What happened after the last packet is unknown.',
      };
    }
    return {
      code: 'compression-damaged',
      statement: `The ${compression} data is damaged before byte ${inputBytes} (${message}). Nothing after that, and up to 64 KiB before it, could be read.`,
      hint: 'Copy the file again in binary mode.',
    };
  }
}

/**
 * Gives the memory of a piece back that nobody needs any more, if the piece is all of it: V8 sees how little such an object takes of its
 * own heap, and lets tens of megabytes of them wait to be collected.
 */
function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

function readNote(offset: number, message: string): Note {
  return {
    code: 'read-failed',
    statement: `Reading failed after ${offset} bytes: ${message}.`,
    hint: 'What follows is unknown.',
  };
}

function abortable(stream: Readable, signal: AbortSignal | undefined): Readable {
  return signal === undefined ? stream : addAbortSignal(signal, stream);
}

/** The rest of a file in pieces, after its first one. A piece is good until the next one is asked for. */
async function* fileChunks(fd: number, first: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  const piece = new Uint8Array(CHUNK_BYTES);
  for (let count = readSync(fd, piece); count > 0; count = readSync(fd, piece)) yield piece.subarray(0, count);
}

/** Puts the name of the input before the message of a parse error, and says more where the name tells more. */
function named(name: string, error: unknown): unknown {
  if (!(error instanceof ParseError)) return error;
  const isEtl = error.code === 'not-a-capture' && /\.etl$/i.test(name);
  const { format, offset } = error;
  const message = `${inputLabel(name)}: ${isEtl ? ETL_ADVICE : error.message}`;
  return new ParseError({ code: isEtl ? 'etl' : error.code, format, offset, message });
}
