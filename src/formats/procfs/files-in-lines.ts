/**
 * Parses what `grep -H '' FILE...` prints: each line behind the name of its file and a colon. Only the `paths` that were asked for
 * count; a file without a line, or one that could not be read, is absent.
 */
export function parseFilesInLines(text: string, paths: Iterable<string>): ReadonlyMap<string, string> {
  const wanted = new Set(paths);
  const files = new Map<string, string>();
  for (const line of text.split('\n')) {
    const path = pathOf(line, wanted);
    if (path === undefined) continue;
    const before = files.get(path);
    const content = line.slice(path.length + 1);
    files.set(path, before === undefined ? content : `${before}\n${content}`);
  }
  return files;
}

/** A path may hold colons itself, so the one that was asked for decides. */
function pathOf(line: string, wanted: ReadonlySet<string>): string | undefined {
  for (let colon = line.indexOf(':'); colon !== -1; colon = line.indexOf(':', colon + 1)) {
    if (wanted.has(line.slice(0, colon))) return line.slice(0, colon);
  }
  return undefined;
}
