import { ParseError } from '../parse-error.ts';
import { notACapture } from './foreign-formats.ts';

/** Layout of a classic pcap file, as its file header says it. */
export interface ClassicLayout {
  /** The magic number, read as little-endian. */
  readonly magic: number;
  readonly littleEndian: boolean;
  /** Bytes of the file header: 24, or 28 for Ixia's variant. */
  readonly headerBytes: number;
  /** Bytes of a record header: 16, or 24 for Kuznetzov's variant. */
  readonly recordHeaderBytes: number;
  /** Nanoseconds that one unit of the second time field is. */
  readonly nsPerUnit: 1 | 1000;
  /**
   * Whether the captured length follows the wire length instead of preceding it: so before version 2.3; in 2.3 some writers did
   * one and some the other, so that the smaller one is the captured length.
   */
  readonly lengths: 'captured-first' | 'wire-first' | 'smaller-is-captured';
  readonly linkType: number;
  /** 0 when unlimited. */
  readonly snapLength: number;
}

/** Bytes of the file header that {@link decodeClassicHeader} needs. */
export const CLASSIC_HEADER_BYTES: number = 24;

/** IANA ifType values that AIX writes in place of LINKTYPE_ values (wiretap/libpcap.c). */
const AIX_LINK_TYPES: ReadonlyMap<number, number> = new Map([
  [6, 1],
  [9, 6],
  [15, 10],
  [24, 0],
]);

/** Whether a magic number, read as little-endian, is one of classic pcap's. */
export function isClassicMagic(magic: number): boolean {
  return variantOf(magic) !== undefined;
}

/**
 * Decodes the file header of a classic pcap file.
 *
 * ```text
 *  0                   1                   2                   3
 * +---------------------------------------------------------------+
 * |                         Magic number                          |
 * |          Major version        |         Minor version         |
 * |                           Reserved 1                          |
 * |                           Reserved 2                          |
 * |                            SnapLen                            |
 * | FCS |f|   0   |                LinkType                       |
 * +---------------------------------------------------------------+
 * ```
 *
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html; variants: libpcap sf-pcap.c, Wireshark
 * wiretap/libpcap.c. AIX writes version 2.2, ifType values as link types, and nanoseconds under the magic of microseconds.
 * @param start offset of the header, of which {@link CLASSIC_HEADER_BYTES} bytes are there.
 * @throws ParseError when the magic number or the version is none that is known.
 */
export function decodeClassicHeader(view: DataView, start: number): ClassicLayout {
  const magic = view.getUint32(start, true);
  const variant = variantOf(magic);
  if (variant === undefined) throw notACapture(view, start, view.byteLength);
  const { littleEndian } = variant;
  const major = view.getUint16(start + 4, littleEndian);
  const minor = view.getUint16(start + 6, littleEndian);
  // 543.0 is what DG/UX writes; it has the lengths in the old order (libpcap sf-pcap.c).
  if (major !== 2 && !(major === 543 && minor === 0)) {
    throw new ParseError({
      code: 'unsupported-version',
      format: 'pcap',
      offset: start + 4,
      message: `The pcap header says version ${major}.${minor}, but only 2.x is known: the file is damaged or was made by an unusual tool. Let tcpdump or Wireshark write it again.`,
    });
  }
  // The upper bits say how many bytes of frame check sequence each packet ends with.
  const linkType = view.getUint32(start + 20, littleEndian) & 0xffff;
  const aixLinkType = major === 2 && minor === 2 ? AIX_LINK_TYPES.get(linkType) : undefined;
  return {
    ...variant,
    magic,
    nsPerUnit: aixLinkType === undefined ? variant.nsPerUnit : 1,
    lengths: major !== 2 || minor < 3 ? 'wire-first' : minor === 3 ? 'smaller-is-captured' : 'captured-first',
    linkType: aixLinkType ?? linkType,
    snapLength: view.getUint32(start + 16, littleEndian),
  };
}

interface Variant {
  readonly magic: number;
  readonly littleEndian: boolean;
  readonly headerBytes: number;
  readonly recordHeaderBytes: number;
  readonly nsPerUnit: 1 | 1000;
}

const VARIANTS: readonly Omit<Variant, 'littleEndian'>[] = [
  { magic: 0xa1b2c3d4, headerBytes: 24, recordHeaderBytes: 16, nsPerUnit: 1000 },
  { magic: 0xa1b23c4d, headerBytes: 24, recordHeaderBytes: 16, nsPerUnit: 1 },
  // Alexey Kuznetzov's libpcap: interface index, protocol and packet type follow the lengths.
  { magic: 0xa1b2cd34, headerBytes: 24, recordHeaderBytes: 24, nsPerUnit: 1000 },
  // Ixia's lcap, by hardware and by software: the size of all records follows the file header.
  { magic: 0x1c0001ac, headerBytes: 28, recordHeaderBytes: 16, nsPerUnit: 1 },
  { magic: 0x1c0001ab, headerBytes: 28, recordHeaderBytes: 16, nsPerUnit: 1000 },
];

function variantOf(magic: number): Variant | undefined {
  for (const variant of VARIANTS) {
    if (magic === variant.magic) return { ...variant, littleEndian: true };
    if (magic === swapped(variant.magic)) return { ...variant, littleEndian: false };
  }
  return undefined;
}

function swapped(value: number): number {
  return ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value & 0xff00) << 8) | (value << 24)) >>> 0;
}
