import { asList, asObject, type Json, numberOf, tagged, textOf, textsOf } from './json.ts';

/** One rule as nft lists it. */
export interface NftRule {
  readonly handle?: number;
  readonly comment?: string;
  readonly statements: readonly unknown[];
}

/** One chain as nft lists it; a base chain has a hook. */
export interface NftChain {
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
  readonly devices?: readonly string[];
  readonly rules: NftRule[];
}

/** One set or map as nft lists it. */
export interface NftSetDump {
  readonly name: string;
  /** Undefined when it was listed without elements (`nft -t`). */
  readonly elements: readonly unknown[] | undefined;
  readonly volatile: boolean;
}

/** One table as nft lists it. */
export interface NftTable {
  readonly family: string;
  readonly name: string;
  readonly dormant: boolean;
  readonly chains: Map<string, NftChain>;
  readonly sets: Map<string, NftSetDump>;
  /** Packets of named counters. */
  readonly counters: Map<string, number>;
}

/** What `nft -j list ruleset` lists, in its order. */
export interface NftDump {
  readonly tables: readonly NftTable[];
  readonly rules: number;
}

/** What a reading of a rule set leaves out. */
export interface NftDumpOptions {
  /** Listed with `-t`: the elements of named sets are missing. */
  readonly terse?: boolean;
}

/** More rules than this are not read. */
const MAX_RULES = 500_000;

/**
 * Parses the output of `nft -j list ruleset` (libnftables-json(5)). Objects that are not understood are left out.
 * @returns undefined when it is no such output.
 */
export function parseNftDump(text: string, options: NftDumpOptions = {}): NftDump | undefined {
  const objects = asObject(parseJson(text))?.nftables;
  if (!Array.isArray(objects)) return undefined;
  const tables = new Map<string, NftTable>();
  let rules = 0;
  for (const object of objects) {
    const expression = tagged(object);
    const body = asObject(expression?.body);
    if (expression === undefined || body === undefined) continue;
    if (expression.tag === 'table') addTable(tables, body);
    const table = tables.get(`${textOf(body, 'family')} ${textOf(body, 'table')}`);
    if (table === undefined) continue;
    if (expression.tag === 'chain') addChain(table, body);
    else if (expression.tag === 'set' || expression.tag === 'map') addSet(table, body, options);
    else if (expression.tag === 'counter') addCounter(table, body);
    else if (expression.tag === 'rule' && rules < MAX_RULES && addRule(table, body)) rules++;
  }
  return { tables: [...tables.values()], rules };
}

/** nft may write warnings before the JSON. */
function parseJson(text: string): unknown {
  const start = text.indexOf('{');
  try {
    return start < 0 ? undefined : JSON.parse(text.slice(start));
  } catch {
    return undefined;
  }
}

function addTable(tables: Map<string, NftTable>, body: Json): void {
  const [family, name] = [textOf(body, 'family'), textOf(body, 'name')];
  if (family === undefined || name === undefined) return;
  tables.set(`${family} ${name}`, {
    family,
    name,
    dormant: asList(body.flags).includes('dormant'),
    chains: new Map(),
    sets: new Map(),
    counters: new Map(),
  });
}

function addChain(table: NftTable, body: Json): void {
  const name = textOf(body, 'name');
  if (name === undefined) return;
  const [type, hook] = [textOf(body, 'type'), textOf(body, 'hook')];
  const devices = textsOf(body.dev ?? body.devices);
  table.chains.set(name, {
    name,
    ...(type === undefined ? {} : { type }),
    ...(hook === undefined ? {} : { hook }),
    priority: numberOf(body, 'prio') ?? 0,
    policy: body.policy === 'drop' ? 'drop' : 'accept',
    ...(devices.length === 0 ? {} : { devices }),
    rules: [],
  });
}

function addRule(table: NftTable, body: Json): boolean {
  const chain = table.chains.get(textOf(body, 'chain') ?? '');
  if (chain === undefined) return false;
  const handle = numberOf(body, 'handle');
  const comment = textOf(body, 'comment');
  chain.rules.push({
    ...(handle === undefined ? {} : { handle }),
    ...(comment === undefined ? {} : { comment }),
    statements: asList(body.expr),
  });
  return true;
}

function addSet(table: NftTable, body: Json, { terse = false }: NftDumpOptions): void {
  const name = textOf(body, 'name');
  if (name === undefined) return;
  const flags = asList(body.flags);
  table.sets.set(name, {
    name,
    elements: Array.isArray(body.elem) ? body.elem : terse ? undefined : [],
    volatile: flags.includes('timeout') || flags.includes('dynamic') || body.timeout !== undefined,
  });
}

function addCounter(table: NftTable, body: Json): void {
  const [name, packets] = [textOf(body, 'name'), numberOf(body, 'packets')];
  if (name !== undefined && packets !== undefined) table.counters.set(name, packets);
}
