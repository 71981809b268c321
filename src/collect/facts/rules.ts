import { type IpRule, parseRules } from '../../formats/iproute/rules.ts';
import { HostError } from '../../host/host.ts';
import { type Collector, defineCollector } from './collector.ts';
import { listWith } from './run-tool.ts';

const COMMANDS: readonly (readonly [family: 4 | 6, command: readonly string[]])[] = [
  [4, ['ip', 'rule', 'show']],
  [6, ['ip', '-6', 'rule', 'show']],
];

/** Policy routing rules of both families. */
export const rules: Collector = defineCollector<'rules', readonly IpRule[]>({
  provides: 'rules',
  baseline: false,
  async read(host) {
    const [four, six] = await Promise.allSettled(
      COMMANDS.map(async ([family, command]) => parseRules(await listWith(host, command), family)),
    );
    if (four?.status !== 'fulfilled') throw four?.reason;
    // A kernel without IPv6 has no rules for it.
    if (six?.status === 'rejected' && !(six.reason instanceof HostError)) throw six.reason;
    return [...four.value, ...(six?.status === 'fulfilled' ? six.value : [])];
  },
  fact(reading) {
    return { value: reading, source: 'ip rule show' };
  },
});
