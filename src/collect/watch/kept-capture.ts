import { HandshakeScanner } from '../../handshake/scan.ts';
import { HandshakeTracker } from '../../handshake/tracker.ts';
import { CapturePump } from '../../host/capture-pump.ts';
import type { Note } from '../../model/capture.ts';
import { formatQuantity } from '../../model/text.ts';
import type { ComparedInput } from '../track-for-comparison.ts';

/** Bytes of one capture that are kept at most; what comes after that is left out, and said to be. */
const MAX_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** Attempts of one capture that are compared at most. */
const MAX_ATTEMPTS = 100_000;

/** How a capture is to be taken in a comparison. */
export interface KeptAs {
  /** Short and unique among the captures that are compared. */
  readonly name: string;
  /** The file in which it is kept as well. */
  readonly path?: string;
  /** A moment after which it missed nothing, by the clock of the host: silence from then on says something. */
  readonly sinceNs?: bigint | undefined;
  /** When it was looked at, by the clock of the host. */
  readonly atNs: bigint;
  /** Packets that it lost. */
  readonly lost: number;
  /** Whether every packet of an attempt must have come by, as far as it lost none. */
  readonly complete?: 'certain' | 'likely';
}

/** The packets that one host of a trace has captured so far, to be compared with those of the others. */
export class KeptCapture {
  private readonly pieces: Uint8Array[] = [];
  private bytes = 0;
  private cut = false;

  /** Takes a piece of the capture; it is copied. */
  readonly push = (chunk: Uint8Array): void => {
    if (this.cut || this.bytes + chunk.length > MAX_BYTES) {
      this.cut = true;
      return;
    }
    this.pieces.push(Uint8Array.from(chunk));
    this.bytes += chunk.length;
  };

  /** Whether anything has come at all. */
  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** All attempts in what has come so far. It can be asked again when more has come. @throws ParseError */
  track({ name, path, sinceNs, atNs, lost, complete }: KeptAs): ComparedInput {
    const tracker = new HandshakeTracker({ capacity: MAX_ATTEMPTS, keep: true });
    const scanner = new HandshakeScanner(tracker);
    const pump = new CapturePump(
      (reader, view, batch, first) => scanner.scan(reader, view, batch, first),
      Math.min(CHUNK_BYTES, Math.max(4096, this.bytes)),
      scanner.memory,
    );
    for (const piece of this.pieces) pump.push(piece);
    const baseNs = pump.reader?.baseNs ?? atNs;
    tracker.finish(Number(atNs - baseNs));
    const whole = lost === 0 && !this.cut && tracker.counts.evicted === 0;
    const notes = [...(lost > 0 ? [lostNote(lost)] : []), ...(this.cut ? [CUT_NOTE] : [])];
    const summary = pump.finish(name, false, notes);
    const firstNs = summary.firstNs ?? sinceNs ?? baseNs;
    return {
      summary: path === undefined ? summary : { ...summary, path },
      capture: {
        name,
        ...(path === undefined ? {} : { path }),
        table: tracker.table,
        baseNs,
        firstNs: sinceNs !== undefined && sinceNs < firstNs ? sinceNs : firstNs,
        lastNs: atNs,
        ...(whole && complete !== undefined ? { complete } : {}),
      },
    };
  }
}

const CUT_NOTE: Note = {
  code: 'capture-cut',
  statement: `the capture was longer than the ${MAX_BYTES / 1024 / 1024} MB that are compared; what came after them is left out`,
  hint: 'try at a quieter time',
};

function lostNote(lost: number): Note {
  return {
    code: 'capture-lost',
    statement: `the capture lost ${formatQuantity(lost, 'packet')} because they came too fast`,
  };
}
