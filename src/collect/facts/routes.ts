import { type IpRoute, parseRoutes } from '../../formats/iproute/routes.ts';
import { type Collector, defineCollector } from './collector.ts';
import { listWith, unreadable } from './run-tool.ts';

/** Both families in one question. */
const COMMAND: readonly string[] = ['ip', '-j', 'route', 'show', 'table', 'all'];

/** Every entry of every routing table. */
export const routes: Collector = defineCollector<'routes', readonly IpRoute[]>({
  provides: 'routes',
  baseline: false,
  async read(host) {
    const parsed = parseRoutes(await listWith(host, COMMAND));
    if (parsed === undefined) throw unreadable(COMMAND);
    return parsed;
  },
  fact(reading) {
    return { value: reading, source: COMMAND.join(' ') };
  },
});
