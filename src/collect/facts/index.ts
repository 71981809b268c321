import type { Collector } from './collector.ts';
import { conntrack } from './conntrack.ts';
import { counters } from './counters.ts';
import { hostCounters } from './host-counters.ts';
import { kernelLog } from './kernel-log.ts';
import { machine } from './machine.ts';
import { nfQueues } from './nf-queues.ts';
import { sockets } from './sockets.ts';
import { sysctls } from './sysctls.ts';

/** Every collector that asks the host itself; each provides one fact. */
export const HOST_COLLECTORS: readonly Collector[] = [
  machine,
  counters,
  hostCounters,
  sysctls,
  sockets,
  conntrack,
  nfQueues,
  kernelLog,
];
