import type { NftChain } from './dump.ts';

/** Names of priorities of the IP families (nft(8), "Standard priority names"). */
const PRIORITIES: readonly (readonly [name: string, value: number])[] = [
  ['raw', -300],
  ['mangle', -150],
  ['dstnat', -100],
  ['filter', 0],
  ['security', 50],
  ['srcnat', 100],
];

/** Formats where a base chain hangs, as nft prints it: `type filter hook input priority filter; policy drop;`. */
export function formatHook(family: string, chain: NftChain, devices: readonly string[] | undefined): string {
  const { type = 'filter', hook = '', priority, policy } = chain;
  const quoted = devices?.map((name) => `"${name}"`) ?? [];
  const on =
    quoted.length === 0 ? '' : quoted.length === 1 ? `device ${quoted[0]} ` : `devices = { ${quoted.join(', ')} } `;
  return `type ${type} hook ${hook} ${on}priority ${formatPriority(family, hook, priority)}; policy ${policy};`;
}

function formatPriority(family: string, hook: string, priority: number): string {
  for (const [name, value] of PRIORITIES) {
    if (family === 'netdev' && name !== 'filter') continue;
    if (name === 'dstnat' && hook !== 'prerouting') continue;
    if (name === 'srcnat' && hook !== 'postrouting') continue;
    const offset = priority - value;
    if (offset === 0) return name;
    if (Math.abs(offset) <= 10) return `${name} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
  }
  return String(priority);
}
