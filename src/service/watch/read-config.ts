import { readFileSync } from 'node:fs';
import { isMap, isPair, LineCounter, type Node, parseDocument } from 'yaml';
import { InputError } from '../../model/errors.ts';
import { watchConfigSchema } from './config.ts';
import type { WatchConfig } from './config-types.ts';

/** A configuration is a page of text; anything longer is not one. */
const MAX_CHARACTERS = 1_000_000;

/**
 * Reads a configuration file.
 * @throws InputError that names the file, the line and what is wrong there.
 */
export function readConfig(path: string): WatchConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const reason = { ENOENT: 'there is no such file', EACCES: 'permission denied', EISDIR: 'it is a folder' }[code];
    throw new InputError({ code: 'not-readable', message: `${path} cannot be read: ${reason ?? String(error)}.` });
  }
  return parseConfig(text, path);
}

/**
 * Understands the text of a configuration.
 * @param name of the file, for messages.
 * @throws InputError with the first thing that is wrong.
 */
export function parseConfig(text: string, name: string): WatchConfig {
  if (text.length > MAX_CHARACTERS) throw wrong(name, undefined, 'is too long for a configuration');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [bad] = document.errors;
  if (bad !== undefined) {
    const [first = ''] = bad.message.split('\n');
    throw wrong(name, lines.linePos(bad.pos[0]).line, `this is no YAML: ${first.replace(/ at line \d+.*$/, '')}`);
  }
  let value: unknown;
  try {
    // Aliases that grow without end are refused by the library.
    value = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw wrong(name, undefined, error instanceof Error ? error.message : String(error));
  }
  const result = watchConfigSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.path.filter((part) => typeof part !== 'symbol') as (string | number)[];
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const where = unknownKey === undefined ? path : [...path, unknownKey];
  const named = where.length === 0 ? 'the file' : dotted(where);
  const line = lineOf(document.contents as Node | null, where, lines);
  if (unknownKey !== undefined) throw wrong(name, line, `there is no setting "${named}"`);
  throw wrong(
    name,
    line,
    `${named} ${issue.message.startsWith('must') ? issue.message : `is wrong: ${issue.message}`}`,
  );
}

function dotted(path: readonly (string | number)[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** Line of the deepest part of a path that the file has. */
function lineOf(contents: Node | null, path: readonly (string | number)[], lines: LineCounter): number | undefined {
  let node: Node | null = contents;
  let at: number | undefined = contents?.range?.[0];
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && String(item.key) === String(part));
      if (pair === undefined) break;
      at = (pair.key as Node | null)?.range?.[0] ?? at;
      node = pair.value as Node | null;
    } else {
      const item = (node as { items?: readonly Node[] } | null)?.items?.[Number(part)];
      if (item === undefined) break;
      at = item.range?.[0] ?? at;
      node = item;
    }
  }
  return at === undefined ? undefined : lines.linePos(at).line;
}

function wrong(name: string, line: number | undefined, what: string): InputError {
  return new InputError({
    code: 'bad-config',
    message: `${name}${line === undefined ? '' : `, line ${line}`}: ${what}.`,
    hint: 'docs/watch.md lists every setting.',
  });
}
