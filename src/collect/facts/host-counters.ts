import { parsePerCpuCounters, parseSoftnet } from '../../formats/procfs/per-cpu-counters.ts';
import { HostError } from '../../host/host.ts';
import { readFiles } from '../../host/read-files.ts';
import { type Collector, defineCollector } from './collector.ts';
import { type CounterFiles, countersOf, withPrefix } from './counter-growth.ts';

const TABLES = ['arp_cache', 'ndisc_cache', 'rt_cache'] as const;

/**
 * Counters of the whole machine, whatever network namespace moves them. The neighbour tables have their file only in the first
 * namespace, so another one asks for that of process 1 as well.
 */
export const hostCounters: Collector = defineCollector<'hostCounters', CounterFiles>({
  provides: 'hostCounters',
  baseline: true,
  async read(host) {
    const files = await readFiles(host, [
      ...TABLES.flatMap((table) => [`/proc/net/stat/${table}`, `/proc/1/net/stat/${table}`]),
      '/proc/net/softnet_stat',
    ]);
    const counters = new Map<string, ReadonlyMap<string, readonly number[]>>();
    for (const table of TABLES) {
      const text = files.get(`/proc/net/stat/${table}`) ?? files.get(`/proc/1/net/stat/${table}`);
      if (text !== undefined) counters.set(table, withPrefix(table, parsePerCpuCounters(text)));
    }
    const softnet = files.get('/proc/net/softnet_stat');
    if (softnet !== undefined) counters.set('softnet', withPrefix('softnet', parseSoftnet(softnet)));
    if (counters.size === 0) {
      throw new HostError(
        'not-found',
        'the counters of the machine (/proc/net/stat, /proc/net/softnet_stat) cannot be read',
      );
    }
    return counters;
  },
  fact: (reading, before, { intervalMs }) => ({
    value: countersOf(reading, before, intervalMs),
    source: '/proc/net/stat, /proc/net/softnet_stat',
  }),
});
