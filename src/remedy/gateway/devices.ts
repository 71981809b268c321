import type { Host } from '../../host/host.ts';
import { prefixContains } from '../../model/prefix.ts';
import { mustRun } from '../kinds/kind.ts';

/** An interface that could lead to a gateway. */
export interface GatewayDevice {
  readonly name: string;
  readonly index: number;
  readonly linkAddress: string;
  readonly isUp: boolean;
  /** On-link prefixes of its addresses. */
  readonly prefixes: readonly { readonly address: string; readonly length: number; readonly family: 4 | 6 }[];
}

/** The interfaces of a host with their addresses. @throws HostError */
export async function readDevices(host: Host): Promise<GatewayDevice[]> {
  const links = JSON.parse(await mustRun(host, ['ip', '-j', 'addr', 'show'])) as readonly Record<string, unknown>[];
  return links.flatMap((link) => {
    const { ifname, ifindex, address, flags, addr_info: infos } = link;
    if (typeof ifname !== 'string' || typeof ifindex !== 'number' || ifname === 'lo') return [];
    const prefixes = (Array.isArray(infos) ? infos : []).flatMap((info: Record<string, unknown>) =>
      typeof info.local === 'string' && typeof info.prefixlen === 'number'
        ? [
            {
              address: info.local,
              length: info.prefixlen,
              family: info.family === 'inet6' ? (6 as const) : (4 as const),
            },
          ]
        : [],
    );
    return [
      {
        name: ifname,
        index: ifindex,
        linkAddress: typeof address === 'string' ? address : '',
        isUp: Array.isArray(flags) && flags.includes('UP'),
        prefixes,
      },
    ];
  });
}

/** Whether an address is on the link of a device: in a prefix of its addresses, or link-local. */
export function isOnLink(device: GatewayDevice, address: string): boolean {
  if (/^fe[89ab]/i.test(address)) return true;
  return device.prefixes.some((prefix) => prefixContains(`${prefix.address}/${prefix.length}`, address));
}
