import { isRecord, text as textOf } from '../formats/iproute/ip-json.ts';
import { hasXtables, type NftTableText, tablesOf } from './read-filters.ts';
import type { HostState, SavedNft, SavedRules } from './state.ts';

/** Rules that what they let through depends on what they let through before. */
const STATEFUL_NFT =
  /\blimit rate\b|\bquota\b|\bct count\b|\bnumgen\b|\bmeter\b|\b(?:add|update|delete) @|"(?:limit|quota|ct count|numgen|meter|set)":/;
const STATEFUL_IPTABLES = /-m (?:limit|hashlimit|recent|connlimit|quota2?|statistic)\b/;

/** Input for `nft -f -` or `nft -j -f -`. */
export interface NftInput {
  readonly form: 'text' | 'json';
  readonly text: string;
  /** The same piece by piece, for when the whole is refused. */
  readonly pieces: readonly { readonly name: string; readonly text: string }[];
}

/** Whether the rules keep state that packets use up. */
export function hasState({ nft, iptables }: HostState): boolean {
  return STATEFUL_NFT.test(nft?.text ?? '') || iptables.some(({ text }) => STATEFUL_IPTABLES.test(text));
}

/** Whether a SYN proxy is among the rules: it answers in place of the listener, which sees the connection only when the ACK has come. */
export function hasSynProxy({ nft, iptables }: HostState): boolean {
  return /\bsynproxy\b/.test(nft?.text ?? '') || iptables.some(({ text }) => / -j SYNPROXY\b/.test(text));
}

/** Rules that go to nft: all but the chains that iptables-nft shows, which it writes better. Undefined when there is nothing. */
export function nftInput(state: HostState): NftInput | undefined {
  const { nft } = state;
  if (nft === undefined) return undefined;
  const saved = savedChains(state.iptables);
  return nft.form === 'text' ? textInput(nft, saved) : jsonInput(nft, saved);
}

/** Whether a text could make nft read files of this machine. */
export function isUntrusted(text: string): boolean {
  return /^\s*include\b/m.test(text);
}

/** Names of the chains that iptables-nft shows, by `ip filter`. */
function savedChains(saved: readonly SavedRules[]): ReadonlyMap<string, ReadonlySet<string>> {
  const tables = new Map<string, Set<string>>();
  for (const { tool, family, text } of saved) {
    if (!tool.endsWith('-nft')) continue;
    let chains = new Set<string>();
    for (const line of text.split('\n')) {
      const table = /^\*(\S+)/.exec(line)?.[1];
      if (table !== undefined) {
        chains = new Set();
        tables.set(`${family === 4 ? 'ip' : 'ip6'} ${table}`, chains);
      }
      const chain = /^:(\S+)/.exec(line)?.[1];
      if (chain !== undefined) chains.add(chain);
    }
  }
  return tables;
}

function textInput({ text }: SavedNft, saved: ReadonlyMap<string, ReadonlySet<string>>): NftInput | undefined {
  const pieces = tablesOf(text).flatMap((table) => {
    const name = `${table.family} ${table.name}`;
    const chains = saved.get(name);
    const kept = chains === undefined ? table.text : withoutChains(table, chains);
    return kept === undefined ? [] : [{ name: `nftables table ${name}`, text: kept }];
  });
  return pieces.length === 0 ? undefined : { form: 'text', text: pieces.map((piece) => piece.text).join('\n'), pieces };
}

/** A table without some of its chains; undefined when nothing is left that nft could load. */
function withoutChains({ text }: NftTableText, chains: ReadonlySet<string>): string | undefined {
  const kept: string[] = [];
  let isSkipping = false;
  let isEmpty = true;
  for (const line of text.split('\n')) {
    const chain = /^\tchain (\S+) \{/.exec(line)?.[1];
    if (chain !== undefined) isSkipping = chains.has(chain);
    if (!isSkipping) {
      kept.push(line);
      if (/^\t(?:chain|set|map|flowtable|ct|counter|quota|limit|secmark|synproxy) /.test(line)) isEmpty = false;
    }
    if (line.startsWith('\t}')) isSkipping = false;
  }
  const left = kept.join('\n');
  return isEmpty || hasXtables(left) ? undefined : left;
}

function jsonInput({ text }: SavedNft, saved: ReadonlyMap<string, ReadonlySet<string>>): NftInput | undefined {
  let list: readonly unknown[];
  try {
    const value: unknown = JSON.parse(text);
    list = isRecord(value) && Array.isArray(value.nftables) ? value.nftables : [];
  } catch {
    return undefined;
  }
  const objects = list.flatMap((entry) => {
    if (!isRecord(entry) || 'metainfo' in entry) return [];
    const [[kind, body] = ['', undefined]] = Object.entries(entry);
    if (!isRecord(body)) return [];
    const table = `${textOf(body, 'family')} ${kind === 'table' ? textOf(body, 'name') : textOf(body, 'table')}`;
    const chain = kind === 'chain' ? textOf(body, 'name') : textOf(body, 'chain');
    const chains = saved.get(table);
    if (chains !== undefined && (kind === 'table' || (chain !== undefined && chains.has(chain)))) return [];
    const { handle: _, ...rest } = body;
    return [{ [kind]: rest }];
  });
  if (objects.length === 0) return undefined;
  const input = JSON.stringify({ nftables: objects.map((object) => ({ add: object })) });
  return { form: 'json', text: input, pieces: [] };
}
