import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** A compression that is recognised by content. */
export type Compression = 'gzip' | 'zstd';

/** Bytes that {@link compressionOf} needs to tell. */
export const COMPRESSION_SIGN_BYTES: number = 4;

/** Bytes that are unpacked at a time; when compressed data is damaged, at most this much of what precedes the damage is lost. */
const OUTPUT_BYTES = 64 * 1024;

/**
 * Recognises compressed data by its first bytes: gzip (RFC 1952 section 2.3.1) or zstd (RFC 8878 sections 3.1.1 and 3.1.2; it may
 * begin with a skippable frame).
 */
export function compressionOf(bytes: Uint8Array): Compression | undefined {
  const [first, second, third, fourth] = bytes;
  if (first === 0x1f && second === 0x8b) return 'gzip';
  if (first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd) return 'zstd';
  const skippable = first !== undefined && (first & 0xf0) === 0x50;
  return skippable && second === 0x2a && third === 0x4d && fourth === 0x18 ? 'zstd' : undefined;
}

/** Unpacks a stream of compressed bytes, all gzip members or zstd frames of it, and hands the result to a function at once. */
export interface Decompressor {
  /**
   * Unpacks some bytes; resolves when all that can be had of them was handed out.
   * @throws an error of node:zlib when the data is damaged, or what the function threw.
   */
  write(input: Uint8Array): Promise<void>;
  /**
   * Ends the input.
   * @throws an error of node:zlib (`Z_BUF_ERROR`) when the data ends before it should.
   */
  finish(): Promise<void>;
  destroy(): void;
}

type Engine = Transform & { readonly bytesWritten: number };

/** Makes the decompressor for a compression; `onData` gets what was unpacked, and must be done with it when it returns. */
export function createDecompressor(compression: Compression, onData: (bytes: Uint8Array) => void): Decompressor {
  let engine: Engine | undefined;
  let over = false;
  /** What `onData` threw. */
  let thrown: { readonly error: unknown } | undefined;

  function current(): Engine {
    if (engine === undefined) {
      const options = { chunkSize: OUTPUT_BYTES };
      engine = (compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options)) as Engine;
      engine.on('data', (bytes: Uint8Array) => {
        if (thrown !== undefined) return;
        try {
          onData(bytes);
        } catch (error) {
          // From within a listener it would end the process; the step that is under way throws it instead.
          thrown = { error };
        }
      });
      // Each step has its own listener; this one keeps an error that comes between them from ending the process.
      engine.on('error', () => {});
    }
    return engine;
  }

  /** Runs one step of the engine. Resolves to true when the engine saw the end of its data. */
  async function step(used: Engine, run: (done: (error?: Error | null) => void) => void): Promise<boolean> {
    const ended = await new Promise<boolean>((resolve, reject) => {
      const settle = (ended: boolean, error?: Error | null): void => {
        used.off('end', onEnd);
        used.off('error', onError);
        used.off('close', onEnd);
        if (error) reject(error);
        else resolve(ended);
      };
      const onEnd = (): void => settle(true);
      const onError = (error: Error): void => settle(true, error);
      used.once('end', onEnd).once('error', onError).once('close', onEnd);
      run((error) => settle(false, error));
    });
    if (thrown !== undefined) throw thrown.error;
    return ended;
  }

  return {
    async write(input) {
      let rest = input;
      while (rest.length > 0 && !over) {
        const used = current();
        const before = used.bytesWritten;
        const piece = rest;
        const ended = await step(used, (done) => used.write(piece, done));
        if (!ended) return;
        // The engine stops behind a zstd frame; the next one needs a new engine. What follows gzip members is padding.
        engine = undefined;
        rest = rest.subarray(used.bytesWritten - before);
        over = compression === 'gzip' || used.bytesWritten === 0;
        used.destroy();
      }
    },
    async finish() {
      const used = engine;
      if (used !== undefined) await step(used, () => used.end());
    },
    destroy() {
      engine?.destroy();
    },
  };
}
