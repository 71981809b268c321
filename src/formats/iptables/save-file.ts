/** One rule as iptables-save writes it. */
export interface IptablesRule {
  /** Without the counters: `-A INPUT -p tcp -m tcp --dport 22 -j DROP`. */
  readonly text: string;
  readonly packets?: number;
}

/** One chain as iptables-save writes it. */
export interface IptablesChain {
  readonly name: string;
  /** `ACCEPT` or `DROP`; absent for a chain of users. */
  readonly policy?: string;
  readonly policyPackets?: number;
  readonly rules: IptablesRule[];
}

/** One table as iptables-save writes it. */
export interface IptablesTable {
  readonly name: string;
  readonly chains: Map<string, IptablesChain>;
}

/** More rules than this are not read. */
const MAX_RULES = 500_000;

/**
 * Parses the output of `iptables-save -c` and its siblings (iptables-save(8)). Lines that are not understood are left out.
 */
export function parseIptablesSave(text: string): readonly IptablesTable[] {
  const tables = new Map<string, IptablesTable>();
  let table: IptablesTable | undefined;
  let rules = 0;
  for (const raw of text.split('\n')) {
    const line = raw.trimEnd();
    if (line.startsWith('*')) {
      const name = line.slice(1);
      table = tables.get(name) ?? { name, chains: new Map() };
      tables.set(name, table);
    } else if (line === 'COMMIT') table = undefined;
    else if (table !== undefined && line.startsWith(':')) addChain(table, line);
    else if (table !== undefined && rules < MAX_RULES && addRule(table, line)) rules++;
  }
  return [...tables.values()];
}

function addChain(table: IptablesTable, line: string): void {
  const match = /^:(\S+) (\S+)(?: \[(\d+):\d+\])?/.exec(line);
  if (match?.[1] === undefined) return;
  const [, name, policy, packets] = match;
  const policed = policy === 'ACCEPT' || policy === 'DROP';
  table.chains.set(name, {
    name,
    ...(policed ? { policy, ...(packets === undefined ? {} : { policyPackets: Number(packets) }) } : {}),
    rules: [],
  });
}

function addRule(table: IptablesTable, line: string): boolean {
  const match = /^(?:\[(\d+):\d+\] )?(-A (\S+)(?: .*)?)$/.exec(line);
  if (match?.[2] === undefined || match[3] === undefined) return false;
  const chain = table.chains.get(match[3]);
  if (chain === undefined) return false;
  chain.rules.push({
    text: match[2],
    ...(match[1] === undefined ? {} : { packets: Number(match[1]) }),
  });
  return true;
}
