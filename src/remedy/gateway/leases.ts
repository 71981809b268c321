import type { GatewayEvidence } from '../../model/repair.ts';
import { type Configuration, isOfFamily } from './configuration.ts';
import type { GatewayDevice } from './devices.ts';
import type { GatewaySource } from './source.ts';

const DHCLIENT: readonly string[] = ['/var/lib/dhcp', '/var/lib/dhclient', '/var/lib/NetworkManager'];

/** What DHCP gave: leases of systemd-networkd, NetworkManager and dhclient. Only IPv4 has routers in its leases. */
export const leases: GatewaySource = async ({ configuration, family, devices }) => {
  if (family === 6) return [];
  const found: GatewayEvidence[] = [];
  for (const device of devices) {
    found.push(...(await networkdLease(configuration, device)), ...(await managerLeases(configuration, device)));
  }
  for (const directory of DHCLIENT) {
    for (const { path, text } of await configuration.readAll(directory, /^dhclient.*\.leases?$/)) {
      found.push(...devices.flatMap((device) => dhclientLease(path, text, device)));
    }
  }
  return found;
};

async function networkdLease(configuration: Configuration, device: GatewayDevice): Promise<GatewayEvidence[]> {
  const path = `/run/systemd/netif/leases/${device.index}`;
  const routers = /^ROUTER=(.*)$/m.exec((await configuration.read(path)) ?? '')?.[1];
  return evidence(routers, device, path, 'systemd-networkd');
}

async function managerLeases(configuration: Configuration, device: GatewayDevice): Promise<GatewayEvidence[]> {
  const files = await configuration.readAll('/var/lib/NetworkManager', /^internal-.*\.lease$/);
  return files
    .filter(({ path }) => path.endsWith(`-${device.name}.lease`))
    .flatMap(({ path, text }) => evidence(/^ROUTER=(.*)$/m.exec(text)?.[1], device, path, 'NetworkManager'));
}

/** The last lease of an interface in a file of dhclient.leases(5): later ones follow earlier ones. */
function dhclientLease(path: string, text: string, device: GatewayDevice): GatewayEvidence[] {
  const blocks = text.split(/^lease \{/m).slice(1);
  const last = blocks.findLast((block) =>
    new RegExp(`^\\s*interface "${device.name.replace(/[^\w-]/g, '\\$&')}";`, 'm').test(block),
  );
  return evidence(/^\s*option routers ([^;]+);/m.exec(last ?? '')?.[1], device, path, 'dhclient');
}

function evidence(
  routers: string | undefined,
  { name }: GatewayDevice,
  source: string,
  client: string,
): GatewayEvidence[] {
  const [gateway = ''] = (routers ?? '').split(/[\s,]+/).filter((word) => word !== '');
  if (!isOfFamily(gateway, 4)) return [];
  return [
    {
      gateway,
      device: name,
      strength: 'known',
      statement: `the DHCP lease of ${name} names it (${client}, ${source})`,
      source,
    },
  ];
}
