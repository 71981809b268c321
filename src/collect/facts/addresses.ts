import type { IpLinkAddress } from '../../formats/iproute/addr.ts';
import { type Collector, defineCollector } from './collector.ts';
import { ADDR_COMMAND, readInterfaces } from './read-interfaces.ts';

/** Addresses of the interfaces, with their states. */
export const addresses: Collector = defineCollector<'addresses', readonly IpLinkAddress[]>({
  provides: 'addresses',
  baseline: false,
  async read(host, scope) {
    return (await readInterfaces(host, scope)).addresses;
  },
  fact(reading) {
    return { value: reading, source: ADDR_COMMAND.join(' ') };
  },
});
