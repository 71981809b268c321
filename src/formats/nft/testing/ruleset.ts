/** A chain of a rule set for tests; its rules are lists of statements as nft writes them in JSON. */
export interface TestChain {
  readonly hook?: string;
  readonly type?: string;
  readonly prio?: number;
  readonly policy?: string;
  readonly dev?: string;
  readonly rules?: readonly (readonly unknown[])[];
}

/** A table of a rule set for tests. */
export interface TestTable {
  readonly family?: string;
  readonly name?: string;
  readonly flags?: unknown;
  readonly chains: Readonly<Record<string, TestChain>>;
  readonly sets?: readonly Readonly<Record<string, unknown>>[];
  readonly maps?: readonly Readonly<Record<string, unknown>>[];
}

/** Writes tables as `nft -j list ruleset` would. Rules get the handles 1, 2, 3, ... in each table. */
export function nftJson(...tables: readonly TestTable[]): string {
  const objects: unknown[] = [{ metainfo: { version: '1.0.6', json_schema_version: 1 } }];
  for (const { family = 'inet', name: table = 'fw', flags, chains, sets = [], maps = [] } of tables) {
    objects.push({ table: { family, name: table, handle: 1, ...(flags === undefined ? {} : { flags }) } });
    objects.push(...sets.map((set) => ({ set: { family, table, ...set } })));
    objects.push(...maps.map((map) => ({ map: { family, table, ...map } })));
    const entries = Object.entries(chains);
    for (const [name, { rules: _, hook, ...chain }] of entries) {
      const base = hook === undefined ? {} : { hook, type: 'filter', prio: 0, policy: 'accept', ...chain };
      objects.push({ chain: { family, table, name, ...base } });
    }
    let handle = 0;
    for (const [chain, { rules = [] }] of entries) {
      for (const expr of rules) objects.push({ rule: { family, table, chain, handle: ++handle, expr } });
    }
  }
  return JSON.stringify({ nftables: objects });
}

/** `tcp dport PORT`. */
export function dport(port: unknown, op = '=='): unknown {
  return { match: { op, left: { payload: { protocol: 'tcp', field: 'dport' } }, right: port } };
}

/** `ct state STATES`. */
export function ctState(...states: readonly string[]): unknown {
  return { match: { op: 'in', left: { ct: { key: 'state' } }, right: states } };
}

/** A counter that holds so many packets. */
export function counter(packets = 0): unknown {
  return { counter: { packets, bytes: packets * 60 } };
}

/** The usual verdicts. */
export const ACCEPT: unknown = { accept: null };
/** `drop`. */
export const DROP: unknown = { drop: null };
