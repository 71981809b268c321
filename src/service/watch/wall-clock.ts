/** The clock of this machine, nanoseconds since 1970-01-01 UTC; follows when it is set, unlike `performance.timeOrigin`. */
export function wallNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
