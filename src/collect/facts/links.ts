import type { IpLink, IpLinkCounters } from '../../formats/iproute/addr.ts';
import { type Collector, defineCollector } from './collector.ts';
import { ADDR_COMMAND, readInterfaces } from './read-interfaces.ts';

/** Interfaces with their counters, and how these grew. */
export const links: Collector = defineCollector<'links', readonly IpLink[]>({
  provides: 'links',
  baseline: true,
  async read(host, scope) {
    return (await readInterfaces(host, scope)).links;
  },
  fact(reading, before) {
    const value = reading.map((link) => {
      const earlier = before?.find(({ index, name }) => index === link.index && name === link.name);
      return { ...link, growth: earlier === undefined ? {} : growth(earlier.counters, link.counters) };
    });
    return { value, source: ADDR_COMMAND.join(' ') };
  },
});

/** Counters that `ip` leaves out as long as they are 0. */
const LEFT_OUT: readonly string[] = ['rxNoHandler', 'rxOtherhostDropped'] satisfies (keyof IpLinkCounters)[];

/** A counter that fell belongs to another interface of the same name: nothing is known of its growth. */
function growth(before: IpLinkCounters, now: IpLinkCounters): IpLinkCounters {
  return Object.fromEntries(
    Object.entries(now).flatMap(([name, value]: [string, number]) => {
      const earlier = before[name as keyof IpLinkCounters] ?? (LEFT_OUT.includes(name) ? 0 : undefined);
      return earlier === undefined || value < earlier ? [] : [[name, value - earlier]];
    }),
  );
}
