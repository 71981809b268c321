import { ParseError } from '../parse-error.ts';

/** Block type of the Section Header Block, the same in both byte orders. */
export const SECTION_HEADER = 0x0a0d0d0a;
/** Bytes of a Section Header Block before its options. */
export const SECTION_HEADER_BYTES = 24;
/** Bytes that {@link decodeSectionStart} needs. */
export const SECTION_START_BYTES = 16;

/** What the start of a section says. */
export interface SectionStart {
  readonly littleEndian: boolean;
  /** Total length of the Section Header Block in bytes. */
  readonly total: number;
}

/**
 * Decodes the start of a Section Header Block. The length of the section is not used: blocks are walked until the next header.
 *
 * ```text
 * +---------------------------------------------------------------+
 * |                    Block Type = 0x0A0D0D0A                    |
 * |                      Block Total Length                       |
 * |               Byte-Order Magic = 0x1A2B3C4D                   |
 * |          Major Version        |         Minor Version         |
 * |                    Section Length (64 bits)                   |
 * /                            Options                            /
 * |                      Block Total Length                       |
 * +---------------------------------------------------------------+
 * ```
 *
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html#name-section-header-block
 * @param fileOffset of the block, for the message.
 * @throws ParseError when the byte-order magic, version or length is none that is known.
 */
export function decodeSectionStart(view: DataView, at: number, fileOffset: number): SectionStart {
  const magic = view.getUint32(at + 8, true);
  const littleEndian = magic === 0x1a2b3c4d;
  if (!littleEndian && magic !== 0x4d3c2b1a) {
    throw damaged(fileOffset + 8, 'the byte-order magic of a pcapng section header is damaged');
  }
  const major = view.getUint16(at + 12, littleEndian);
  if (major !== 1) {
    const minor = view.getUint16(at + 14, littleEndian);
    throw damaged(fileOffset + 12, `a pcapng section says version ${major}.${minor}, but only 1.x is known`);
  }
  const total = view.getUint32(at + 4, littleEndian);
  if (total < SECTION_HEADER_BYTES + 4 || total % 4 !== 0) {
    throw damaged(fileOffset + 4, `a pcapng section header claims a length of ${total} bytes, which cannot be`);
  }
  return { littleEndian, total };
}

function damaged(offset: number, message: string): ParseError {
  return new ParseError({ code: 'damaged-header', format: 'pcapng', offset, message });
}
