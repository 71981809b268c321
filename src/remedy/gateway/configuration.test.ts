import { describe, expect, it } from 'vitest';
import { type Script, ScriptedHost } from '../../host/testing/scripted-host.ts';
import type { GatewayEvidence } from '../../model/repair.ts';
import { Configuration } from './configuration.ts';
import { configuredAddresses } from './configured-addresses.ts';
import type { GatewayDevice } from './devices.ts';
import { configuredGateways } from './find-gateway.ts';
import { leases } from './leases.ts';

const DEVICE: GatewayDevice = { name: 'eth0', index: 2, linkAddress: '02:00:00:00:00:01', isUp: true, prefixes: [] };

/** A host that has these files, in their directories. */
function hostWith(files: Readonly<Record<string, string>>): ScriptedHost {
  const directories: Record<string, string[]> = {};
  for (const path of Object.keys(files)) {
    const at = path.lastIndexOf('/');
    const directory = path.slice(0, at);
    directories[directory] = [...(directories[directory] ?? []), path.slice(at + 1)].sort();
  }
  return new ScriptedHost({ files, directories } satisfies Script);
}

async function gateways(files: Readonly<Record<string, string>>, family: 4 | 6): Promise<readonly GatewayEvidence[]> {
  const host = hostWith(files);
  return configuredGateways({ host, configuration: new Configuration(host), family, devices: [DEVICE] });
}

async function addresses(files: Readonly<Record<string, string>>, family: 4 | 6): Promise<string[]> {
  const found = await configuredAddresses(new Configuration(hostWith(files)), DEVICE, family);
  return found.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
}

describe('netplan', () => {
  const file = `
network:
  version: 2
  ethernets:
    uplink:
      match: { macaddress: "02:00:00:00:00:01" }
      set-name: eth0
      addresses: [192.0.2.2/24, {"2001:db8::2/64": {lifetime: 0}}]
      routes:
        - { to: default, via: 192.0.2.1, metric: 100 }
        - { to: "::/0", via: "fe80::1" }
        - { to: 198.51.100.0/24, via: 192.0.2.9 }
        - { to: default, via: 192.0.2.8, table: 7 }
    eth1: { gateway4: 203.0.113.1 }
`;
  it('names gateways, metrics and addresses of the interface, and of no other', async () => {
    const files = { '/etc/netplan/50-cloud-init.yaml': file };
    expect(await gateways(files, 4)).toEqual([
      {
        gateway: '192.0.2.1',
        metric: 100,
        device: 'eth0',
        strength: 'known',
        statement: '/etc/netplan/50-cloud-init.yaml gives eth0 this default gateway (netplan)',
        source: '/etc/netplan/50-cloud-init.yaml',
      },
    ]);
    expect(await gateways(files, 6)).toMatchObject([{ gateway: 'fe80::1' }]);
    expect(await addresses(files, 4)).toEqual(['192.0.2.2/24']);
    expect(await addresses(files, 6)).toEqual(['2001:db8::2/64']);
  });

  it('may be anything', async () => {
    for (const text of [
      '',
      '- a',
      '{',
      'network: 5',
      'network: {ethernets: {eth0: {routes: 7, addresses: x}}}',
      'network: {ethernets: {eth0: {routes: [{to: default, via: "1; reboot"}]}}}',
    ]) {
      expect(await gateways({ '/etc/netplan/a.yaml': text }, 4)).toEqual([]);
    }
  });
});

describe('systemd-networkd', () => {
  const main =
    '[Match]\nName=en* eth?\n\n[Network]\nAddress=192.0.2.2/24\nGateway=192.0.2.1\nGateway=_dhcp4\n\n[Route]\nGateway=2001:db8::1\nMetric=512\n\n[Route]\nDestination=198.51.100.0/24\nGateway=192.0.2.9\n';
  it('is the first file that fits, with its drop-ins', async () => {
    const files = {
      '/etc/systemd/network/10-other.network': '[Match]\nName=wl*\n[Network]\nGateway=203.0.113.1\n',
      '/etc/systemd/network/20-wired.network': main,
      '/usr/lib/systemd/network/20-wired.network': '[Match]\nName=eth0\n[Network]\nGateway=203.0.113.2\n',
      '/etc/systemd/network/30-later.network': '[Match]\nName=eth0\n[Network]\nGateway=203.0.113.3\n',
      '/etc/systemd/network/20-wired.network.d/more.conf': '[Address]\nAddress=2001:db8::2/64\n',
    };
    expect(await gateways(files, 4)).toMatchObject([
      { gateway: '192.0.2.1', source: '/etc/systemd/network/20-wired.network' },
    ]);
    expect(await gateways(files, 6)).toMatchObject([{ gateway: '2001:db8::1', metric: 512 }]);
    expect(await addresses(files, 6)).toEqual(['2001:db8::2/64']);
  });
});

