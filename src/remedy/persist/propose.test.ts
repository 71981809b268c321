import { expect, it } from 'vitest';
import { ScriptedHost } from '../../host/testing/scripted-host.ts';
import type { PersistentChange, RepairStep } from '../../model/repair.ts';
import { proposePersistent } from './propose.ts';

const LINKS = JSON.stringify([
  { ifname: 'eth0', ifindex: 2, address: '02:00:00:00:00:01', flags: ['UP'], addr_info: [] },
]);

type RouteChange = Extract<RepairStep['change'], { kind: 'route' }>;

const DEFAULT_V4: RouteChange = {
  kind: 'route',
  action: 'add',
  family: 4,
  destination: 'default',
  via: '192.0.2.1',
  device: 'eth0',
  metric: 100,
};
const DEFAULT_V6: RouteChange = {
  kind: 'route',
  action: 'add',
  family: 6,
  destination: 'default',
  via: 'fe80::1',
  device: 'eth0',
};

/** What would be written on a host with these files. */
async function proposed(
  files: Readonly<Record<string, string>>,
  change: RouteChange,
): Promise<PersistentChange | undefined> {
  const directories: Record<string, string[]> = {};
  for (const path of Object.keys(files)) {
    const at = path.lastIndexOf('/');
    directories[path.slice(0, at)] = [...(directories[path.slice(0, at)] ?? []), path.slice(at + 1)].sort();
  }
  const host = new ScriptedHost({ files, directories, commands: { 'ip -j addr show': LINKS } });
  const step: RepairStep = { change, text: 'add it', do: ['true'], undo: [], before: '', dangers: [] };
  return (await proposePersistent(host, 'no-return-route', [step], undefined)).change;
}

it('netplan gets a file of its own, which keeps what an earlier repair wrote', async () => {
  const files = { '/etc/netplan/50-cloud-init.yaml': 'network: {ethernets: {uplink: {set-name: eth0, dhcp4: true}}}' };
  const first = await proposed(files, DEFAULT_V4);
  expect(first).toMatchObject({ system: 'netplan', path: '/etc/netplan/90-synscope-eth0.yaml' });
  expect(first?.content).toBe(
    '# Written by synscope.\nnetwork:\n  version: 2\n  ethernets:\n    uplink:\n      routes:\n        - to: 0.0.0.0/0\n          via: 192.0.2.1\n          metric: 100\n',
  );
  const written = { ...files, [first?.path ?? '']: first?.content ?? '' };
  const second = await proposed(written, DEFAULT_V6);
  expect(second?.current).toBe(first?.content);
  expect(second?.content).toContain('via: 192.0.2.1');
  expect(second?.content).toContain('- to: ::/0\n          via: fe80::1\n');
  const changed = await proposed(written, { ...DEFAULT_V4, via: '192.0.2.9' });
  expect(changed?.content).not.toContain('192.0.2.1\n');
});

it('systemd-networkd gets a drop-in of the file that is about the interface', async () => {
  const files = { '/etc/systemd/network/20-wired.network': '[Match]\nName=eth*\n\n[Network]\nAddress=192.0.2.2/24\n' };
  const first = await proposed(files, DEFAULT_V4);
  expect(first).toMatchObject({
    system: 'systemd-networkd',
    path: '/etc/systemd/network/20-wired.network.d/90-synscope.conf',
    content: '# Written by synscope.\n[Route]\nGateway=192.0.2.1\nMetric=100\n',
  });
  const written = { ...files, [first?.path ?? '']: first?.content ?? '' };
  expect((await proposed(written, DEFAULT_V6))?.content).toBe(`${first?.content}[Route]\nGateway=fe80::1\n`);
  expect((await proposed(written, DEFAULT_V4))?.content).toBe(first?.content);
});

it('NetworkManager gets a line in the profile of the interface', async () => {
  const path = '/etc/NetworkManager/system-connections/wired.nmconnection';
  const text =
    '[connection]\ntype=ethernet\ninterface-name=eth0\n\n[ipv4]\nmethod=manual\nroute1=198.51.100.0/24,192.0.2.9\n';
  expect(await proposed({ [path]: text }, DEFAULT_V4)).toMatchObject({
    system: 'NetworkManager',
    path,
    current: text,
    content: text.replace('[ipv4]\n', '[ipv4]\nroute2=0.0.0.0/0,192.0.2.1,100\n'),
  });
  expect((await proposed({ [path]: text }, DEFAULT_V6))?.content).toBe(`${text}\n[ipv6]\nroute1=::/0,fe80::1\n`);
});

it('ifupdown gets a line in the stanza of the interface and the family', async () => {
  const path = '/etc/network/interfaces';
  const text = 'auto eth0\niface eth0 inet dhcp\niface eth0 inet6 static\n    address 2001:db8::2/64\n';
  expect(await proposed({ [path]: text }, DEFAULT_V6)).toMatchObject({
    system: 'ifupdown',
    path,
    content: text.replace('static\n', 'static\n    gateway fe80::1\n'),
  });
  expect((await proposed({ [path]: text }, DEFAULT_V4))?.added).toEqual([
    '    up ip route add default via 192.0.2.1 dev eth0 metric 100',
  ]);
});
