import { parsePerCpuCounters } from '../../formats/procfs/per-cpu-counters.ts';
import {
  type CounterTable,
  parseNamedCounters,
  parseProtocolCounters,
} from '../../formats/procfs/protocol-counters.ts';
import { HostError } from '../../host/host.ts';
import { readFiles } from '../../host/read-files.ts';
import { type Collector, defineCollector } from './collector.ts';
import { type CounterFiles, type CounterValues, countersOf, withPrefix } from './counter-growth.ts';

const PARSERS: ReadonlyMap<string, (text: string) => CounterValues> = new Map([
  ['/proc/net/netstat', (text: string) => single(parseProtocolCounters(text))],
  ['/proc/net/snmp', (text: string) => single(parseProtocolCounters(text))],
  ['/proc/net/snmp6', (text: string) => single(parseNamedCounters(text))],
  ['/proc/net/xfrm_stat', (text: string) => single(parseNamedCounters(text))],
  ['/proc/net/stat/nf_conntrack', (text: string) => withPrefix('nf_conntrack', parsePerCpuCounters(text))],
  ['/proc/net/stat/synproxy', (text: string) => withPrefix('synproxy', parsePerCpuCounters(text))],
]);

function single(counters: CounterTable): CounterValues {
  return new Map([...counters].map(([name, value]) => [name, [value]]));
}

/** Counters of the network namespace. Files of modules that are not loaded are absent. */
export const counters: Collector = defineCollector<'counters', CounterFiles>({
  provides: 'counters',
  baseline: true,
  async read(host) {
    const files = await readFiles(host, [...PARSERS.keys()]);
    if (!files.has('/proc/net/netstat') && !files.has('/proc/net/snmp')) {
      throw new HostError('not-found', 'the counters of the kernel (/proc/net/netstat, /proc/net/snmp) cannot be read');
    }
    return new Map([...files].map(([path, text]) => [path, PARSERS.get(path)?.(text) ?? new Map()]));
  },
  fact: (reading, before, { intervalMs }) => ({ value: countersOf(reading, before, intervalMs), source: '/proc/net' }),
});
