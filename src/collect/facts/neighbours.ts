import { type IpNeighbour, parseNeighbours } from '../../formats/iproute/neighbours.ts';
import { type Collector, defineCollector } from './collector.ts';
import { listWith, unreadable } from './run-tool.ts';

const COMMAND: readonly string[] = ['ip', '-j', 'neigh', 'show'];

/** The neighbour cache of both families. */
export const neighbours: Collector = defineCollector<'neighbours', readonly IpNeighbour[]>({
  provides: 'neighbours',
  baseline: false,
  async read(host) {
    const parsed = parseNeighbours(await listWith(host, COMMAND));
    if (parsed === undefined) throw unreadable(COMMAND);
    return parsed;
  },
  fact(reading) {
    return { value: reading, source: COMMAND.join(' ') };
  },
});
