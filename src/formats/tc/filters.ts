import { parseTcCounters } from './qdiscs.ts';

/** One classifier with its actions, as `tc -s filter show` prints it. */
export interface TcFilter {
  /** `ip`, `ipv6`, `all`, `arp`, `802.1Q`, ... */
  readonly protocol: string;
  /** Lower comes first. */
  readonly preference: number;
  readonly kind: string;
  readonly chain: number;
  /** `0x1`, `800::800`; absent for the head of a list, which decides nothing. */
  readonly handle?: string;
  /** Keys of a flower: `dst_ip` -> `192.0.2.0/24`. */
  readonly keys: ReadonlyMap<string, string>;
  /** 32-bit words of a u32: the word at the offset, under the mask, must be the value. */
  readonly words: readonly TcWord[];
  /** It has parts that are not understood: a link to another table, an offset that is computed. */
  readonly unknown: boolean;
  readonly actions: readonly TcAction[];
  /** Of a bpf classifier: its program, and whether the program itself decides. */
  readonly program?: { readonly id?: number; readonly name?: string };
  readonly directAction: boolean;
  /** Only in hardware (`skip_sw`), so that a packet which came up does not meet it. */
  readonly skipsSoftware: boolean;
  readonly dropped: number;
  readonly overlimits: number;
  /** All of it but the counters, on one line. */
  readonly text: string;
}

/** One match of a u32. */
export interface TcWord {
  readonly value: number;
  readonly mask: number;
  /** In bytes from the network header. */
  readonly offset: number;
}

/** One action of a classifier. */
export interface TcAction {
  /** `gact`, `police`, `mirred`, `skbedit`, ... */
  readonly kind: string;
  /** What it does with a packet, when that is all it can do: `drop`, `pass`, `pipe`, `continue`, `stolen`, `reclassify`, ... */
  readonly control?: string;
}

/** At most so many classifiers are kept of one hook. */
const MAX_FILTERS = 5_000;

/** Parses `tc -s filter show dev DEVICE ingress`, as text: its JSON repeats keys, so that matches of u32 are lost in it. */
export function parseFilters(output: string): readonly TcFilter[] {
  const filters: TcFilter[] = [];
  // Some versions print the head of a list and its first entry on one line.
  for (const block of output.split(/(?:^|(?<= ))(?=filter (?:parent \S+ )?(?:block \S+ )?protocol )/m)) {
    if (filters.length >= MAX_FILTERS) break;
    const head = /^filter .*?protocol (\S+) pref (\d+) (\S+)(.*)/.exec(block);
    if (head !== null) filters.push(filterOf(block, head));
  }
  return filters;
}

function filterOf(block: string, head: RegExpExecArray): TcFilter {
  const [, protocol, preference, kind, rest = ''] = head;
  const [own = '', ...actionBlocks] = block.split(/^\s*(?=action order )/m);
  const handle = / (?:handle|fh) (\S+)/.exec(rest)?.[1];
  const id = / id (\d+)/.exec(rest)?.[1];
  const name = kind === 'bpf' ? / (?:handle \S+ )(\S+)/.exec(rest)?.[1] : undefined;
  const lines = own.split('\n').slice(1);
  return {
    protocol: protocol!,
    preference: Number(preference),
    kind: kind!,
    chain: Number(/ chain (\d+)/.exec(rest)?.[1] ?? 0),
    ...(handle === undefined ? {} : { handle }),
    keys: kind === 'flower' ? keysOf(lines) : new Map(),
    words: kind === 'u32' ? wordsOf(lines) : [],
    unknown: kind === 'u32' && isOddU32(lines, rest),
    actions: actionBlocks.map(actionOf),
    ...(kind === 'bpf' && (id !== undefined || name !== undefined)
      ? { program: { ...(id === undefined ? {} : { id: Number(id) }), ...(name === undefined ? {} : { name }) } }
      : {}),
    directAction: / direct-action\b/.test(rest),
    skipsSoftware: /\bskip_sw\b/.test(own),
    ...parseTcCounters(block),
    text: textOf(block),
  };
}

/** Lines of a flower: two spaces, a key, a value. Flags (`not_in_hw`, `skip_sw`) stand there as well. */
function keysOf(lines: readonly string[]): Map<string, string> {
  const keys = new Map<string, string>();
  for (const line of lines) {
    const match = /^\s+([a-z]\w*) (\S.*?)\s*$/.exec(line);
    if (match !== null && !/^(in_hw|not_in_hw|skip_sw|skip_hw|in_hw_count|hw_tc|classid)$/.test(match[1]!)) {
      keys.set(match[1]!, match[2]!);
    }
  }
  return keys;
}

function wordsOf(lines: readonly string[]): TcWord[] {
  return lines.flatMap((line) => {
    const match = /^\s+match ([\da-f]{8})\/([\da-f]{8}) at (\d+)\s*$/.exec(line);
    return match === null
      ? []
      : [
          {
            value: Number.parseInt(match[1]!, 16),
            mask: Number.parseInt(match[2]!, 16),
            offset: Number(match[3]),
          },
        ];
  });
}

/** Matches at `nexthdr+0`, marks, links to other hash tables, offsets: more than fixed words (print_sel, tc/f_u32.c). */
function isOddU32(lines: readonly string[], rest: string): boolean {
  const matches = lines.filter((line) => line.trim() !== '');
  return / link /.test(rest) || matches.some((line) => !/^\s+match [\da-f]{8}\/[\da-f]{8} at \d+\s*$/.test(line));
}

function actionOf(block: string): TcAction {
  const [line = ''] = block.split('\n');
  const match = /^action order \d+:\s+(\S+)(.*)$/.exec(line);
  const kind = match?.[1] ?? 'unknown';
  const rest = match?.[2] ?? '';
  // "gact action drop" with "random type none": a random one may do something else.
  const random = /random type (\S+)/.exec(block)?.[1];
  const gact =
    kind === 'gact' && (random === undefined || random === 'none') ? /action (\S+)/.exec(rest)?.[1] : undefined;
  const mirred = kind === 'mirred' ? /\)\s+(\S+)\s*$/.exec(rest)?.[1] : undefined;
  const control = gact ?? mirred;
  return { kind, ...(control === undefined ? {} : { control }) };
}

function textOf(block: string): string {
  return block
    .split('\n')
    .filter((line) => !/^\s*(Sent |backlog |Action statistics|index |ref |random type none)/.test(line))
    .join(' ')
    .trim()
    .replace(/\s+/g, ' ')
    .slice(0, 500);
}
