/** How the times of one pcapng interface become nanoseconds. Made once per interface; {@link nsSinceBase} is then cheap. */
export interface TimestampScale {
  /** Ticks in a second: `if_tsresol`. */
  readonly ticksPerSecond: bigint;
  /** `if_tsoffset` in seconds. */
  readonly offsetSeconds: bigint;
  /** Nanoseconds that a tick is, when that is a whole number; else 0. */
  readonly nsPerTick: number;
  /** Upper and lower 32 bits of the base time in ticks. */
  baseHigh: number;
  baseLow: number;
}

const NS_PER_SECOND = 1_000_000_000n;

/**
 * Makes the scale of an interface.
 * @param resolution the byte of `if_tsresol`: a tick is 10^-n seconds, or 2^-n with the top bit set.
 * @param offsetSeconds `if_tsoffset`.
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html#name-interface-description-block
 */
export function createTimestampScale(resolution: number, offsetSeconds: bigint): TimestampScale {
  const exponent = BigInt(resolution & 0x7f);
  const ticksPerSecond = resolution & 0x80 ? 2n ** exponent : 10n ** exponent;
  const whole = NS_PER_SECOND % ticksPerSecond === 0n;
  const nsPerTick = whole ? Number(NS_PER_SECOND / ticksPerSecond) : 0;
  return { ticksPerSecond, offsetSeconds, nsPerTick, baseHigh: 0, baseLow: 0 };
}

/** Sets the time that {@link nsSinceBase} counts from, in nanoseconds since 1970; a whole number of seconds. */
export function setBase(scale: TimestampScale, baseNs: bigint): void {
  const ticks = (baseNs / NS_PER_SECOND - scale.offsetSeconds) * scale.ticksPerSecond;
  scale.baseHigh = Number(ticks >> 32n);
  scale.baseLow = Number(ticks & 0xffff_ffffn);
}

/** The second, in nanoseconds since 1970, in which a timestamp lies. */
export function wholeSecondNs(scale: TimestampScale, high: number, low: number): bigint {
  const ticks = (BigInt(high) << 32n) | BigInt(low);
  return (ticks / scale.ticksPerSecond + scale.offsetSeconds) * NS_PER_SECOND;
}

/**
 * Nanoseconds from the base to a timestamp, rounded down.
 * Exact up to 2^53 ns (104 days) for resolutions that divide a nanosecond count evenly; finer and binary ones go through bigint.
 * @param high upper 32 bits of the timestamp, unsigned.
 * @param low lower 32 bits of the timestamp, unsigned.
 */
export function nsSinceBase(scale: TimestampScale, high: number, low: number): number {
  if (scale.nsPerTick !== 0) {
    return ((high - scale.baseHigh) * 0x1_0000_0000 + (low - scale.baseLow)) * scale.nsPerTick;
  }
  return nsSinceBaseExactly(scale, high, low);
}

function nsSinceBaseExactly(scale: TimestampScale, high: number, low: number): number {
  const ticks = (BigInt(high - scale.baseHigh) << 32n) + BigInt(low - scale.baseLow);
  const scaled = ticks * NS_PER_SECOND;
  const quotient = scaled / scale.ticksPerSecond;
  const below = scaled < 0n && quotient * scale.ticksPerSecond !== scaled;
  return Number(below ? quotient - 1n : quotient);
}
