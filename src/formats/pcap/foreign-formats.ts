import { ParseError } from '../parse-error.ts';

interface ForeignFormat {
  readonly code: string;
  readonly matches: (bytes: Uint8Array) => boolean;
  /** What it is, as the end of "This is ...". */
  readonly what: string;
  readonly hint: string;
}

const EDITCAP = 'Convert it with Wireshark: editcap -F pcapng <this file> <new file>.';

const ETL_WHAT = 'a Windows event trace (ETL), as pktmon and netsh trace write it';
const ETL_HINT =
  'Convert it on Windows: pktmon etl2pcap <this file> --out capture.pcapng (for netsh trace: etl2pcapng).';

/** What to say of a file that is an ETL trace by its name only. */
export const ETL_ADVICE: string = `This is no pcap or pcapng capture but ${ETL_WHAT}. ${ETL_HINT}`;

/** Magic numbers of pcap variants that libpcap names but cannot read. */
const UNPUBLISHED_MAGICS: readonly number[] = [0xa1b234cd, 0xa12b3c4d];

/** Formats that people take for a capture, most certain sign first. */
const FOREIGN_FORMATS: readonly ForeignFormat[] = [
  compressed('gzip', [0x1f, 0x8b], 'gzip -dc'),
  compressed('zstd', [0x28, 0xb5, 0x2f, 0xfd], 'zstd -dc'),
  compressed('xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], 'xz -dc'),
  compressed('bzip2', ascii('BZh'), 'bzip2 -dc'),
  compressed('lz4', [0x04, 0x22, 0x4d, 0x18], 'lz4 -dc'),
  {
    code: 'archive',
    matches: beginsWith(ascii('PK\x03\x04')),
    what: 'a zip archive',
    hint: 'Unpack it (unzip) and give the capture inside.',
  },
  { code: 'archive', matches: beginsWith([0x37, 0x7a, 0xbc, 0xaf]), what: 'a 7-Zip archive', hint: 'Unpack it first.' },
  {
    code: 'archive',
    matches: (bytes) => matchesAt(bytes, 257, ascii('ustar')),
    what: 'a tar archive',
    hint: 'Unpack it (tar -xf) and give the capture inside.',
  },
  {
    code: 'etl',
    matches: looksLikeEtl,
    what: ETL_WHAT,
    hint: ETL_HINT,
  },
  { code: 'snoop', matches: beginsWith(ascii('snoop\0\0\0')), what: 'a snoop capture (Solaris)', hint: EDITCAP },
  { code: 'netmon', matches: beginsWith(ascii('GMBU')), what: 'a Microsoft Network Monitor 2 capture', hint: EDITCAP },
  { code: 'netmon', matches: beginsWith(ascii('RTSS')), what: 'a Microsoft Network Monitor 1 capture', hint: EDITCAP },
  { code: 'iptrace', matches: beginsWith(ascii('iptrace ')), what: 'an iptrace capture (AIX)', hint: EDITCAP },
  { code: 'btsnoop', matches: beginsWith(ascii('btsnoop\0')), what: 'a Bluetooth log; it has no TCP', hint: EDITCAP },
  { code: 'sniffer', matches: beginsWith(ascii('TRSNIFF data')), what: 'a Sniffer capture', hint: EDITCAP },
  {
    code: 'network-instruments',
    matches: beginsWith(ascii('ObserverPktBuffe')),
    what: 'an Observer capture',
    hint: EDITCAP,
  },
  { code: '5view', matches: beginsWith([0xaa, 0xaa, 0xaa, 0xaa]), what: 'a 5View capture', hint: EDITCAP },
  {
    code: 'pcap-variant',
    matches: (bytes) =>
      UNPUBLISHED_MAGICS.includes(uint32(bytes, 0, false)) || UNPUBLISHED_MAGICS.includes(uint32(bytes, 0, true)),
    what: 'an unpublished variant of pcap (Mesquita or Navtel), whose layout no tool knows',
    hint: 'Capture again with tcpdump or dumpcap.',
  },
  {
    code: 'line-ends-changed',
    matches: lineEndsChanged,
    what: 'a pcapng file whose line ends were changed on the way, as a transfer in text mode does',
    hint: 'Copy it again in binary mode.',
  },
  {
    code: 'zero-filled',
    matches: (bytes) => bytes.length >= 4 && bytes.every((byte) => byte === 0),
    what: 'a file that begins with zeros only: its space was reserved, but no capture was written',
    hint: 'Look for a full disk or an interrupted copy where it was made.',
  },
  {
    code: 'git-lfs-pointer',
    matches: beginsWith(ascii('version https://git-lfs')),
    what: 'a Git LFS pointer, not the capture itself',
    hint: 'Fetch the capture with git lfs pull.',
  },
  {
    code: 'html',
    matches: (bytes) => /^\s*<(!doctype|html|head|body|\?xml|!--)/i.test(textOf(bytes)),
    what: 'an HTML or XML page, probably an error or login page that was saved in place of the capture',
    hint: 'Download the capture again, signed in.',
  },
  {
    code: 'printed-packets',
    matches: (bytes) =>
      /^(tcpdump: |\s*\d+\s+\d+\.\d+ |(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d+ |\d{10}\.\d+ |reading from file )/.test(
        textOf(bytes),
      ),
    what: 'the text that tcpdump or tshark printed, not the packets',
    hint: 'Let it write the packets: tcpdump -w capture.pcap.',
  },
  {
    code: 'text',
    matches: (bytes) => bytes.length > 0 && /^\uFEFF?[\t\n\r\f\x1b -~\u00a0-\uffef]+$/.test(textOf(bytes)),
    what: 'a text file',
    hint: 'Give a file that tcpdump -w, dumpcap or Wireshark wrote.',
  },
  {
    code: 'erf',
    matches: looksLikeErf,
    what: 'probably an ERF capture (Endace)',
    hint: EDITCAP,
  },
];

/**
 * Says why bytes that begin with no known magic number are no capture, and what they are when that can be told.
 * @param view holds the beginning of the file between `start` and `end`; 512 bytes are enough.
 */
export function notACapture(view: DataView, start: number, end: number): ParseError {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start, Math.min(end - start, 512));
  if (bytes.length === 0) {
    return problem(
      'empty',
      'The capture is empty: it has 0 bytes. Check that the tool that should write it could start.',
    );
  }
  for (const format of FOREIGN_FORMATS) {
    if (format.matches(bytes)) {
      return problem(format.code, `This is no pcap or pcapng capture but ${format.what}. ${format.hint}`);
    }
  }
  const shown = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return problem(
    'not-a-capture',
    `This is no pcap or pcapng capture: it begins with the bytes ${shown}. Give a file that tcpdump -w, dumpcap or Wireshark wrote.`,
  );
}

/** Says that the input ended within the header of a capture. */
export function headerCut(format: 'pcap' | 'pcapng', bytes: number): ParseError {
  return new ParseError({
    code: 'header-cut',
    format,
    offset: bytes,
    message: `The ${format} capture ends after ${bytes} bytes, within its file header, so it holds no packet. It was cut short, or the tool that writes it has not written anything yet (tcpdump -U writes at once).`,
  });
}

function problem(code: string, message: string): ParseError {
  return new ParseError({ code, format: 'pcap', offset: 0, message });
}

function compressed(name: string, magic: readonly number[], command: string): ForeignFormat {
  return {
    code: `compressed-${name}`,
    matches: beginsWith(magic),
    what: `${name}-compressed data`,
    hint: `Unpack it first: ${command} <this file> | synscope read -`,
  };
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

function beginsWith(sign: readonly number[]): (bytes: Uint8Array) => boolean {
  return (bytes) => matchesAt(bytes, 0, sign);
}

function matchesAt(bytes: Uint8Array, offset: number, sign: readonly number[]): boolean {
  return sign.every((byte, index) => bytes[offset + index] === byte);
}

function uint32(bytes: Uint8Array, offset: number, little: boolean): number {
  if (bytes.length < offset + 4) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, little);
}

function textOf(bytes: Uint8Array): string {
  const decoded = new TextDecoder('utf-8').decode(bytes);
  // The 512 bytes may end within a character.
  return bytes.length === 512 ? decoded.replace(/\uFFFD$/, '') : decoded;
}

/** The block type 0a 0d 0d 0a as a changed line end leaves it, and the byte-order magic near it. */
function lineEndsChanged(bytes: Uint8Array): boolean {
  const changed = [
    [0x0a, 0x0a],
    [0x0d, 0x0d],
    [0x0d, 0x0a, 0x0d],
    [0x0a, 0x0d, 0x0a],
  ];
  if (!changed.some((sign) => matchesAt(bytes, 0, sign))) return false;
  for (let at = 4; at <= 12; at += 1) {
    if (matchesAt(bytes, at, [0x4d, 0x3c, 0x2b, 0x1a]) || matchesAt(bytes, at, [0x1a, 0x2b, 0x3c, 0x4d])) return true;
  }
  return false;
}

/**
 * An ETL file has no magic number. It begins with a WMI_BUFFER_HEADER (72 bytes: buffer size, saved offset, ...), and
 * its first event has a SYSTEM_TRACE_HEADER: version, type 1 or 2 (32 or 64 bits), flags 0xc0.
 */
function looksLikeEtl(bytes: Uint8Array): boolean {
  const bufferBytes = uint32(bytes, 0, true);
  const type = bytes[0x4a];
  return (
    bufferBytes >= 1024 &&
    bufferBytes % 1024 === 0 &&
    uint32(bytes, 4, true) <= bufferBytes &&
    (type === 1 || type === 2) &&
    bytes[0x4b] === 0xc0
  );
}

/**
 * An ERF file has no magic number. A record begins with the time (fraction, then seconds, little-endian), type, flags, record
 * length, loss counter and wire length (big-endian).
 */
function looksLikeErf(bytes: Uint8Array): boolean {
  if (bytes.length < 16) return false;
  const seconds = uint32(bytes, 4, true);
  const type = bytes[8]! & 0x7f;
  const recordBytes = (bytes[10]! << 8) | bytes[11]!;
  const wireBytes = (bytes[14]! << 8) | bytes[15]!;
  const recent = seconds > 631_152_000 && seconds < 2_208_988_800; // 1990 to 2040
  return recent && type >= 1 && type <= 48 && recordBytes >= 16 && recordBytes <= wireBytes + 64;
}
