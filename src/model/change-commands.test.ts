import { expect, it } from 'vitest';
import type { Change } from './cause.ts';
import { changeCommands } from './change-commands.ts';

it.each([
  [{ kind: 'sysctl', key: 'net.ipv4.tcp_syncookies', value: '1' }, ['sysctl -w net.ipv4.tcp_syncookies=1']],
  [
    { kind: 'route', action: 'add', family: 6, destination: 'default', via: 'fe80::1', device: 'eth0' },
    ['ip -6 route add default via fe80::1 dev eth0'],
  ],
  [
    {
      kind: 'route',
      action: 'delete',
      family: 4,
      type: 'prohibit',
      destination: '192.0.2.0/24',
      table: '100',
      metric: 5,
    },
    ['ip route del prohibit 192.0.2.0/24 table 100 metric 5'],
  ],
  [{ kind: 'rule', action: 'delete', family: 4, priority: 50, selector: [] }, ['ip rule del pref 50']],
  [
    { kind: 'address', action: 'renew', address: '2001:db8::7', prefixLength: 64, device: 'eth0' },
    ['ip -6 addr del 2001:db8::7/64 dev eth0', 'ip -6 addr add 2001:db8::7/64 dev eth0'],
  ],
  [
    { kind: 'nft-rule', action: 'delete', family: 'inet', table: 'filter', chain: 'input', handle: 5 },
    ['nft delete rule inet filter input handle 5'],
  ],
  [
    {
      kind: 'nft-rule',
      action: 'insert',
      family: 'inet',
      table: 'filter',
      chain: 'input',
      handle: 5,
      rule: ['tcp', 'dport', '443', 'accept'],
    },
    ['nft insert rule inet filter input position 5 tcp dport 443 accept'],
  ],
  [
    {
      kind: 'iptables-rule',
      action: 'insert',
      tool: 'iptables',
      table: 'filter',
      chain: 'INPUT',
      number: 3,
      rule: ['-p', 'tcp', '-j', 'ACCEPT'],
    },
    ['iptables -t filter -I INPUT 3 -p tcp -j ACCEPT'],
  ],
  [
    { kind: 'iptables-rule', action: 'delete', tool: 'ip6tables', table: 'filter', chain: 'INPUT', number: 3 },
    ['ip6tables -t filter -D INPUT 3'],
  ],
  [{ kind: 'neighbour', action: 'delete', address: '192.0.2.1', device: 'eth0' }, ['ip neigh del 192.0.2.1 dev eth0']],
  [{ kind: 'link', device: 'eth0', setting: ['up'] }, ['ip link set dev eth0 up']],
  [
    { kind: 'address', action: 'add', address: '2001:db8::1', prefixLength: 64, device: 'eth0' },
    ['ip -6 addr add 2001:db8::1/64 dev eth0'],
  ],
  [{ kind: 'service', unit: 'nginx.service', action: 'restart' }, ['systemctl restart nginx.service']],
  [{ kind: 'advice', text: 'Ask the owner.' }, []],
] as const satisfies readonly (readonly [Change, readonly string[]])[])('%j', (change, commands) => {
  expect(changeCommands(change).map((words) => words.join(' '))).toEqual(commands);
});
