import type { CaptureReport } from '../model/diagnosis.ts';

/**
 * Shortens the source of evidence for a reader who knows which captures were read: a capture's folders are left out, and
 * the name of the only capture before its frame numbers as well.
 */
export function shortSource(source: string, { captures }: CaptureReport): string {
  const [only] = captures;
  if (captures.length === 1 && only !== undefined && source.startsWith(`${only.name} #`)) {
    return source.slice(only.name.length + 1);
  }
  const bases = captures.map(({ name }) => baseName(name));
  if (new Set(bases).size < bases.length) return source;
  // Longest first, so that a name that begins like another one is not cut in two.
  const longestFirst = [...captures].sort((a, b) => b.name.length - a.name.length);
  return longestFirst.reduce(
    (text, { name }) => (name === baseName(name) ? text : text.replaceAll(name, baseName(name))),
    source,
  );
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1) || name;
}
