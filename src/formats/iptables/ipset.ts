import { addressNumber, type Bits } from '../netfilter/bits.ts';
import { allOf, anyOf, depends, isSure, type Truth, UNKNOWN, xor } from '../netfilter/truth.ts';
import type { PacketView } from '../netfilter/view.ts';
import { inAddressRange, inNetwork, inNumbers } from './ranges.ts';
import { splitArguments } from './words.ts';

/** One set of ipset. */
export interface IpSet {
  /** `hash:ip`, `hash:net,port`, ... */
  readonly type: string;
  readonly family: 4 | 6;
  /** Elements time out by themselves. */
  readonly timeout: boolean;
  readonly entries: readonly IpSetEntry[];
}

/** One element: its dimensions as text. */
export interface IpSetEntry {
  readonly parts: readonly string[];
  readonly nomatch: boolean;
}

/** Sets by name, and those of the reading before the watch. */
export interface IpSets {
  readonly now: ReadonlyMap<string, IpSet>;
  readonly before?: ReadonlyMap<string, IpSet>;
}

/** More elements than this are not read. */
const MAX_ENTRIES = 1_000_000;

/** Parses the output of `ipset save` (ipset(8)). */
export function parseIpsetSave(text: string): ReadonlyMap<string, IpSet> {
  const sets = new Map<string, { type: string; family: 4 | 6; timeout: boolean; entries: IpSetEntry[] }>();
  let entries = 0;
  for (const line of text.split('\n')) {
    const [command, name, value, ...rest] = splitArguments(line.trim()).map((word) => word.text);
    if (name === undefined || value === undefined) continue;
    if (command === 'create') {
      const family = rest[rest.indexOf('family') + 1] === 'inet6' && rest.includes('family') ? 6 : 4;
      sets.set(name, { type: value, family, timeout: rest.includes('timeout'), entries: [] });
    } else if (command === 'add' && entries++ < MAX_ENTRIES) {
      sets.get(name)?.entries.push({ parts: value.split(','), nomatch: rest.includes('nomatch') });
    }
  }
  return sets;
}

/** `-m set --match-set NAME src,dst`: whether the set held the packet while it passed. */
export function ipsetHolds(
  name: string | undefined,
  sides: string | undefined,
  view: PacketView,
  sets?: IpSets,
): Truth {
  const set = sets?.now.get(name ?? '');
  if (sets === undefined || set === undefined) return { level: 'unknown', conditions: ['set'] };
  const now = holds(set, (sides ?? '').split(','), view, sets.now, 2);
  const earlier = sets.before?.get(name ?? '');
  if (earlier === undefined) return set.timeout && isSure(now) ? depends('set') : now;
  const before = holds(earlier, (sides ?? '').split(','), view, sets.before ?? sets.now, 2);
  return before === now || !isSure(now) ? now : depends('set');
}

function holds(
  set: IpSet,
  sides: readonly string[],
  view: PacketView,
  sets: ReadonlyMap<string, IpSet>,
  depth: number,
): Truth {
  if (set.type === 'list:set') {
    if (depth <= 0) return UNKNOWN;
    return anyOf(
      set.entries.map(({ parts }) => {
        const member = sets.get(parts[0] ?? '');
        return member === undefined ? false : holds(member, sides, view, sets, depth - 1);
      }),
    );
  }
  const dimensions = /^(?:hash|bitmap):(.+)$/.exec(set.type)?.[1]?.split(',');
  if (dimensions?.every((dimension) => ['ip', 'net', 'port'].includes(dimension)) !== true) {
    return { level: 'unknown', conditions: ['set'] };
  }
  if (set.family !== view.packet.family && dimensions.some((dimension) => dimension !== 'port')) return false;
  const test = ({ parts }: IpSetEntry): Truth =>
    allOf(dimensions.map((dimension, index) => partHolds(dimension, parts[index], sides[index], view)));
  const matching = anyOf(set.entries.filter(({ nomatch }) => !nomatch).map(test));
  const exempt = set.entries.filter(({ nomatch }) => nomatch);
  // What is exempt from a network is a smaller network; that a still smaller one is not is left out.
  return exempt.length === 0 ? matching : allOf([matching, xor(anyOf(exempt.map(test)), true)]);
}

function partHolds(dimension: string, text: string | undefined, side: string | undefined, view: PacketView): Truth {
  if (text === undefined || (side !== 'src' && side !== 'dst')) return UNKNOWN;
  const { state, packet } = view;
  if (dimension === 'port') return portHolds(text, side === 'src' ? state.sourcePort : state.destinationPort);
  const address = side === 'src' ? state.source : state.destination;
  return text.includes('-') && addressNumber(text) === undefined
    ? inAddressRange(address, text, packet.family)
    : inNetwork(address, text, packet.family);
}

/** `80`, `tcp:80`, `tcp:80-90`, `udp:53`. */
function portHolds(text: string, port: Bits): Truth {
  const [protocol, ports] = text.includes(':') ? (text.split(':') as [string, string]) : ['tcp', text];
  return protocol === 'tcp' ? inNumbers(port, ports, '-') : false;
}
