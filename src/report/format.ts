import type { Outcome } from '../model/handshake.ts';

/** Formats a whole number with separators, `12,034`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Formats a number with its noun, `1 SYN` or `4 SYNs`. */
export function formatQuantity(count: number, singular: string, plural: string = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}

/** Formats a duration in nanoseconds with about three digits: `81 µs`, `12.4 ms`, `7.08 s`, `3 min 5 s`, `2 h 7 min`. */
export function formatDuration(ns: number): string {
  if (ns < 0) return `-${formatDuration(-ns)}`;
  if (ns < 999.5) return `${Math.round(ns)} ns`;
  if (ns < 999_500) return `${digits(ns / 1e3)} µs`;
  if (ns < 999_500_000) return `${digits(ns / 1e6)} ms`;
  if (ns < 119.5e9) return `${digits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** Formats an outcome as prose: `no-reply` reads `no reply`. */
export function formatOutcome(outcome: Outcome): string {
  return outcome === 'half-open' || outcome === 'one-sided' ? outcome : outcome.replaceAll('-', ' ');
}

/** Formats an identifier such as `accept-queue-full` as words. */
export function formatId(id: string): string {
  return id.replaceAll('-', ' ');
}

/** Joins `a`, `a and b`, `a, b and c`. */
export function formatList(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join('');
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

const LAST_SECOND = 253_402_300_799n;

/**
 * Formats nanoseconds since 1970-01-01 UTC as RFC 3339 with nine digits, `2026-11-21T02:05:00.123456789Z`. Years that
 * RFC 3339 cannot write are moved to the nearest that it can.
 */
export function formatTimestamp(timeNs: bigint): string {
  let seconds = timeNs / 1_000_000_000n;
  let rest = timeNs % 1_000_000_000n;
  if (rest < 0n) {
    rest += 1_000_000_000n;
    seconds -= 1n;
  }
  if (seconds > LAST_SECOND) return '9999-12-31T23:59:59.999999999Z';
  if (seconds < -62_167_219_200n) return '0000-01-01T00:00:00.000000000Z';
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${date}.${String(rest).padStart(9, '0')}Z`;
}

function digits(value: number): string {
  if (value >= 99.95) return String(Math.round(value));
  const text = value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
  return text.replace(/\.?0+$/, '');
}
