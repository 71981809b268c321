/** Names of the metrics, as Prometheus sees them: counters end in `_total`. */
export type MetricName =
  | 'synscope_build_info'
  | 'synscope_handshakes_total'
  | 'synscope_failed_handshakes_total'
  | 'synscope_incidents_open'
  | 'synscope_incidents_total'
  | 'synscope_listeners'
  | 'synscope_accept_queue_fill_ratio'
  | 'synscope_syn_queue_requests'
  | 'synscope_listener_drops_total'
  | 'synscope_open_attempts'
  | 'synscope_capture_packets_total'
  | 'synscope_capture_lost_packets_total'
  | 'synscope_not_seen'
  | 'synscope_repairs_total'
  | 'synscope_alerts_total'
  | 'synscope_alerts_queued'
  | 'synscope_history_writable'
  | 'synscope_history_size_bytes'
  | 'synscope_http_requests_total'
  | 'synscope_http_event_streams'
  | 'process_cpu_seconds_total'
  | 'process_resident_memory_bytes'
  | 'process_virtual_memory_bytes'
  | 'process_start_time_seconds'
  | 'process_open_fds'
  | 'process_max_fds';

/** What a metric is and means. */
export interface MetricDefinition {
  readonly name: MetricName;
  readonly type: 'counter' | 'gauge';
  /** What it counts, and what it does not. */
  readonly help: string;
  readonly labels: readonly string[];
}

/** Ports and causes that do not get a label of their own are counted under this one. */
export const OTHER = 'other';

/** The cause of failures for which none stands out. */
export const UNKNOWN_CAUSE = 'unknown';

/** Every metric of `GET /metrics`. Labels are bounded: causes are those of the catalogue, services the first ports that were seen, then {@link OTHER}. */
export const METRICS: readonly MetricDefinition[] = [
  {
    name: 'synscope_build_info',
    type: 'gauge',
    help: 'Always 1; the version of synscope is in the label.',
    labels: ['version'],
  },
  {
    name: 'synscope_handshakes_total',
    type: 'counter',
    help: 'TCP connection attempts that ended, by whose they are (inbound: to a listener of this host; outbound: made by it), by the port of the server, and by how they ended: answered (SYN-ACK and ACK), refused (RST or ICMP error), failed (no answer, or the handshake broke off). A retransmitted SYN is no attempt of its own.',
    labels: ['direction', 'service', 'outcome'],
  },
  {
    name: 'synscope_failed_handshakes_total',
    type: 'counter',
    help: 'Attempts that incidents hold, by the cause that the incident named when they were added ("unknown": none stood out). Failures that are no incident (yet) are not in it; those of kind "noise" are floods and scans.',
    labels: ['direction', 'kind', 'cause'],
  },
  {
    name: 'synscope_incidents_open',
    type: 'gauge',
    help: 'Incidents that are open now: failure (attempts fail), noise (flood or scan), warning (danger, nothing failed yet).',
    labels: ['kind'],
  },
  {
    name: 'synscope_incidents_total',
    type: 'counter',
    help: 'Incidents that were opened since the watch started, by the cause that they named first.',
    labels: ['kind', 'cause'],
  },
  {
    name: 'synscope_listeners',
    type: 'gauge',
    help: 'Listening TCP sockets that are watched, in all watched network namespaces.',
    labels: [],
  },
  {
    name: 'synscope_accept_queue_fill_ratio',
    type: 'gauge',
    help: 'Connections that wait for accept(), as a share of the backlog: 0 is empty, 1 or more is full. Of several listeners on one port, the fullest.',
    labels: ['service'],
  },
  {
    name: 'synscope_syn_queue_requests',
    type: 'gauge',
    help: 'Half-open connections (SYN-RECEIVED) of the listeners on a port, where the kernel tells.',
    labels: ['service'],
  },
  {
    name: 'synscope_listener_drops_total',
    type: 'counter',
    help: 'Packets that listening sockets dropped while watched, as the sockets themselves count: full queues, but also other reasons. One lost connection may count several times.',
    labels: ['service'],
  },
  {
    name: 'synscope_open_attempts',
    type: 'gauge',
    help: 'Attempts that are under way: their handshake is neither complete nor given up.',
    labels: [],
  },
  {
    name: 'synscope_capture_packets_total',
    type: 'counter',
    help: 'Packets that the watch looked at: the few of each connection that belong to its handshake.',
    labels: [],
  },
  {
    name: 'synscope_capture_lost_packets_total',
    type: 'counter',
    help: 'Packets that the kernel could not hand to the watch because it was too slow. They are lost to the watch only, not to the connection.',
    labels: [],
  },
  {
    name: 'synscope_not_seen',
    type: 'gauge',
    help: 'Things that this watch cannot see, for lack of a privilege or of support by the kernel; GET /api/v1/status names them.',
    labels: [],
  },
  {
    name: 'synscope_repairs_total',
    type: 'counter',
    help: 'Repairs by how they ended: suggested (nothing done), verified (it helped), rolled-back (it did not, and was undone), failed, dry-run, held-back (a limit of the policy); by policy or by a person.',
    labels: ['by', 'outcome'],
  },
  {
    name: 'synscope_alerts_total',
    type: 'counter',
    help: 'Alerts by kind of receiver: sent, failed (after the last attempt), dropped (rate limit or full queue).',
    labels: ['kind', 'outcome'],
  },
  {
    name: 'synscope_alerts_queued',
    type: 'gauge',
    help: 'Alerts that wait to be sent, or to be sent again.',
    labels: [],
  },
  {
    name: 'synscope_history_writable',
    type: 'gauge',
    help: '1 while what is seen can be written to disk, or no history is kept; 0 while not, for example on a full disk.',
    labels: [],
  },
  {
    name: 'synscope_history_size_bytes',
    type: 'gauge',
    help: 'Size of the files of the history; absent when none is kept on disk.',
    labels: [],
  },
  {
    name: 'synscope_http_requests_total',
    type: 'counter',
    help: 'Requests to page, API and metrics, by status code.',
    labels: ['code'],
  },
  {
    name: 'synscope_http_event_streams',
    type: 'gauge',
    help: 'Pages and programs that follow the events now.',
    labels: [],
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'User and system CPU time of the watch in seconds, without the processes that it starts.',
    labels: [],
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of the watch in bytes, shared pages of its programs included.',
    labels: [],
  },
  {
    name: 'process_virtual_memory_bytes',
    type: 'gauge',
    help: 'Virtual memory of the watch in bytes; most of it is reserved only.',
    labels: [],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'Start of the process in seconds since 1970.',
    labels: [],
  },
  { name: 'process_open_fds', type: 'gauge', help: 'Open file descriptors.', labels: [] },
  { name: 'process_max_fds', type: 'gauge', help: 'Limit of open file descriptors.', labels: [] },
];
