/** Reads RFC 3339 with up to nine digits behind the point as nanoseconds since 1970; undefined when it is none. */
export function parseTimestamp(text: string): bigint | undefined {
  const [, date, fraction = '', zone] =
    /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/i.exec(text) ?? [];
  if (date === undefined) return undefined;
  const ms = Date.parse(`${date}${zone?.toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
