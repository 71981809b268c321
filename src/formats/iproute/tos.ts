/**
 * Parses a type of service or traffic class, as iproute2 prints it: `0x10`, or a name of /etc/iproute2/rt_dsfield (RFC 2474, RFC
 * 2597, RFC 3246): `CS1`, `AF21`, `EF`.
 * @returns the whole byte, or undefined when the name is not known.
 */
export function parseTos(text: string): number | undefined {
  if (/^0x[0-9a-f]{1,2}$/i.test(text)) return Number(text);
  if (text === 'EF') return 0xb8;
  const selector = /^CS([0-7])$/.exec(text);
  if (selector !== null) return Number(selector[1]) << 5;
  const assured = /^AF([1-4])([1-3])$/.exec(text);
  return assured === null ? undefined : (Number(assured[1]) << 5) | (Number(assured[2]) << 3);
}
