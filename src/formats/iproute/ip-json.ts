/** One object of what `ip -j` prints, its values unchecked. */
export type IpRecord = Readonly<Record<string, unknown>>;

/**
 * Parses what `ip -j` prints: an array of objects; nothing at all stands for an empty one (iproute2 prints nothing when a dump is
 * empty in some versions).
 * @returns undefined when it is not that: an `ip` without `-j`, or a cut output.
 */
export function parseIpJson(text: string): readonly IpRecord[] | undefined {
  if (text.trim() === '') return [];
  try {
    // Routes with `encap` print "dst" a second time, of the tunnel; the first, which opens the object, is the one that counts.
    const value: unknown = JSON.parse(text.replace(/(\{(?:"type":"[^"]*",)?)"dst":/g, '$1"destination":'));
    return Array.isArray(value) ? value.filter(isRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value is an object, other than an array. */
export function isRecord(value: unknown): value is IpRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field that is a text. */
export function text(record: IpRecord | undefined, key: string): string | undefined {
  const value = record?.[key];
  return typeof value === 'string' ? value : undefined;
}

/** A field that is a number; also one that is written as text, decimal or hexadecimal. */
export function number(record: IpRecord | undefined, key: string): number | undefined {
  const value = record?.[key];
  if (typeof value === 'string' && /^(0x[0-9a-f]{1,12}|\d{1,15})$/i.test(value)) return Number(value);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A field that is an object. */
export function record(parent: IpRecord | undefined, key: string): IpRecord | undefined {
  const value = parent?.[key];
  return isRecord(value) ? value : undefined;
}

/** A field that is a list of objects. */
export function records(parent: IpRecord | undefined, key: string): readonly IpRecord[] {
  const value = parent?.[key];
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** A field that is a list of texts. */
export function texts(parent: IpRecord | undefined, key: string): readonly string[] {
  const value = parent?.[key];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

/** `{ key: value }`, or nothing at all when there is no value: a property that is absent is not there. */
export function present<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value };
}
