import { formatIpv6, parseAddress } from '../../formats/wire/address.ts';

/** What addresses in a text are replaced by. */
export interface AddressReplacer {
  /** Of a canonical IPv4 or IPv6 address; with the length of its prefix when one follows. */
  address(canonical: string, prefixLength?: number): string;
  /** Of a MAC address: 12 hexadecimal digits in lower case. */
  mac(digits: string): string;
}

const QUAD = '\\d{1,3}(?:\\.\\d{1,3}){3}';
const GROUPS = '[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:';

/**
 * What may be an address: first what programs print in JSON, a network and the length of its prefix apart; names of addresses in
 * the DNS; groups between colons (IPv6, MAC), perhaps with a length of prefix; IPv4.
 */
const CANDIDATE = new RegExp(
  [
    String.raw`"(?:src|dst|from|to|addr)": ?"(?<apart>[0-9A-Fa-f.:]+)", ?"(?:srclen|dstlen|src_len|dst_len|fromlen|tolen|len)": ?(?<lengthApart>\d{1,3})(?!\d)`,
    String.raw`(?<reverse4>${QUAD})(?=\.in-addr\.arpa)`,
    String.raw`(?<reverse6>[0-9a-f](?:\.[0-9a-f]){31})(?=\.ip6\.arpa)`,
    String.raw`(?<!\w)(?<colons>${GROUPS}[0-9A-Fa-f:]*?(?<=:)${QUAD}|${GROUPS}[0-9A-Fa-f:]*)(?<length6>\/\d{1,3}(?![\d.]))?`,
    String.raw`(?<![\d.]|\d\.)(?<quad>${QUAD})(?!\d)(?<length4>\/\d{1,2}(?![\d.]))?`,
  ].join('|'),
  'gi',
);

/** Replaces every address in a text. */
export function replaceAddresses(text: string, replacer: AddressReplacer): string {
  return text.replace(CANDIDATE, (...match) => {
    const whole = match[0] as string;
    const groups = match.at(-1) as Readonly<Record<string, string | undefined>>;
    const { apart, lengthApart, reverse4, reverse6, colons, length6 = '', quad, length4 = '' } = groups;
    if (apart !== undefined) {
      return whole.replace(`"${apart}"`, () => `"${replaceOne(apart, `/${lengthApart}`, replacer)}"`);
    }
    if (reverse4 !== undefined) return reversed(replacer.address(reversed(reverse4)));
    if (reverse6 !== undefined) return reverseNibbles(replacer.address(fromNibbles(reverse6)));
    if (colons !== undefined) return replaceColons(colons, length6, replacer) + length6;
    return replaceOne(quad as string, length4, replacer) + length4;
  });
}

/** Lower case, shortest form; undefined for what is no address. */
export function canonicalAddress(text: string): string | undefined {
  const bytes = parseAddress(text);
  if (bytes === undefined) return undefined;
  return bytes.length === 4 ? text : formatIpv6(new DataView(bytes.buffer), 0);
}

function replaceOne(text: string, length: string, replacer: AddressReplacer): string {
  const canonical = canonicalAddress(text);
  if (canonical === undefined) return text;
  const pseudonym = length === '' ? replacer.address(canonical) : replacer.address(canonical, Number(length.slice(1)));
  if (pseudonym === canonical) return text;
  return /^[0-9a-f]{4}(:[0-9a-f]{4}){7}$/i.test(text) ? padded(pseudonym) : pseudonym;
}

/** Groups between colons: a MAC address, an IPv6 address, a time of day, or several of them in one. */
function replaceColons(text: string, length: string, replacer: AddressReplacer): string {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return replaceMac(text, replacer);
  // The link-layer header in the log of a packet filter: two addresses and the EtherType.
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){13}$/i.test(text)) {
    return `${replaceMac(text.slice(0, 17), replacer)}:${replaceMac(text.slice(18, 35), replacer)}${text.slice(35)}`;
  }
  if (canonicalAddress(text) !== undefined) return replaceOne(text, length, replacer);
  return replaceLongest(text, replacer);
}

/** Finds the longest address in a text that is none as a whole, and goes on behind it. */
function replaceLongest(text: string, replacer: AddressReplacer): string {
  const quads = (): string => text.replace(new RegExp(QUAD, 'g'), (quad) => replaceOne(quad, '', replacer));
  if (text.length > 120 || !(text.includes('::') || text.split(':').length > 8)) return quads();
  for (let size = text.length - 1; size >= 3; size--) {
    for (let start = 0; start + size <= text.length; start++) {
      const part = text.slice(start, start + size);
      const startsWhole = start === 0 || text[start - 1] === ':';
      const endsWhole = start + size === text.length || text[start + size] === ':';
      if (!startsWhole || !endsWhole || !part.includes(':') || canonicalAddress(part) === undefined) continue;
      const before = replaceLongest(text.slice(0, start), replacer);
      return before + replaceOne(part, '', replacer) + replaceLongest(text.slice(start + size), replacer);
    }
  }
  return quads();
}

function replaceMac(text: string, replacer: AddressReplacer): string {
  const digits = replacer.mac(text.replaceAll(':', '').toLowerCase());
  return digits.match(/../g)?.join(':') ?? text;
}

function reversed(quad: string): string {
  return quad.split('.').reverse().join('.');
}

function fromNibbles(text: string): string {
  const digits = text.split('.').reverse().join('');
  return canonicalAddress(digits.match(/.{4}/g)?.join(':') ?? '') ?? '::';
}

function reverseNibbles(address: string): string {
  return padded(address).replaceAll(':', '').split('').reverse().join('.');
}

function padded(address: string): string {
  const bytes = parseAddress(address);
  if (bytes === undefined) return address;
  return Buffer.from(bytes).toString('hex').match(/.{4}/g)?.join(':') ?? address;
}
