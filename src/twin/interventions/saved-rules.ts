/** A rule or a policy in the text of `iptables-save -c`. */
export interface SavedRule {
  readonly table: string;
  readonly chain: string;
  /** Its place among the rules of its chain, from 1, as `iptables -D CHAIN NUMBER` takes it; 0 for the policy. */
  readonly number: number;
  /** Without counters: `-A INPUT -p tcp -j DROP`; of a policy `DROP`. */
  readonly text: string;
  /** Line in the text, from 0. */
  readonly line: number;
}

/** Rules and policies in the text of `iptables-save -c`, in its order. */
export function parseSaved(text: string): SavedRule[] {
  const found: SavedRule[] = [];
  const counts = new Map<string, number>();
  let table = '';
  for (const [line, content] of text.split('\n').entries()) {
    const name = /^\*(\S+)/.exec(content)?.[1];
    if (name !== undefined) table = name;
    const [, ofPolicy, policy] = /^:(\S+) (\w+)/.exec(content) ?? [];
    if (ofPolicy !== undefined && policy !== undefined) {
      found.push({ table, chain: ofPolicy, number: 0, text: policy, line });
    }
    const [, rule, chain] = /^(?:\[\d+:\d+\] )?(-A (\S+).*)$/.exec(content) ?? [];
    if (rule === undefined || chain === undefined) continue;
    const number = (counts.get(`${table} ${chain}`) ?? 0) + 1;
    counts.set(`${table} ${chain}`, number);
    found.push({ table, chain, number, text: rule.trim(), line });
  }
  return found;
}
