/** Reads RFC 3339 with up to nine digits behind the point as nanoseconds since 1970; undefined when it is none. */
export function parseTimestamp(text: string): bigint | undefined {
  const [, date, fraction = '', zone] =
    /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/i.exec(text) ?? [];
  if (date === undefined) return undefined;
  const ms = Date.parse(`${date}${zone?.toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** What a moment may look like, for messages. */
export const MOMENT_FORMS =
  'a time before now such as 2h or 7d, RFC 3339 such as 2026-11-20T14:00:00Z, or milliseconds since 1970';

/** Nanoseconds since 1970 of `2h` (before now), RFC 3339 or milliseconds since 1970; undefined for anything else. */
export function parseMoment(text: string, nowMs: number = Date.now()): bigint | undefined {
  const [, amount, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(s|m|min|h|d|w)$/.exec(text) ?? [];
  if (amount !== undefined) {
    const ms = nowMs - Number(amount) * (UNIT_MS[unit === 'min' ? 'm' : unit] ?? 0);
    return BigInt(Math.round(Math.max(0, ms))) * 1_000_000n;
  }
  if (/^\d{10,15}$/.test(text)) return BigInt(text) * 1_000_000n;
  // A date alone is its begin; a time without a zone is UTC.
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return parseTimestamp(`${text}T00:00:00Z`);
  if (/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}$/.test(text)) return parseTimestamp(`${text.replace(' ', 'T')}:00Z`);
  return parseTimestamp(text.replace(/(?<!Z|[+-]\d{2}:\d{2})$/i, 'Z').replace(' ', 'T'));
}