describe('NetworkManager', () => {
  const profile =
    '[connection]\nid=Wired\ninterface-name=eth0\n\n[ipv4]\nmethod=manual\naddress1=192.0.2.2/24,192.0.2.1\nroute-metric=100\n\n[ipv6]\nmethod=manual\naddress1=2001:db8::2/64\ngateway=fe80::1\nroute1=2001:db8:9::/48,fe80::9\n';
  it('names them in its profiles', async () => {
    const files = { '/etc/NetworkManager/system-connections/Wired.nmconnection': profile };
    expect(await gateways(files, 4)).toMatchObject([{ gateway: '192.0.2.1', metric: 100 }]);
    expect(await gateways(files, 6)).toMatchObject([{ gateway: 'fe80::1' }]);
    expect(await addresses(files, 6)).toEqual(['2001:db8::2/64']);
    const script = {
      '/etc/sysconfig/network-scripts/ifcfg-eth0': 'DEVICE=eth0\nGATEWAY="192.0.2.1"\nIPV6_DEFAULTGW=fe80::1%eth0\n',
    };
    expect(await gateways(script, 4)).toMatchObject([{ gateway: '192.0.2.1' }]);
    expect(await gateways(script, 6)).toMatchObject([{ gateway: 'fe80::1' }]);
  });
});

describe('ifupdown', () => {
  it('names them in stanzas, also of files that are taken in', async () => {
    const files = {
      '/etc/network/interfaces':
        '# main\nauto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\niface eth1 inet static\n  gateway 203.0.113.1\n',
      '/etc/network/interfaces.d/eth0':
        'auto eth0\niface eth0 inet static\n    address 192.0.2.2\n    netmask 255.255.255.0\n    gateway 192.0.2.1\n    metric 7\niface eth0 inet6 static\n    address 2001:db8::2/64\n    up ip -6 route add default via fe80::1 dev eth0 metric 9\n',
    };
    expect(await gateways(files, 4)).toMatchObject([
      { gateway: '192.0.2.1', metric: 7, source: '/etc/network/interfaces.d/eth0' },
    ]);
    expect(await gateways(files, 6)).toMatchObject([{ gateway: 'fe80::1', metric: 9 }]);
    expect(await addresses(files, 4)).toEqual(['192.0.2.2/24']);
  });
});

describe('leases of DHCP', () => {
  it.each([
    ['systemd-networkd', '/run/systemd/netif/leases/2', 'ADDRESS=192.0.2.2\nROUTER=192.0.2.1 192.0.2.7\n'],
    ['NetworkManager', '/var/lib/NetworkManager/internal-5a1-eth0.lease', 'ADDRESS=192.0.2.2\nROUTER=192.0.2.1\n'],
    [
      'dhclient',
      '/var/lib/dhcp/dhclient.eth0.leases',
      'lease {\n  interface "eth0";\n  option routers 192.0.2.9;\n}\nlease {\n  interface "eth0";\n  option routers 192.0.2.1;\n}\nlease {\n  interface "eth1";\n  option routers 203.0.113.1;\n}\n',
    ],
  ])('of %s', async (client, path, text) => {
    const host = hostWith({ [path]: text });
    const question = { host, configuration: new Configuration(host), devices: [DEVICE] };
    const found = await leases({ ...question, family: 4 });
    expect(found).toMatchObject([{ gateway: '192.0.2.1', device: 'eth0', strength: 'known' }]);
    expect(found[0]?.statement).toContain(client);
    expect(await leases({ ...question, family: 6 })).toEqual([]);
  });
});

it('the configuration of the machine is not that of a namespace', async () => {
  class Namespace extends ScriptedHost {
    override readonly spec: string = 'netns:web';
  }
  const yaml = 'network: {ethernets: {eth0: {gateway4: 192.0.2.1}}}';
  const files = { '/etc/netplan/a.yaml': yaml, '/etc/netns/web/netplan/b.yaml': yaml.replace('.1', '.9') };
  const directories = { '/etc/netplan': ['a.yaml'], '/etc/netns/web/netplan': ['b.yaml'] };
  const host = new Namespace({ files, directories });
  const found = await configuredGateways({
    host,
    configuration: new Configuration(host),
    family: 4,
    devices: [DEVICE],
  });
  expect(found.map(({ gateway }) => gateway)).toEqual(['192.0.2.9']);
});

describe('where a file of the configuration lies', () => {
  const place = (spec: string): string | undefined => {
    const host = new (class extends ScriptedHost {
      override readonly spec: string = spec;
    })({});
    return new Configuration(host).pathOf('/etc/network/interfaces');
  };

  it.each([
    ['local', '/etc/network/interfaces'],
    ['ssh:root@web7', '/etc/network/interfaces'],
    ['netns:web', '/etc/netns/web/network/interfaces'],
    ['netns:/run/netns/web', undefined],
    ['netns:pid:4711', undefined],
    ['pid:4711', undefined],
    ['docker:web', undefined],
    ['pod:prod/web-0@ssh:root@node7', undefined],
  ])('%s', (spec, expected) => {
    expect(place(spec)).toBe(expected);
  });
});
