import { parseNftDump } from '../formats/nft/dump.ts';
import { foreignFamilies } from '../formats/nft/foreign.ts';
import type { Asker } from './ask.ts';
import type { SavedNft, SavedRules } from './state.ts';

/** Text with handles and numbers of users: names of users are those of another machine. */
const NFT_TEXT: readonly string[] = ['nft', '-a', '-u', 'list', 'ruleset'];
/** What `listen` asks, so that every recording holds it. */
const NFT_JSON: readonly string[] = ['nft', '-j', 'list', 'ruleset'];

/** All rule sets of netfilter. */
export interface Filters {
  readonly nft?: SavedNft;
  readonly iptables: readonly SavedRules[];
  readonly ipsets?: string;
}

/** What looks the same in a rule of iptables and in one of nftables, for which not every kernel has the module. */
const TRANSLATED = /^\t\t.*\bqueue (?:flags \S+ )?(?:num|to) /m;

/** Reads the rules of nftables and of iptables in both its forms, and the sets that they use. */
export async function readFilters(ask: Asker): Promise<Filters> {
  const [nft, names4 = '', names6 = ''] = await Promise.all([
    readNft(ask),
    ask.file('/proc/net/ip_tables_names'),
    ask.file('/proc/net/ip6_tables_names'),
  ]);
  const saved = await Promise.all([
    ...([4, 6] as const).flatMap((family) => [
      needsXtables(nft, family) ? readSaved(ask, family, 'nft') : undefined,
      (family === 4 ? names4 : names6).trim() === '' ? undefined : readSaved(ask, family, 'legacy'),
    ]),
  ]);
  const iptables = saved.filter((one) => one !== undefined);
  const usesSets = iptables.some(({ text }) => /--(?:match-set|add-set|del-set) /.test(text));
  const ipsets = usesSets ? await ask.list('sets of ipset', ['ipset', 'save']) : undefined;
  return { ...(nft === undefined ? {} : { nft }), iptables, ...(ipsets === undefined ? {} : { ipsets }) };
}

async function readNft(ask: Asker): Promise<SavedNft | undefined> {
  const text = await ask.maybe(NFT_TEXT);
  if (text !== undefined) return { form: 'text', text };
  const json = await ask.maybe(NFT_JSON);
  if (json !== undefined) return { form: 'json', text: json };
  const modules = await ask.file('/proc/modules');
  // Without nf_tables there are no such rules; the kernel may have it built in, which nothing tells.
  if (modules !== undefined && !/^nf_tables /m.test(modules) && !(await hasNft(ask))) return undefined;
  await ask.list('rules of nftables', NFT_TEXT);
  return undefined;
}

async function hasNft(ask: Asker): Promise<boolean> {
  return (await ask.maybe(['nft', '--version'])) !== undefined;
}

/** Whether nft shows rules of iptables-nft that it cannot write so that they could be loaded again. */
function needsXtables(nft: SavedNft | undefined, family: 4 | 6): boolean {
  if (nft === undefined) return false;
  const name = family === 4 ? 'ip' : 'ip6';
  if (nft.form === 'json') {
    const dump = nft.text.includes('"xt":') ? parseNftDump(nft.text) : undefined;
    return dump !== undefined && foreignFamilies(dump).has(name);
  }
  return tablesOf(nft.text).some(
    (table) => table.family === name && (hasXtables(table.text) || TRANSLATED.test(table.text)),
  );
}

/** Whether a table holds matches or targets of xtables that nft only names. */
export function hasXtables(table: string): boolean {
  return /^\t\t[^"]*(?:"[^"]*"[^"]*)*(?:\bxt (?:match|target) |# xt_)/m.test(table);
}

/** One table in the text of `nft list ruleset`. */
export interface NftTableText {
  readonly family: string;
  readonly name: string;
  readonly text: string;
}

/** Cuts the text of `nft list ruleset` into its tables. */
export function tablesOf(text: string): readonly NftTableText[] {
  const tables: NftTableText[] = [];
  let start = -1;
  let head: RegExpExecArray | null = null;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (start < 0) {
      head = /^table (\S+) (\S+) \{/.exec(line);
      if (head !== null) start = index;
    } else if (line.startsWith('}')) {
      tables.push({ family: head?.[1] ?? '', name: head?.[2] ?? '', text: lines.slice(start, index + 1).join('\n') });
      start = -1;
    }
  }
  return tables;
}

async function readSaved(ask: Asker, family: 4 | 6, variant: 'nft' | 'legacy'): Promise<SavedRules | undefined> {
  const plain = family === 4 ? 'iptables' : 'ip6tables';
  const tool = `${plain}-${variant}` as const;
  // A host with only one variant has it under the plain name.
  const text = await ask.list(`rules of ${tool}`, [`${tool}-save`, '-c'], [`${plain}-save`, '-c']);
  return text === undefined ? undefined : { tool, family, text };
}
