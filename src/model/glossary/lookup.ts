import { ENTRY_KINDS, type EntryKind, type GlossaryEntry } from './entry.ts';

/** What a word was found to mean: the first meaning, and the others in the order of {@link ENTRY_KINDS}. */
export interface Found {
  readonly entry: GlossaryEntry;
  readonly others: readonly GlossaryEntry[];
}

/** Prefixes of counters (`nstat`), of drop reasons, and of enumerations in kernel source, without separators. */
const PREFIXES: RegExp =
  /^(?:skbdropreason|linuxmib|tcpmib|ipstatsmib|tcpext|ipext|xfrm|icmp6|icmp|ip6|ip|tcp)(?=.{3})/;

/** Names of groups as a user may put them before a word, without separators. */
const GROUP_NAMES: Readonly<Record<string, EntryKind>> = {
  cause: 'cause',
  outcome: 'outcome',
  location: 'location',
  path: 'location',
  stage: 'stage',
  finding: 'finding',
  errno: 'errno',
  counter: 'counter',
  dropreason: 'drop-reason',
  reason: 'drop-reason',
  icmp: 'icmp',
  term: 'term',
};

/** Brings spellings of a word together: case, spaces, hyphens, underscores and other marks aside. `3/13` keeps its slash. */
function normalizeWord(word: string): string {
  return word
    .toLowerCase()
    .replace(/\(.*?\)$/, '')
    .replace(/\b(?:type|code)\b/g, ' ')
    .replace(/(?<=\d)[\s,:._-]+(?=\d)/g, '/')
    .replace(/[^\p{L}\p{N}/+]/gu, '');
}

/** Finds words in a glossary. */
export class GlossaryIndex {
  private readonly entries: readonly GlossaryEntry[];
  private readonly byName = new Map<string, GlossaryEntry[]>();
  private readonly byBareName = new Map<string, GlossaryEntry[]>();

  constructor(entries: readonly GlossaryEntry[]) {
    this.entries = entries;
    for (const entry of entries) {
      for (const name of [entry.word, ...(entry.aliases ?? [])]) {
        const key = normalizeWord(name);
        add(this.byName, key, entry);
        add(this.byBareName, key.replace(PREFIXES, ''), entry);
      }
    }
  }

  /** The entries for a word as a user may write it, or undefined. */
  find(text: string): Found | undefined {
    const qualified = /^\s*([\p{L}-]+(?:\s+reason)?)[\s:]+(.+)$/u.exec(text);
    const kind = GROUP_NAMES[normalizeWord(qualified?.[1] ?? '')];
    const within = kind === undefined ? [] : this.named(qualified?.[2] ?? '').filter((entry) => entry.kind === kind);
    const all = this.named(text);
    const [entry, ...others] = all.length > 0 ? all : within;
    return entry === undefined ? undefined : { entry, others };
  }

  /** Known words that look most like an unknown one, best first. */
  nearest(text: string, count = 4): string[] {
    const wanted = normalizeWord(text).replace(PREFIXES, '');
    if (wanted === '') return [];
    const scored: { word: string; score: number }[] = [];
    for (const entry of this.entries) {
      const names = [entry.word, ...(entry.aliases ?? [])].map((name) => normalizeWord(name).replace(PREFIXES, ''));
      const score = Math.min(...names.map((name) => dissimilarity(wanted, name)));
      if (score <= 0.4) scored.push({ word: entry.word, score });
    }
    scored.sort((a, b) => a.score - b.score);
    return [...new Set(scored.map(({ word }) => word))].slice(0, count);
  }

  private named(text: string): readonly GlossaryEntry[] {
    const key = normalizeWord(text);
    const bare = key.replace(PREFIXES, '');
    const found =
      this.byName.get(key) ?? this.byName.get(bare) ?? this.byBareName.get(key) ?? this.byBareName.get(bare) ?? [];
    if (key === '') return [];
    const asWritten = (entry: GlossaryEntry): number => (entry.word === text.trim() ? 0 : 1);
    return [...found].sort((a, b) => asWritten(a) - asWritten(b) || inOrderOfKinds(a, b));
  }
}

const ORDER: readonly string[] = Object.keys(ENTRY_KINDS);

function inOrderOfKinds(a: GlossaryEntry, b: GlossaryEntry): number {
  return ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind);
}

function add(index: Map<string, GlossaryEntry[]>, key: string, entry: GlossaryEntry): void {
  const list = index.get(key) ?? [];
  if (!list.includes(entry)) list.push(entry);
  index.set(key, list);
}

/** 0 for equal names; up to 1 for names that share nothing. A name that contains the other is close to it. */
function dissimilarity(wanted: string, name: string): number {
  const edits = editDistance(wanted, name) / Math.max(wanted.length, name.length);
  const shorter = Math.min(wanted.length, name.length);
  const contained = shorter >= 4 && (name.includes(wanted) || wanted.includes(name));
  return contained ? Math.min(edits, 0.35) : edits;
}

/** Levenshtein distance with transpositions of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(above[column]! + 1, line[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, before[column - 2]! + 1);
      }
      line.push(best);
    }
    before = above;
    above = line;
  }
  return above[b.length]!;
}
