/**
 * Formats the four bytes at `offset` as dotted quad.
 * @throws RangeError when the view ends before them.
 */
export function formatIpv4(view: DataView, offset: number): string {
  const address = view.getUint32(offset);
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/**
 * Formats the sixteen bytes at `offset` in the canonical text form of RFC 5952 section 4: lower case, no leading zeros, `::`
 * for the longest (of equals: the first) run of two or more zero groups; IPv4-mapped addresses end in a dotted quad
 * (section 5).
 * @throws RangeError when the view ends before them.
 */
export function formatIpv6(view: DataView, offset: number): string {
  if (isIpv4Mapped(view, offset)) return `::ffff:${formatIpv4(view, offset + 12)}`;
  let longestStart = -1;
  let longest = 1;
  let run = 0;
  for (let group = 0; group < 8; group++) {
    run = view.getUint16(offset + 2 * group) === 0 ? run + 1 : 0;
    if (run > longest) {
      longest = run;
      longestStart = group - run + 1;
    }
  }
  let text = '';
  for (let group = 0; group < 8; group++) {
    if (group === longestStart) {
      text += '::';
      group += longest - 1;
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += view.getUint16(offset + 2 * group).toString(16);
  }
  return text;
}

/**
 * Parses an IPv4 or IPv6 address (RFC 4291 section 2.2) into its 4 or 16 bytes in network order. Strict: no leading zeros in
 * dotted quads, no zone index, no prefix length, no brackets, no spaces.
 * @returns undefined for anything else.
 */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function isIpv4Mapped(view: DataView, offset: number): boolean {
  return view.getUint32(offset) === 0 && view.getUint32(offset + 4) === 0 && view.getUint32(offset + 8) === 0x0000_ffff;
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[index] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const groups =
    tail === undefined
      ? head
      : [...head, ...new Array<number>(Math.max(1, 8 - head.length - tail.length)).fill(0), ...tail];
  if (groups.length !== 8) return undefined;
  const bytes = new Uint8Array(16);
  for (const [index, group] of groups.entries()) {
    bytes[2 * index] = group >>> 8;
    bytes[2 * index + 1] = group & 255;
  }
  return bytes;
}

/** Parses colon-separated groups; only the `last` part of an address may end in a dotted quad. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const quad = last && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (quad === undefined) return undefined;
    groups.push((quad[0]! << 8) | quad[1]!, (quad[2]! << 8) | quad[3]!);
  }
  return groups;
}
