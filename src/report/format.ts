import type { Outcome } from '../model/handshake.ts';

/** Formats an outcome as prose: `no-reply` reads `no reply`. */
export function formatOutcome(outcome: Outcome): string {
  return outcome === 'half-open' || outcome === 'one-sided' ? outcome : outcome.replaceAll('-', ' ');
}

/** Formats an identifier such as `accept-queue-full` as words. */
export function formatId(id: string): string {
  return id.replaceAll('-', ' ');
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
