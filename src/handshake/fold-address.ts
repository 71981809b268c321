/** Folds the four words of an IPv6 address into one. */
export function foldIpv6(a: number, b: number, c: number, d: number): number {
  return d ^ Math.imul(c, 0x27d4eb2f) ^ Math.imul(b, 0x165667b1) ^ Math.imul(a, 0x9e3779b1);
}
