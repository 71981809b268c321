/** What a query of Prometheus names. */
export interface QueryNames {
  /** Each metric, with the labels that are asked of it. */
  readonly metrics: readonly { readonly name: string; readonly labels: readonly string[] }[];
  /** Labels that results are grouped by. */
  readonly groups: readonly string[];
}

const WORDS: ReadonlySet<string> = new Set([
  'and',
  'or',
  'unless',
  'on',
  'ignoring',
  'by',
  'without',
  'bool',
  'inf',
  'nan',
]);

/** Names in a query, as far as ours go: no subqueries, no comments. */
export function namesInQuery(query: string): QueryNames {
  const bare = query.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replaceAll(/'[^']*'/g, '""');
  const groups = [...bare.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    words(list),
  );
  const rest = bare
    .replaceAll(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\boffset\s+\w+/g, ' ')
    .replaceAll(/(?<![\w:])[\d.]+(?:e[+-]?\d+)?/gi, ' ');
  const metrics = [...rest.matchAll(/([a-zA-Z_:][\w:]*)\s*(\(|\{[^}]*\})?/g)].flatMap(([, name = '', next = '']) => {
    if (next === '(' || WORDS.has(name.toLowerCase())) return [];
    return [{ name, labels: [...next.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label) }];
  });
  return { metrics, groups };
}

function words(list: string): string[] {
  return list
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
