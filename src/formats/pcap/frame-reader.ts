import type { ParseError } from '../parse-error.ts';
import { CLASSIC_HEADER_BYTES, decodeClassicHeader, isClassicMagic } from './classic-header.ts';
import { createClassicReader } from './classic-reader.ts';
import { headerCut, notACapture } from './foreign-formats.ts';
import type { FrameReader } from './frames.ts';
import { createPcapngReader } from './pcapng-reader.ts';
import { decodeSectionStart, SECTION_HEADER, SECTION_START_BYTES } from './pcapng-section.ts';

/**
 * Makes the reader for a capture by its first bytes: pcap (both byte orders, micro- and nanoseconds, Kuznetzov's, Ixia's and AIX's
 * variants) or pcapng. It consumes nothing: the reader's first `walk` begins at `start` again.
 * @param end the bytes between `start` and `end` are the beginning of the file.
 * @returns undefined when more bytes are needed to tell; at the end of the input {@link describeShortInput} says what they were.
 * @throws ParseError when this is no capture, with what it is instead as far as that can be told.
 */
export function createFrameReader(view: DataView, start: number, end: number): FrameReader | undefined {
  const there = end - start;
  if (there < 4) return undefined;
  const magic = view.getUint32(start, true);
  if (magic === SECTION_HEADER) {
    if (there < SECTION_START_BYTES) return undefined;
    decodeSectionStart(view, start, 0);
    return createPcapngReader();
  }
  if (isClassicMagic(magic)) {
    if (there < CLASSIC_HEADER_BYTES) return undefined;
    return createClassicReader(decodeClassicHeader(view, start));
  }
  throw notACapture(view, start, end);
}

/** Says what is wrong with an input that ended before {@link createFrameReader} could tell what it is. */
export function describeShortInput(view: DataView, start: number, end: number): ParseError {
  const there = end - start;
  if (there < 4) return notACapture(view, start, end);
  return headerCut(view.getUint32(start, true) === SECTION_HEADER ? 'pcapng' : 'pcap', there);
}
