import { canonicalAddress } from '../wire/canonical-address.ts';

/** One end in the arguments of an event. */
export interface TraceEnd {
  readonly address: string;
  readonly port: number;
}

/** `fib:fib_table_lookup`, `fib6:fib6_table_lookup`. */
export interface TracedLookup {
  readonly table: number;
  readonly protocol: number;
  readonly source: TraceEnd;
  readonly destination: TraceEnd;
  /** Only of a lookup that found one. The gateway is not read: Linux prints what happens to be in memory when there is none. */
  readonly device?: string;
  readonly err: number;
}

const LOOKUP = /^table\s+(\d+) .*\bproto (\d+) (\S+)\/(\d+) -> (\S+)\/(\d+) .*==> dev (\S+) .*\berr (-?\d+)$/;

/** Parses the arguments of a route lookup (include/trace/events/fib.h, fib6.h; `err` since 4.18). */
export function parseLookup(text: string): TracedLookup | undefined {
  const [, table, protocol, from = '', fromPort, to = '', toPort, device = '-', err] = LOOKUP.exec(text) ?? [];
  const source = endOf(from, fromPort);
  const destination = endOf(to, toPort);
  if (source === undefined || destination === undefined) return undefined;
  return {
    table: Number(table),
    protocol: Number(protocol),
    source,
    destination,
    ...(Number(err) === 0 && device !== '-' ? { device } : {}),
    err: Number(err),
  };
}

/** `skb:kfree_skb`, `skb:consume_skb`. */
export interface TracedFree {
  /** The packet, by an address that is scrambled but the same in all events; absent when there is none. */
  readonly packet?: string;
  /** Name of the function, without offset and module; `unknown` where the kernel prints only an address (before 6.0). */
  readonly location: string;
  /** Name of the drop reason, as this kernel prints it; absent for consume_skb. */
  readonly reason?: string;
}

/** Parses the arguments of an event that ends a packet (include/trace/events/skb.h; `reason` since 5.17). */
export function parseFree(text: string): TracedFree | undefined {
  const location = /\blocation=([\w.$]+)/.exec(text)?.[1];
  if (location === undefined) return undefined;
  const packet = packetOf(text);
  const reason = /\breason: (\w+)/.exec(text)?.[1];
  // A compiler's copy of a function goes by its name: tcp_v4_rcv.part.0.
  const name = /^\d/.test(location) ? 'unknown' : location.replace(/\.(?:part|isra|constprop|cold|llvm)\b.*$/, '');
  return {
    ...(packet === undefined ? {} : { packet }),
    location: name,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** An event of one TCP connection. */
export interface TracedTcp {
  readonly source: TraceEnd;
  readonly destination: TraceEnd;
  readonly packet?: string;
  /** `state=` of the socket, without `TCP_`. */
  readonly state?: string;
  readonly reason?: string;
  /** Of inet_sock_set_state. */
  readonly oldState?: string;
  readonly newState?: string;
}

/**
 * Parses the arguments of `tcp:*` and `sock:inet_sock_set_state`: ends as `src=192.0.2.1:443 dest=[2001:db8::1]:50204`, or as `sport=
 * dport= saddr= daddr= saddrv6= daddrv6=`, of which the last two hold IPv4 addresses as mapped ones (include/trace/events/tcp.h).
 */
export function parseTcpEvent(text: string): TracedTcp | undefined {
  const fields = new Map([...text.matchAll(/(\w+)=(\S+)/g)].map(([, key = '', value = '']) => [key, value]));
  const source = endOfText(fields.get('src')) ?? endOf(fields.get('saddrv6') ?? '', fields.get('sport'));
  const destination = endOfText(fields.get('dest')) ?? endOf(fields.get('daddrv6') ?? '', fields.get('dport'));
  if (source === undefined || destination === undefined) return undefined;
  const packet = packetOf(text);
  const names = { state: 'state', reason: 'reason', oldState: 'oldstate', newState: 'newstate' } as const;
  const named = Object.entries(names).flatMap(([name, key]) => {
    const value = fields.get(key);
    return value === undefined ? [] : [[name, name === 'reason' ? value : value.replace(/^TCP_/, '')]];
  });
  return { source, destination, ...(packet === undefined ? {} : { packet }), ...Object.fromEntries(named) };
}

/** `neigh:*`. */
export interface TracedNeighbour {
  readonly address: string;
  readonly device: string;
  readonly state: string;
}

/** Parses the arguments of an event of the neighbour cache (include/trace/events/neigh.h). */
export function parseNeighbour(text: string): TracedNeighbour | undefined {
  const [, family, device, state] = /^family (\d+) dev (\S+) .*?\bnud_state (\w+)/.exec(text) ?? [];
  const key = new RegExp(`\\bprimary_key${family === '2' ? 4 : 6} (\\S+)`).exec(text)?.[1];
  const address = canonicalAddress(key ?? '')?.address;
  if (device === undefined || state === undefined || address === undefined) return undefined;
  return { address, device, state };
}

function packetOf(text: string): string | undefined {
  const packet = /\bskbaddr=([0-9a-f]{4,16})\b/.exec(text)?.[1];
  return packet === undefined || /^0+$/.test(packet) ? undefined : packet;
}

/** `192.0.2.1:443`, `[2001:db8::1]:443`. */
function endOfText(text: string | undefined): TraceEnd | undefined {
  const [, address = '', port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(text ?? '') ?? [];
  return endOf(address, port);
}

function endOf(address: string, port: string | undefined): TraceEnd | undefined {
  const canonical = canonicalAddress(address);
  return canonical === undefined || port === undefined ? undefined : { address: canonical.address, port: Number(port) };
}
