import type { FactName } from './facts.ts';

/** What each fact is, in words that a person reads. */
export const FACT_WORDS: Readonly<Record<FactName, string>> = {
  attempt: 'the attempt itself',
  surroundings: 'other attempts at the same port',
  neighbourActivity: 'ARP and neighbour discovery in the capture',
  machine: 'the machine',
  counters: 'the counters of the network namespace',
  hostCounters: 'the counters of the whole machine',
  links: 'the interfaces',
  addresses: 'the addresses of the interfaces',
  routes: 'the routes',
  rules: 'the routing rules',
  neighbours: 'the neighbours (ARP, neighbour discovery)',
  outgoingRoute: 'the route of the packet that leaves',
  incomingRoute: 'the route of the packet that comes in',
  sockets: 'the sockets',
  sysctls: 'the kernel settings (sysctl)',
  packetFilter: 'the packet filter',
  ruleTrace: 'the trace of the packet through the rules of nftables',
  conntrack: 'connection tracking',
  nfQueues: 'the queues of the packet filter (NFQUEUE)',
  xfrmPolicies: 'the IPsec policies',
  trafficControl: 'traffic control (tc)',
  bpfPrograms: 'the BPF programs',
  kernelTrace: "the kernel's own drop events",
  kernelLog: 'the kernel log',
  networkChanges: 'what changed in the network of late',
  otherNamespaces: 'listeners in other network namespaces',
  peerMetrics: 'what the kernel remembers of the peer (tcp_metrics)',
  resolution: 'how the name resolves',
  proxies: 'proxy settings',
  addressProbes: 'connections to all addresses of the name',
  pathProbe: 'routers on the way',
};

/** Facts that only an attempt of one's own shows. */
const ONLY_CONNECT: ReadonlySet<FactName> = new Set(['resolution', 'proxies', 'addressProbes', 'pathProbe']);

/** Why a fact that nobody asked for is missing, and what would show it. */
export function notLookedAt(name: FactName): { readonly reason: string; readonly hint?: string } {
  return {
    reason: `not looked at: ${FACT_WORDS[name]}`,
    ...(ONLY_CONNECT.has(name) ? { hint: 'on the client, synscope connect looks at it' } : {}),
  };
}
