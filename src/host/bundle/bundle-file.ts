import { once } from 'node:events';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createZstdCompress } from 'node:zlib';
import { InputError } from '../../model/errors.ts';
import { inputError } from '../capture-source.ts';
import { COMPRESSION_SIGN_BYTES, compressionOf, createDecompressor } from '../decompress.ts';
import { outputTarget } from '../output-target.ts';
import { writeAll } from '../packet-spool.ts';
import { isSystemError, systemReason } from '../system-error.ts';
import { BundleReader, bundleLines } from './bundle-lines.ts';
import type { Bundle } from './entry.ts';

/** Nothing longer than this is a bundle; a small file may claim to unpack to any length. */
const MAX_UNPACKED_BYTES = 1024 * 1024 * 1024;
const MAX_LINE_BYTES = 128 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;
const NEWLINE = 10;

/**
 * Writes a recording so that it appears under its name only when it is complete; only its owner may read it.
 * @throws InputError when it cannot be written, or there is such a file and it is not to be replaced.
 */
export async function writeBundle(path: string, { header, entries }: Bundle, replace: boolean): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  let fd: number | undefined;
  try {
    fd = openSync(partial, 'wx', 0o600);
    const target = fd;
    const compress = createZstdCompress();
    // What a listener throws is nobody's: a full disk has to be told from here.
    let failure: { readonly error: unknown } | undefined;
    compress.on('data', (bytes: Uint8Array) => {
      if (failure !== undefined) return;
      try {
        writeAll(target, bytes);
      } catch (error) {
        failure = { error };
      }
    });
    const ended = once(compress, 'end');
    for (const line of bundleLines(header, entries)) {
      if (!compress.write(`${line}\n`)) await Promise.race([once(compress, 'drain'), ended]);
    }
    compress.end();
    await ended;
    if (failure !== undefined) throw failure.error;
    fsyncSync(fd);
    closeSync(fd);
    fd = undefined;
    if (replace) renameSync(partial, outputTarget(path));
    else publish(partial, path);
  } catch (error) {
    throw notWritten(path, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
    rmSync(partial, { force: true });
  }
}

/**
 * Reads a recording.
 * @throws InputError when there is none, it is damaged, or a newer synscope wrote it.
 */
export async function readBundle(path: string): Promise<Bundle> {
  const reader = new BundleReader(path);
  const lines = new LineSplitter(reader);
  try {
    if ((await stat(path)).isDirectory())
      throw Object.assign(new Error('EISDIR: is a directory, read'), { code: 'EISDIR', syscall: 'read' });
    const file = await open(path);
    try {
      const sign = Buffer.alloc(COMPRESSION_SIGN_BYTES);
      await file.read(sign, 0, sign.length, 0);
      const compression = compressionOf(sign);
      if (compression === undefined) throw reader.noBundle();
      const decompressor = createDecompressor(compression, (bytes) => lines.push(bytes));
      try {
        for (let at = 0; ; ) {
          const { bytesRead, buffer } = await file.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, at);
          if (bytesRead === 0) break;
          at += bytesRead;
          await decompressor.write(buffer.subarray(0, bytesRead));
        }
        await decompressor.finish();
      } finally {
        decompressor.destroy();
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isSystemError(error)) throw inputError(path, error);
    if (error instanceof Error && 'errno' in error) throw reader.damaged('it cannot be unpacked');
    throw error;
  }
  return lines.finish();
}

/** Cuts unpacked bytes into lines, none of which may be longer than memory is good for. */
class LineSplitter {
  private readonly reader: BundleReader;
  private pieces: Uint8Array[] = [];
  private waiting = 0;
  private total = 0;

  constructor(reader: BundleReader) {
    this.reader = reader;
  }

  /** Takes bytes, which are another's as soon as it returns. */
  push(bytes: Uint8Array): void {
    this.total += bytes.length;
    let rest = bytes;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      this.pieces.push(rest.subarray(0, end));
      this.line();
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) this.pieces.push(Uint8Array.from(rest));
    this.waiting += rest.length;
    if (this.waiting > MAX_LINE_BYTES || this.total > MAX_UNPACKED_BYTES) {
      throw this.reader.damaged('it unpacks to more than a recording can be');
    }
  }

  finish(): Bundle {
    if (this.waiting > 0) this.line();
    return this.reader.finish();
  }

  private line(): void {
    const text = Buffer.concat(this.pieces).toString('utf8');
    this.pieces = [];
    this.waiting = 0;
    this.reader.take(text);
  }
}

/** Gives a file its name, unless another file has that name. */
function publish(partial: string, path: string): void {
  try {
    // Unlike rename(2), link(2) replaces nothing.
    linkSync(partial, path);
  } catch (error) {
    const hasNoLinks = isSystemError(error) && /^(EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS)$/.test(error.code ?? '');
    if (!hasNoLinks) throw error;
    if (existsSync(path)) throw alreadyThere(path);
    renameSync(partial, path);
  }
}

function notWritten(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  if (error.code === 'EEXIST' && error.syscall === 'link') return alreadyThere(path);
  return notWritable(path, systemReason(error), error);
}

function notWritable(path: string, reason: string, cause?: unknown): InputError {
  return new InputError({ code: 'not-writable', message: `${path} cannot be written: ${reason}.` }, { cause });
}

/**
 * Refuses a file that {@link writeBundle} could not write, before the long recording begins.
 * @throws InputError
 */
export function checkBundleTarget(path: string, replace: boolean): void {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there !== undefined && !there.isFile()) throw notWritable(path, 'it is no ordinary file');
    if (there !== undefined && !replace) throw alreadyThere(path);
    accessSync(dirname(outputTarget(path)), constants.W_OK);
  } catch (error) {
    throw notWritten(path, error);
  }
}

/** What to say of a file that is there and is not to be replaced. */
function alreadyThere(path: string): InputError {
  return new InputError({
    code: 'exists',
    message: `${path} is there already.`,
    hint: 'Give another name, or --force to replace it.',
  });
}
