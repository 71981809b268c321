/** What the `format` file of an event tells. */
export interface EventFormat {
  readonly fields: ReadonlySet<string>;
  /** Numbers by the names that they are printed as. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** One tracepoint that is watched, and what of it. */
interface WatchedEvent {
  /** `system/name`, as in tracefs. */
  readonly path: string;
  /** Fields without which it tells nothing: older kernels lack them. */
  readonly needs: readonly string[];
  /** Condition in the language of tracefs (Documentation/trace/events.rst, "Event filtering"); none: all of them, they are rare. */
  readonly filter?: (port: number, numbers: EventFormat['numbers']) => string;
  /** Watched only when this kernel takes the filter: without it there would be too many. Without this, it is watched anyway. */
  readonly onlyFiltered?: true;
}

/** Local tables are looked up before all others and fail as a rule; only with the ports of the attempt do they say something. */
const lookups = (port: number): string =>
  `(proto == 6 && (sport == ${port} || dport == ${port})) || (err < 0 && tb_id != 255)`;
const ports = (port: number): string => `sport == ${port} || dport == ${port}`;

/** Of IPv4 and IPv6 (ETH_P_IP, ETH_P_IPV6), and not what a connection had unread when it was closed: that is each time so. */
const drops = (_port: number, numbers: EventFormat['numbers']): string => {
  const purged = numbers.get('QUEUE_PURGE');
  return `(protocol == 2048 || protocol == 34525)${purged === undefined ? '' : ` && reason != ${purged}`}`;
};

/** The tracepoints that tell of a handshake (notes in Documentation/trace/events.rst; kernel versions as far as known). */
export const WATCHED_EVENTS: readonly WatchedEvent[] = [
  { path: 'fib/fib_table_lookup', needs: ['err', 'tb_id', 'sport'], filter: lookups, onlyFiltered: true },
  { path: 'fib6/fib6_table_lookup', needs: ['err', 'tb_id', 'sport'], filter: lookups, onlyFiltered: true },
  { path: 'skb/kfree_skb', needs: ['reason', 'protocol'], filter: drops },
  // Every packet that was delivered ends here, so only where the function can be asked for (Linux 6.4).
  {
    path: 'skb/consume_skb',
    needs: ['location'],
    filter: () => 'location.function == tcp_rcv_state_process',
    onlyFiltered: true,
  },
  { path: 'tcp/tcp_send_reset', needs: [] },
  { path: 'tcp/tcp_receive_reset', needs: ['sport'], filter: ports },
  { path: 'tcp/tcp_retransmit_synack', needs: ['sport'], filter: ports },
  { path: 'tcp/tcp_bad_csum', needs: [] },
  { path: 'tcp/tcp_hash_bad_header', needs: [], filter: ports },
  { path: 'tcp/tcp_hash_md5_required', needs: [], filter: ports },
  { path: 'tcp/tcp_hash_md5_unexpected', needs: [], filter: ports },
  { path: 'tcp/tcp_hash_md5_mismatch', needs: [], filter: ports },
  { path: 'tcp/tcp_hash_ao_required', needs: [], filter: ports },
  { path: 'tcp/tcp_ao_handshake_failure', needs: [], filter: ports },
  { path: 'sock/inet_sock_set_state', needs: ['sport'], filter: ports, onlyFiltered: true },
  // NUD_FAILED.
  { path: 'neigh/neigh_timer_handler', needs: ['nud_state'], filter: () => 'nud_state == 32', onlyFiltered: true },
];

/** An event that this kernel has, with the filter that it shall get. */
export interface PlannedEvent {
  readonly path: string;
  readonly filter?: string;
  readonly onlyFiltered: boolean;
}

/** Chooses the events that a kernel has, by their `format` files. */
export function planEvents(formats: ReadonlyMap<string, EventFormat>, port: number): PlannedEvent[] {
  return WATCHED_EVENTS.flatMap(({ path, needs, filter, onlyFiltered = false }) => {
    const format = formats.get(path);
    if (format === undefined || !needs.every((name) => format.fields.has(name))) return [];
    return [{ path, ...(filter === undefined ? {} : { filter: filter(port, format.numbers) }), onlyFiltered }];
  });
}
