import { parseNfQueues } from '../../formats/procfs/nf-queues.ts';
import { HostError } from '../../host/host.ts';
import type { NfQueue } from '../../model/facts/packet-filter.ts';
import { type Collector, defineCollector } from './collector.ts';

const PATH = '/proc/net/netfilter/nfnetlink_queue';

/** Queues of NFQUEUE that a program has bound; none when the kernel has no such queues at all. */
export const nfQueues: Collector = defineCollector<'nfQueues', readonly NfQueue[]>({
  provides: 'nfQueues',
  baseline: false,
  async read(host) {
    try {
      return parseNfQueues(await host.readFile(PATH));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (error.code === 'not-found') return [];
      throw error.code === 'no-permission'
        ? new HostError('no-permission', `queues of NFQUEUE (${PATH}) may only be read by root`, {
            hint: 'run as root',
          })
        : error;
    }
  },
  fact: (value) => ({ value, source: PATH }),
});
