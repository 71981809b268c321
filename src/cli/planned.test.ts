import { describe, expect, it } from 'vitest';
import { plannedMessage } from './planned.ts';

function said(...argv: string[]): string {
  return plannedMessage(argv, '0.1.0')!;
}

describe('a command of a later version', () => {
  it('is told from a command that there will never be', () => {
    for (const name of ['listne', 'read', '', 'constructor', '--help'])
      expect(plannedMessage([name], '0.1.0')).toBe(undefined);
  });

  it('says what to do until then', () => {
    expect(said('listen', '443', '--from', '2001:db8::1').split('\n')).toEqual([
      '"listen" is not part of version 0.1.0 yet. Until then, on the server:',
      "  ss -plnt 'sport = :443'",
      '  nstat -az TcpExtListenDrops TcpExtListenOverflows TcpExtTCPReqQFullDrop Ip6OutNoRoutes',
      '  ip route get 2001:db8::1 from SERVER',
    ]);
  });

  it.each([
    ['listen', [], "ss -plnt 'sport = :PORT'"],
    ['listen', ['10.0.0.2:80'], "ss -plnt 'sport = :80'"],
    ['listen', ['--from', '10.0.0.9'], 'ip route get 10.0.0.9 from SERVER'],
    ['prove', ['443', '--from', '$(reboot)'], 'ip route get CLIENT from SERVER'],
    ['connect', ['api.example.com:8443'], 'nc -vz api.example.com 8443'],
    ['connect', ['[2001:db8::1]:443'], 'nc -vz 2001:db8::1 443'],
    ['connect', ['https://api.example.com/v1?a=b'], 'nc -vz api.example.com 443'],
    ['connect', ['http://api.example.com'], 'nc -vz api.example.com 80'],
    ['connect', ['a;reboot:80'], 'nc -vz HOST PORT'],
    ['connect', ['-oProxyCommand:22'], 'nc -vz HOST 22'],
    ['trace', ['web7:443'], "sudo tcpdump -i any -s 160 -w FILE.pcap 'tcp port 443 or icmp or icmp6'"],
    ['fleet', ['web7'], "ssh web7 tcpdump -U -s 160 -w - 'tcp or icmp or icmp6' | synscope read -"],
  ])('%s %j names %s', (name, args, command) => {
    expect(said(name, ...args).split('\n  ')).toContain(command);
  });

  it.each([
    'connect',
    'listen',
    'trace',
    'prove',
    'fix',
    'watch',
    'fleet',
    'record',
    'lab',
    'causes',
  ])('%s is one', (name) => {
    expect(said(name)).toContain(`"${name}" is not part of version 0.1.0 yet.`);
  });
});
