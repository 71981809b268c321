import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { headerLine, parseSegment, type Segment } from './journal-format.ts';

const NAME: RegExp = /^journal-(\d{15}-[\da-f]{8})\.jsonl$/;

/** A file of the journal that is not written any more. */
export interface SealedSegment {
  readonly id: string;
  readonly path: string;
}

/**
 * A log of what was seen, in files that are only ever appended to. What `append` acknowledged is on disk. It is cheap: the database, which
 * takes tens of megabytes of memory, need not run all the time, and takes over whole segments now and then.
 */
export class Journal {
  readonly #folder: string;
  #current: { readonly id: string; readonly path: string; readonly file: FileHandle; bytes: number } | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bytes of the segment that is being written. */
  get currentBytes(): number {
    return this.#current?.bytes ?? 0;
  }

  /**
   * Appends whole lines and waits for the disk. What fails leaves no trace.
   * @throws NodeJS.ErrnoException
   */
  append(lines: string, lastIncidentId: number): Promise<void> {
    return this.#queue(() => this.#append(lines, lastIncidentId));
  }

  /** Ends the segment that is being written: the next line begins another. */
  seal(): Promise<void> {
    return this.#queue(() => this.#seal());
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #append(lines: string, lastIncidentId: number): Promise<void> {
    this.#current ??= await this.#begin(lastIncidentId);
    const { file, bytes } = this.#current;
    const data = Buffer.from(lines);
    try {
      for (let written = 0; written < data.length; ) {
        const { bytesWritten } = await file.write(data, written, data.length - written, bytes + written);
        written += bytesWritten;
      }
      await file.datasync();
      this.#current.bytes += data.length;
    } catch (error) {
      await file.truncate(bytes).catch(() => this.#seal());
      throw error;
    }
  }

  async #seal(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.file.close().catch(() => undefined);
  }

  /** Segments that are complete, oldest first. */
  sealed(): SealedSegment[] {
    return listSegments(this.#folder).filter(({ id }) => id !== this.#current?.id);
  }

  /** Bytes of all segments. */
  bytes(): number {
    return listSegments(this.#folder).reduce(
      (sum, { path }) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  }

  /**
   * Removes the oldest segments until the others hold no more than so many bytes; the one that is being written stays.
   * @returns how many were removed.
   */
  shrink(maxBytes: number): number {
    const sized = listSegments(this.#folder).map((segment) => ({
      ...segment,
      bytes: statSync(segment.path, { throwIfNoEntry: false })?.size ?? 0,
    }));
    let left = sized.reduce((sum, { bytes }) => sum + bytes, 0);
    let removed = 0;
    for (const { id, bytes } of sized) {
      if (left <= maxBytes || id === this.#current?.id) break;
      this.remove(id);
      left -= bytes;
      removed++;
    }
    return removed;
  }

  /** Removes a segment that the database has taken over. */
  remove(id: string): void {
    rmSync(join(this.#folder, `journal-${id}.jsonl`), { force: true });
  }

  async #begin(lastIncidentId: number) {
    // Behind all others, even if the clock was set back.
    const newest = Number(listSegments(this.#folder).at(-1)?.id.slice(0, 15) ?? 0);
    const time = String(Math.max(Date.now(), newest + 1)).padStart(15, '0');
    const id = `${time}-${randomBytes(4).toString('hex')}`;
    const path = join(this.#folder, `journal-${id}.jsonl`);
    const file = await open(path, 'wx', 0o600);
    const header = Buffer.from(headerLine({ segment: id, lastIncidentId }));
    try {
      const { bytesWritten } = await file.write(header, 0, header.length, 0);
      if (bytesWritten < header.length) throw Object.assign(new Error('ENOSPC: short write'), { code: 'ENOSPC' });
    } catch (error) {
      await file.close();
      rmSync(path, { force: true });
      throw error;
    }
    return { id, path, file, bytes: header.length };
  }
}

/** The segments in a folder, oldest first. */
export function listSegments(folder: string): SealedSegment[] {
  return readdirSync(folder)
    .flatMap((name) => {
      const id = NAME.exec(name)?.[1];
      return id === undefined ? [] : [{ id, path: join(folder, name) }];
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Reads a segment; undefined when it is gone or does not begin as one. */
export function readSegment({ path }: SealedSegment): Segment | undefined {
  try {
    return parseSegment(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
