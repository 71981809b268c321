import { type IpLink, type IpLinkAddress, parseAddr } from '../../formats/iproute/addr.ts';
import { parseTableNames, TABLE_NAME_FILES } from '../../formats/iproute/table-names.ts';
import type { Host } from '../../host/host.ts';
import { readFileIfAny } from '../../host/read-files.ts';
import type { AttemptScope, BaselineScope } from './collector.ts';
import { listWith, unreadable } from './run-tool.ts';
import { shareReading } from './share-reading.ts';

/** Interfaces and addresses are one question: the details of links stand in `ip addr` too. */
export const ADDR_COMMAND: readonly string[] = ['ip', '-j', '-d', '-s', '-s', 'addr', 'show'];

/** What {@link ADDR_COMMAND} says. */
export interface Interfaces {
  readonly links: readonly IpLink[];
  readonly addresses: readonly IpLinkAddress[];
}

/** Reads interfaces and addresses, once in a round. @throws HostError */
export function readInterfaces(host: Host, scope: BaselineScope | AttemptScope): Promise<Interfaces> {
  return shareReading(host, scope, 'interfaces', async () => {
    const parsed = parseAddr(await listWith(host, ADDR_COMMAND));
    if (parsed === undefined) throw unreadable(ADDR_COMMAND);
    if (parsed.links.every(({ vrfTable }) => vrfTable === undefined)) return parsed;
    // Routes name tables by /etc/iproute2/rt_tables; VRFs always print the number.
    const files = await Promise.all(TABLE_NAME_FILES.map((path) => readFileIfAny(host, path)));
    const names = parseTableNames(files.map((file) => file ?? '').join('\n'));
    const named = (link: IpLink): IpLink =>
      link.vrfTable === undefined ? link : { ...link, vrfTable: names.get(link.vrfTable) ?? link.vrfTable };
    return { ...parsed, links: parsed.links.map(named) };
  });
}
