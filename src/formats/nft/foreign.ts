import { unknownBits } from '../netfilter/bits.ts';
import type { PacketState } from '../netfilter/packet.ts';
import type { Verdict } from '../netfilter/ruleset.ts';
import { type Condition, depends, type Truth, UNKNOWN } from '../netfilter/truth.ts';
import type { PacketView } from '../netfilter/view.ts';
import type { NftDump } from './dump.ts';
import { tagged } from './json.ts';

// What iptables-nft puts into rules of nf_tables: matches and targets of xtables, of which nft tells no more than the name.

const HANG_ON: Readonly<Record<string, Condition>> = {
  limit: 'rate-limit',
  hashlimit: 'rate-limit',
  quota: 'rate-limit',
  recent: 'rate-limit',
  connlimit: 'connection-limit',
  set: 'set',
  rpfilter: 'reverse-path',
  owner: 'owner',
  socket: 'owner',
  mark: 'mark',
  connmark: 'mark',
  ecn: 'ecn',
  time: 'time',
  statistic: 'random',
};

/** Whether a match of which only the name is known holds. */
export function foreignMatch(name: string): Truth {
  if (name === 'comment') return true;
  const condition = Object.hasOwn(HANG_ON, name) ? HANG_ON[name] : undefined;
  return condition === undefined ? UNKNOWN : { level: 'unknown', conditions: [condition] };
}

/** Verdict of a target of which only the name is known; undefined when it is none. */
export function foreignVerdict(name: string, family: 4 | 6): Verdict | undefined {
  const to = { address: unknownBits(family === 4 ? 32 : 128), port: unknownBits(16) };
  switch (name) {
    case 'REJECT':
      return { kind: 'reject' };
    case 'NFQUEUE':
      return { kind: 'queue', bypass: false };
    case 'SYNPROXY':
      return { kind: 'synproxy' };
    case 'DNAT':
      return { kind: 'dnat', to };
    case 'REDIRECT':
      return { kind: 'redirect', to: { port: to.port } };
    case 'TPROXY':
      return { kind: 'tproxy', to };
    case 'SNAT':
    case 'MASQUERADE':
      return { kind: 'snat', to: { address: to.address } };
    default:
      return undefined;
  }
}

/** The packet after a target that lets it go on. */
export function foreignEffect(name: string, { state }: PacketView): PacketState {
  if (name === 'MARK') return { ...state, mark: unknownBits(32, depends('mark')) };
  if (name === 'CONNMARK') {
    return { ...state, mark: unknownBits(32, depends('mark')), ctMark: unknownBits(32, depends('mark')) };
  }
  if (name === 'CT') return { ...state, untracked: depends('ct-state') };
  return state;
}

/** Families with a table of iptables-nft: one with matches or targets of xtables. */
export function foreignFamilies(dump: NftDump): ReadonlySet<string> {
  const families = new Set<string>();
  for (const { family, chains } of dump.tables) {
    if (families.has(family)) continue;
    for (const { rules } of chains.values()) {
      if (rules.some(({ statements }) => statements.some((statement) => tagged(statement)?.tag === 'xt'))) {
        families.add(family);
      }
    }
  }
  return families;
}
