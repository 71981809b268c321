import { metricsHaveRtt } from '../../formats/iproute/tcp-metrics.ts';
import { type Collector, defineCollector, hasAttempt } from './collector.ts';
import { isSomebody } from './ends.ts';
import { runTool, toolError } from './run-tool.ts';

/** What the kernel remembers of earlier connections to the client: with a round-trip time it is "proven". */
export const peerMetrics: Collector = defineCollector<
  'peerMetrics',
  { readonly known: boolean; readonly hasRtt: boolean }
>({
  provides: 'peerMetrics',
  baseline: false,
  sides: ['server'],
  async read(host, scope) {
    const peer = hasAttempt(scope) ? scope.attempt.client.address : '';
    if (!isSomebody(peer)) return { known: false, hasRtt: false };
    const argv = ['ip', 'tcp_metrics', 'show', peer];
    const result = await runTool(host, argv);
    if (result.exitCode === 0) return { known: true, hasRtt: metricsHaveRtt(result.stdout) };
    if (/No such process/.test(result.stderr)) return { known: false, hasRtt: false };
    throw toolError(argv, result);
  },
  fact(reading) {
    return { value: reading, source: 'ip tcp_metrics show' };
  },
});
