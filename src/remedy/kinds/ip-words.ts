/** Words of `ip -d route show` that tell a momentary state and are not to be given to `ip route add`. */
const STATES: ReadonlySet<string> = new Set([
  'dead',
  'linkdown',
  'pervasive',
  'offload',
  'trap',
  'notify',
  'rt_trap',
  'rt_offload',
  'offload_failed',
  'unresolved',
]);

/** The words of one line of `ip route show` without what is only momentary: two routes are equal when these are. */
export function routeWords(line: string): string[] {
  const words = line.trim().split(/\s+/);
  const kept: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    // A backslash stands for a line break (`ip -o`).
    if (STATES.has(word) || word === '\\') continue;
    // `expires 1790sec`, `error -113`: the kernel counts the one down, and makes the other of the type.
    if ((word === 'expires' || word === 'error') && words[at + 1] !== undefined) at += 1;
    else kept.push(word);
  }
  return kept;
}

/** The arguments for `ip route add` that make the route of a line anew. */
export function routeArguments(line: string, family: 4 | 6, table: string): string[] {
  const words = routeWords(line);
  const args: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const next = words[at + 1];
    if (family === 6 && word === 'scope') at += 1;
    // A route by a nexthop object is printed with what the object says as well.
    else if (word === 'nhid' && next !== undefined) return [...args, 'nhid', next, ...inTable(table)];
    else args.push(word);
  }
  return args.includes('table') ? args : [...args, ...inTable(table)];
}

/** The value that follows a word: `wordAfter(words, 'via')`. */
export function wordAfter(words: readonly string[], word: string): string | undefined {
  const at = words.indexOf(word);
  return at < 0 ? undefined : words[at + 1];
}

function inTable(table: string): string[] {
  return table === 'main' ? [] : ['table', table];
}
