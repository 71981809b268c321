import { present } from './ip-json.ts';
import { parseTos } from './tos.ts';

/** One policy routing rule, as `ip rule` prints it. */
export interface IpRule {
  readonly family: 4 | 6;
  readonly priority: number;
  readonly action: 'lookup' | 'unreachable' | 'prohibit' | 'blackhole' | 'goto' | 'nop' | 'other';
  readonly table?: string;
  readonly not?: true;
  readonly from?: string;
  readonly to?: string;
  readonly iif?: string;
  readonly oif?: string;
  readonly fwmark?: number;
  readonly fwmask?: number;
  readonly tos?: number;
  readonly ipProtocol?: number;
  readonly sourcePorts?: readonly [first: number, last: number];
  readonly destinationPorts?: readonly [first: number, last: number];
  readonly uids?: readonly [first: number, last: number];
  readonly suppressPrefixLength?: number;
  /** Routes through an interface of this group do not count (`suppress_ifgroup`). */
  readonly suppressGroup?: string;
  readonly l3mdev?: true;
  /** Of `goto`: the priority of the rule that goes on. */
  readonly gotoPriority?: number;
  /** Only packets from a tunnel with this id. */
  readonly tunnelId?: string;
  /** It names an interface that is not there, or a rule to go on at: that part of it never matches. */
  readonly detached?: true;
  /** Words of it that are not understood: whether it matches cannot be told. */
  readonly unknown?: readonly string[];
  /** As `ip rule` prints it. */
  readonly text: string;
}

type Draft = { -readonly [Key in keyof IpRule]?: IpRule[Key] };

/** At most so many rules are kept. */
const MAX_RULES = 10_000;
/** Names of protocols that `ip rule` prints (inet_proto_n2a), where they are not the number. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  ospf: 89,
  sctp: 132,
};

/**
 * Parses `ip rule show` or `ip -6 rule show`, as text: that is the same in every version, with or without `-j`, and what a person
 * would read. Lines that are no rules are left out.
 */
export function parseRules(output: string, family: 4 | 6): readonly IpRule[] {
  const rules: IpRule[] = [];
  for (const line of output.split('\n')) {
    const match = /^(\d{1,10}):\s+(.+?)\s*$/.exec(line);
    if (match === null || rules.length >= MAX_RULES) continue;
    rules.push(parseRule(Number(match[1]), match[2]!, family));
  }
  return rules;
}

/** One rule, from what stands after its priority. */
function parseRule(priority: number, body: string, family: 4 | 6): IpRule {
  const draft: Draft = {};
  const unknown: string[] = [];
  const words = body.split(/\s+/);
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const take = TAKES_NOTHING[word];
    if (take !== undefined) {
      take(draft);
      continue;
    }
    const read = TAKES_VALUE[word];
    const value = words[at + 1];
    if (read === undefined || value === undefined || !read(draft, value)) {
      unknown.push(word);
      continue;
    }
    at++;
  }
  return {
    family,
    priority,
    action: 'other',
    ...draft,
    ...present('unknown', unknown.length === 0 ? undefined : unknown),
    text: `${priority}: ${body}`,
  };
}

const TAKES_NOTHING: Readonly<Record<string, (draft: Draft) => void>> = {
  __proto__: null as never,
  not: (draft) => {
    draft.not = true;
  },
  unreachable: (draft) => {
    draft.action = 'unreachable';
  },
  prohibit: (draft) => {
    draft.action = 'prohibit';
  },
  blackhole: (draft) => {
    draft.action = 'blackhole';
  },
  nop: (draft) => {
    draft.action = 'nop';
  },
  '[detached]': (draft) => {
    draft.detached = true;
  },
  '[unresolved]': (draft) => {
    draft.detached = true;
  },
};

/** What a word with a value means; false when the value is not of its kind. */
const TAKES_VALUE: Readonly<Record<string, (draft: Draft, value: string) => boolean>> = {
  __proto__: null as never,
  from: (draft, value) => {
    if (value !== 'all') draft.from = value;
    return true;
  },
  to: (draft, value) => {
    if (value !== 'all') draft.to = value;
    return true;
  },
  iif: (draft, value) => {
    draft.iif = value;
    return true;
  },
  oif: (draft, value) => {
    draft.oif = value;
    return true;
  },
  lookup: (draft, value) => {
    draft.action = 'lookup';
    if (value === '[l3mdev-table]') draft.l3mdev = true;
    else draft.table = value;
    return true;
  },
  goto: (draft, value) => {
    draft.action = 'goto';
    return setNumber(draft, 'gotoPriority', value);
  },
  tos: (draft, value) => {
    const tos = parseTos(value);
    if (tos !== undefined) draft.tos = tos;
    return tos !== undefined;
  },
  fwmark: (draft, value) => {
    const [mark = '', mask] = value.split('/');
    return setNumber(draft, 'fwmark', mark) && (mask === undefined || setNumber(draft, 'fwmask', mask));
  },
  ipproto: (draft, value) => setNumber(draft, 'ipProtocol', String(PROTOCOLS[value] ?? value)),
  sport: (draft, value) => setRange(draft, 'sourcePorts', value, 0xffff),
  dport: (draft, value) => setRange(draft, 'destinationPorts', value, 0xffff),
  uidrange: (draft, value) => setRange(draft, 'uids', value, 0xffff_ffff),
  suppress_prefixlength: (draft, value) => setNumber(draft, 'suppressPrefixLength', value),
  suppress_ifgroup: (draft, value) => {
    draft.suppressGroup = value;
    return true;
  },
  tun_id: (draft, value) => {
    draft.tunnelId = value;
    return true;
  },
  // Accounting (realms), and who made the rule (proto): neither decides whether it matches.
  realms: () => true,
  proto: () => true,
  protocol: () => true,
};

type NumberKey = 'gotoPriority' | 'fwmark' | 'fwmask' | 'ipProtocol' | 'suppressPrefixLength';

function setNumber(draft: Draft, key: NumberKey, value: string): boolean {
  if (!/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(value)) return false;
  draft[key] = Number(value);
  return true;
}

function setRange(
  draft: Draft,
  key: 'sourcePorts' | 'destinationPorts' | 'uids',
  value: string,
  most: number,
): boolean {
  const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(value);
  if (match === null) return false;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (first > most || last > most) return false;
  draft[key] = [first, last];
  return true;
}
