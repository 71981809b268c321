/** A JSON object of which nothing is known yet. */
export type Json = Readonly<Record<string, unknown>>;

/** The value as an object; undefined for anything else. */
export function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** An object with one key, as nft writes expressions and statements: `{"payload": {...}}`. */
export function tagged(value: unknown): { readonly tag: string; readonly body: unknown } | undefined {
  const object = asObject(value);
  if (object === undefined) return undefined;
  for (const tag in object) return { tag, body: object[tag] };
  return undefined;
}

/** A property that is text. */
export function textOf(value: unknown, key: string): string | undefined {
  const text = asObject(value)?.[key];
  return typeof text === 'string' ? text : undefined;
}

/** A property that is a finite number. */
export function numberOf(value: unknown, key: string): number | undefined {
  const number = asObject(value)?.[key];
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** A list; one value that stands alone counts as a list of one (nft writes single flags so since 1.1). */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
}

/** The texts of a list. */
export function textsOf(value: unknown): readonly string[] {
  return asList(value).filter((one) => typeof one === 'string');
}

/** The first two of a list of at least two. */
export function pairOf(value: unknown): readonly [unknown, unknown] | undefined {
  return Array.isArray(value) && value.length >= 2 ? [value[0], value[1]] : undefined;
}

/** The value as text, for comparing; empty when it nests too deeply to be written. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}
