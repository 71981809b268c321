import { addressNumber, prefixRange } from '../netfilter/bits.ts';
import { CT_STATES, CT_STATUSES } from '../netfilter/view.ts';
import { asObject, pairOf, tagged } from './json.ts';

/** A constant that a value is compared with: numbers from first to last, or text. */
export type Constant = { readonly first: bigint; readonly last: bigint } | { readonly text: string };

/** How constants of one kind are written in the JSON of nft. */
export interface DataType {
  readonly name: string;
  /** The constant; undefined when it is not understood. */
  parse(json: unknown): Constant | undefined;
}

/** Deepest nesting of expressions that is looked at. */
export const MAX_NESTING = 12;

function one(value: bigint | undefined): Constant | undefined {
  return value === undefined ? undefined : { first: value, last: value };
}

/** A number as nft writes it: `80`, `"0x10"`, `"18"`. */
function parseInteger(json: unknown): bigint | undefined {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : undefined;
  if (typeof json === 'boolean') return json ? 1n : 0n;
  return typeof json === 'string' && /^(0x[0-9a-f]{1,32}|\d{1,39})$/i.test(json) ? BigInt(json) : undefined;
}

function scalar(name: string, parse: (json: unknown) => bigint | undefined): DataType {
  const value = (json: unknown): bigint | undefined => parse(json);
  return {
    name,
    parse(json) {
      const expression = tagged(json);
      if (expression?.tag !== 'range') return one(value(json) ?? parseFlags(json, value));
      const pair = pairOf(expression.body);
      const [low, high] = [value(pair?.[0]), value(pair?.[1])];
      return low === undefined || high === undefined ? undefined : { first: low, last: high };
    },
  };
}

/** Flags that are set together: `["syn", "ack"]`, `{"|": ["syn", "ack"]}`. */
function parseFlags(
  json: unknown,
  value: (json: unknown) => bigint | undefined,
  depth: number = MAX_NESTING,
): bigint | undefined {
  if (depth <= 0) return undefined;
  const simple = value(json);
  if (simple !== undefined) return simple;
  const expression = tagged(json);
  const parts = Array.isArray(json) ? json : expression?.tag === '|' ? expression.body : undefined;
  if (!Array.isArray(parts)) return undefined;
  let all = 0n;
  for (const part of parts) {
    const flag = parseFlags(part, value, depth - 1);
    if (flag === undefined) return undefined;
    all |= flag;
  }
  return all;
}

function symbols(name: string, table: Readonly<Record<string, number>>, other?: bigint): DataType {
  return scalar(name, (json) => {
    if (typeof json === 'string' && Object.hasOwn(table, json)) return BigInt(table[json]!);
    return parseInteger(json) ?? (typeof json === 'string' ? other : undefined);
  });
}

function address(family: 4 | 6): DataType {
  return {
    name: family === 4 ? 'ipv4_addr' : 'ipv6_addr',
    parse(json) {
      const parse = (text: unknown): bigint | undefined => {
        const parsed = typeof text === 'string' ? addressNumber(text) : undefined;
        return parsed?.family === family ? parsed.value : undefined;
      };
      if (typeof json === 'string') return one(parse(json));
      const expression = tagged(json);
      if (expression?.tag === 'prefix') {
        const base = parse(asObject(expression.body)?.addr);
        const length = asObject(expression.body)?.len;
        return base === undefined || typeof length !== 'number' ? undefined : prefixRange(base, length, family);
      }
      const pair = expression?.tag === 'range' ? pairOf(expression.body) : undefined;
      const [low, high] = [parse(pair?.[0]), parse(pair?.[1])];
      return low === undefined || high === undefined ? undefined : { first: low, last: high };
    },
  };
}

/** No protocol, family or type has this number: stands for names that are not TCP or IP. */
const OTHER = 1n << 40n;

/** Plain numbers: ports, marks, lengths. */
export const INTEGER: DataType = scalar('integer', parseInteger);
/** IPv4 addresses. */
export const IPV4: DataType = address(4);
/** IPv6 addresses. */
export const IPV6: DataType = address(6);
/** Flags of the TCP header. */
export const TCP_FLAGS: DataType = symbols('tcp_flag', {
  fin: 1,
  syn: 2,
  rst: 4,
  psh: 8,
  ack: 16,
  urg: 32,
  ecn: 64,
  cwr: 128,
});
/** Protocols above IP; names other than those listed are not TCP. */
export const PROTOCOL: DataType = symbols(
  'inet_proto',
  { icmp: 1, tcp: 6, udp: 17, 'ipv6-icmp': 58, icmpv6: 58 },
  OTHER,
);
/** Values of `ct state`. */
export const CT_STATE: DataType = symbols('ct_state', CT_STATES);
/** Values of `ct status`. */
export const CT_STATUS: DataType = symbols('ct_status', CT_STATUSES);
/** Values of `ct direction`. */
export const CT_DIRECTION: DataType = symbols('ct_dir', { original: 0, reply: 1 });
/** Values of `meta nfproto` (NFPROTO_*). */
export const NFPROTO: DataType = symbols('nf_proto', { ipv4: 2, ipv6: 10 }, OTHER);
/** Values of `meta protocol` (EtherTypes). */
export const ETHER_TYPE: DataType = symbols(
  'ether_type',
  { ip: 0x800, arp: 0x806, ip6: 0x86dd, vlan: 0x8100, '8021q': 0x8100, '8021ad': 0x88a8 },
  OTHER,
);
/** Values of `meta pkttype` (PACKET_*). */
export const PACKET_TYPE: DataType = symbols('pkt_type', {
  host: 0,
  unicast: 0,
  broadcast: 1,
  multicast: 2,
  other: 3,
  otherhost: 3,
});
/** Existence, as `exists` and `missing` are written. */
export const BOOLEAN: DataType = symbols('boolean', { exists: 1, missing: 0 });
/** Names that stand for themselves: devices, kinds of devices, types of addresses. A device may end in `*`. */
export const TEXT: DataType = {
  name: 'text',
  parse(json) {
    if (typeof json === 'string') return { text: json };
    return typeof json === 'number' || typeof json === 'boolean' ? { text: String(json) } : undefined;
  },
};
/** Constants that nothing is known of: comparing with them never decides. */
export const OPAQUE: DataType = { name: 'opaque', parse: () => undefined };
