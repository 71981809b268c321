import type { FramingNote } from './frames.ts';
import { MAX_RECORD_BYTES } from './frames.ts';

/** `MAX_RECORD_BYTES` as a statement says it. */
export const MAX_RECORD_TEXT: string = `${MAX_RECORD_BYTES / (1024 * 1024)} MiB`;

/**
 * The note about a place where the framing cannot be followed any more.
 * @param offset of the record or block, in bytes from the start of the capture.
 * @param packets that were found before it.
 * @param why what is wrong there, as a clause.
 */
export function damagedNote(offset: number, packets: number, why: string): FramingNote {
  return {
    code: 'damaged',
    statement: `The capture is damaged at byte ${offset}, after packet ${packets}: ${why}. Nothing after it was read.`,
    hint: 'What happened after that packet is unknown; copy the file again in binary mode, or capture again.',
  };
}

/** The note about a capture that ends within a record. */
export function cutNote(packets: number, unusedBytes: number, claimedBytes: number | undefined): FramingNote {
  const of = claimedBytes === undefined ? '' : ` of ${claimedBytes}`;
  return {
    code: 'cut-short',
    statement: `The capture ends in the middle of a record: ${unusedBytes}${of} bytes of what follows packet ${packets} are there.`,
    hint: 'It was cut short or is still being written; what happened later is unknown.',
  };
}
