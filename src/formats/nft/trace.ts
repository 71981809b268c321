import { parseAddress } from '../wire/address.ts';

/** Where a traced packet ended: a rule, or the policy of a chain. */
export interface TraceEnd {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** Absent for a policy. */
  readonly handle?: number;
  /** The rule as nft prints it, or `policy drop`. */
  readonly text: string;
  readonly verdict: 'drop' | 'queue' | 'other';
}

/** One packet on its way through the chains, as `nft -a monitor trace` tells. */
export interface TracedTcpPacket {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** As nft prints them, sorted: `ack,syn`. */
  readonly flags: string;
  /** Absent while every chain that it met let it pass. */
  readonly end?: TraceEnd;
}

/** Packets that are kept. */
const MAX_PACKETS = 4096;
const LINE = /^trace id (\w+) (\S+) (\S+) (\S+) (packet:|rule|policy|verdict) ?(.*?) *$/;

/**
 * Parses what `nft -a monitor trace` printed: lines of a packet share an id (`nf_tables_trace.c`). A packet has the addresses with which
 * it was met first, before any translation. Other lines, and packets that are no TCP, are left out.
 */
export function parseNftTrace(text: string): TracedTcpPacket[] {
  const packets = new Map<string, { packet: TracedTcpPacket; end?: TraceEnd }>();
  for (const line of text.split('\n')) {
    const [, id = '', family = '', table = '', chain = '', kind, rest = ''] = LINE.exec(line) ?? [];
    if (kind === 'packet:' && !packets.has(id) && packets.size < MAX_PACKETS) {
      const packet = parsePacket(rest);
      if (packet !== undefined) packets.set(id, { packet });
    }
    const known = packets.get(id);
    if (known === undefined || (kind !== 'rule' && kind !== 'policy')) continue;
    const end = kind === 'rule' ? ruleEnd(rest) : policyEnd(rest);
    if (end !== undefined) known.end = { family, table, chain, ...end };
  }
  return [...packets.values()].map(({ packet, end }) => (end === undefined ? packet : { ...packet, end }));
}

function parsePacket(text: string): TracedTcpPacket | undefined {
  const word = (name: string): string => new RegExp(`(?:^| )${name} (\\S+)`).exec(text)?.[1] ?? '';
  const [source, destination] = ['saddr', 'daddr'].map((name) => word(`ip6? ${name}`)) as [string, string];
  const [sourcePort, destinationPort] = ['sport', 'dport'].map((name) => Number(word(`tcp ${name}`) || Number.NaN)) as [
    number,
    number,
  ];
  if (parseAddress(source) === undefined || parseAddress(destination) === undefined) return undefined;
  if (!Number.isInteger(sourcePort) || !Number.isInteger(destinationPort)) return undefined;
  const flags = word('tcp flags ==').split(/[,|]/).sort().join(',');
  return { source, destination, sourcePort, destinationPort, flags };
}

function ruleEnd(text: string): Pick<TraceEnd, 'handle' | 'text' | 'verdict'> | undefined {
  const [, rule = '', verdict = ''] = /^(.*) \(verdict (\w+)[^)]*\)$/.exec(text) ?? [];
  if (verdict === '' || /^(accept|continue|jump|goto|return)$/.test(verdict)) return undefined;
  const [, bare = rule, handle] = /^(.*?) # handle (\d+)$/.exec(rule) ?? [];
  return {
    text: bare,
    verdict: verdict === 'drop' || verdict === 'queue' ? verdict : 'other',
    ...(handle === undefined ? {} : { handle: Number(handle) }),
  };
}

function policyEnd(text: string): Pick<TraceEnd, 'text' | 'verdict'> | undefined {
  return text === 'drop' ? { text: 'policy drop', verdict: 'drop' } : undefined;
}
