import { addresses } from './addresses.ts';
import { bpfPrograms } from './bpf-programs.ts';
import type { Collector } from './collector.ts';
import { conntrack } from './conntrack.ts';
import { counters } from './counters.ts';
import { hostCounters } from './host-counters.ts';
import { incomingRoute } from './incoming-route.ts';
import { kernelLog } from './kernel-log.ts';
import { links } from './links.ts';
import { machine } from './machine.ts';
import { neighbours } from './neighbours.ts';
import { networkChanges } from './network-changes.ts';
import { nfQueues } from './nf-queues.ts';
import { otherNamespaces } from './other-namespaces.ts';
import { outgoingRoute } from './outgoing-route.ts';
import { packetFilter } from './packet-filter.ts';
import { peerMetrics } from './peer-metrics.ts';
import { routes } from './routes.ts';
import { rules } from './rules.ts';
import { sockets } from './sockets.ts';
import { sysctls } from './sysctls.ts';
import { trafficControl } from './traffic-control.ts';
import { xfrmPolicies } from './xfrm-policies.ts';

/** Every collector that asks the host itself; each provides one fact. */
export const HOST_COLLECTORS: readonly Collector[] = [
  machine,
  counters,
  hostCounters,
  sysctls,
  sockets,
  links,
  addresses,
  routes,
  rules,
  neighbours,
  outgoingRoute,
  incomingRoute,
  packetFilter,
  conntrack,
  nfQueues,
  peerMetrics,
  kernelLog,
  bpfPrograms,
  networkChanges,
  otherNamespaces,
  trafficControl,
  xfrmPolicies,
];
