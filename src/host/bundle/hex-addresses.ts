import { formatIpv4, formatIpv6, parseAddress } from '../../formats/wire/address.ts';

/** Files of /proc/net and their like print addresses as words of 32 bits in the byte order of the machine. */
const WORDS = /(?<![0-9A-Fa-f])(?:[0-9A-F]{32}|[0-9A-F]{8})(?=:[0-9A-F]{4}(?![0-9A-Fa-f]))/g;
/** /proc/net/route: device, destination, gateway. */
const ROUTE = /^(\S+\t)([0-9A-F]{8})\t([0-9A-F]{8})(?=\t)/gm;
/** /proc/net/if_inet6, ipv6_route, anycast6, mcast6: whole addresses in order. */
const WHOLE = /(?<![0-9A-Fa-f])[0-9a-f]{32}(?![0-9A-Fa-f])/g;

/** The canonical forms of the addresses that a file of /proc/net prints in hexadecimal digits. */
export function hexAddresses(text: string): string[] {
  return [
    ...[...text.matchAll(WORDS)].map(([digits]) => formatBytes(swapped(digits))),
    ...[...text.matchAll(ROUTE)].flatMap(([, , destination = '', gateway = '']) => [
      formatBytes(swapped(destination)),
      formatBytes(swapped(gateway)),
    ]),
    ...[...text.matchAll(WHOLE)].map(([digits]) => formatBytes(digits)),
  ];
}

/**
 * Replaces what is an address of `known` in hexadecimal digits, in either byte order, by the one it stands for.
 * @param isProcNet digits alone may be an address; elsewhere only after `0x`, or as `tc` prints what a filter compares with.
 */
export function replaceHex(text: string, known: ReadonlyMap<string, string>, isProcNet: boolean): string {
  if (known.size === 0) return text;
  return text.replace(isProcNet ? BARE : MARKED, (digits) => {
    const pseudonym = known.get(digits.toLowerCase());
    if (pseudonym === undefined) return digits;
    return digits === digits.toUpperCase() ? pseudonym.toUpperCase() : pseudonym;
  });
}

const BARE = /(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8})(?![0-9A-Fa-f])/g;
const MARKED =
  /(?<=\b0x)(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8})(?![0-9A-Fa-f])|(?<=\bmatch )[0-9a-f]{8}(?=\/[0-9a-f]{8} at )/g;

/** The digits of each address and of its pseudonym, in network order and in words of a little-endian machine. */
export function hexForms(pseudonyms: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const forms = new Map<string, string>();
  for (const order of [(digits: string): string => digits, swapped]) {
    for (const [address, pseudonym] of pseudonyms) forms.set(order(digitsOf(address)), order(digitsOf(pseudonym)));
  }
  return forms;
}

function digitsOf(address: string): string {
  const bytes = parseAddress(address);
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
}

function swapped(digits: string): string {
  return digits.replace(/(..)(..)(..)(..)/g, '$4$3$2$1');
}

function formatBytes(digits: string): string {
  const bytes = Buffer.from(digits, 'hex');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length === 4 ? formatIpv4(view, 0) : formatIpv6(view, 0);
}
