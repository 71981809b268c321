import { describe, expect, test } from 'vitest';
import { bits } from '../netfilter/bits.ts';
import type { FilterPacket } from '../netfilter/packet.ts';
import { fate, SYN, SYN_V6, walk } from '../netfilter/testing/packet.ts';
import { parseIpsetSave } from './ipset.ts';
import { parseIptablesSave } from './save-file.ts';
import { iptablesTables } from './tables.ts';

const OUT: FilterPacket = {
  ...SYN,
  origin: 'local',
  inDevice: [''],
  outDevice: ['eth0'],
  uid: bits(33),
};

function filter(lines: string, ipsets?: string) {
  const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:own - [0:0]\n${lines}\nCOMMIT\n`;
  return iptablesTables(parseIptablesSave(text), {
    tool: 'iptables',
    family: 4,
    ...(ipsets === undefined ? {} : { ipsets: { now: parseIpsetSave(ipsets) } }),
  });
}

describe('matches of what comes in', () => {
  test.each([
    ['-p tcp', 'drop'],
    ['-p udp', 'pass'],
    ['! -p udp', 'drop'],
    ['-s 198.51.100.0/24', 'drop'],
    ['-s 198.51.100.0/255.255.255.0', 'drop'],
    ['! -s 198.51.100.20/32', 'pass'],
    ['-d 192.0.2.1/32', 'drop'],
    ['-i eth+', 'drop'],
    ['-i eth', 'pass'],
    ['! -i lo', 'drop'],
    ['-f', 'pass'],
    ['-p tcp -m tcp --dport 443', 'drop'],
    ['-p tcp -m tcp --dport 400:500', 'drop'],
    ['-p tcp -m tcp --dport 444:', 'pass'],
    ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN', 'drop'],
    ['-p tcp -m tcp --tcp-flags ALL NONE', 'pass'],
    ['-p tcp -m tcp --tcp-option 8', 'drop'],
    ['-p tcp -m tcp --tcp-option 5', 'drop?'],
    ['-p udp -m udp --dport 443', 'pass'],
    ['-p tcp -m multiport --dports 22,440:450', 'drop'],
    ['-p tcp -m multiport ! --dports 22,443', 'pass'],
    ['-p tcp -m multiport --ports 50204', 'drop'],
    ['-m conntrack --ctstate NEW', 'drop'],
    ['-m conntrack --ctstate RELATED,ESTABLISHED', 'pass'],
    ['-m conntrack ! --ctstate INVALID', 'drop'],
    ['-m conntrack --ctstate DNAT', 'pass'],
    ['-m conntrack --ctstate NEW --ctdir REPLY', 'pass'],
    ['-m conntrack --ctorigdstport 443 --ctproto 6', 'drop'],
    ['-m state --state NEW,ESTABLISHED', 'drop'],
    ['-m mark --mark 0x1/0x1', 'pass'],
    ['-m mark ! --mark 0x1/0x1', 'drop'],
    ['-m mark --mark 0x2/0x1', 'pass'],
    ['-m connmark --mark 0x0', 'drop'],
    ['-m addrtype --dst-type LOCAL', 'drop'],
    ['-m addrtype ! --src-type UNICAST', 'pass'],
    ['-m iprange --src-range 198.51.100.1-198.51.100.30', 'drop'],
    ['-m ttl --ttl-lt 60', 'pass'],
    ['-m ttl --ttl-gt 59', 'drop'],
    ['-p tcp -m tcpmss --mss 1400:1500', 'drop'],
    ['-m pkttype --pkt-type broadcast', 'pass'],
    ['-m rpfilter --invert', 'pass'],
    ['-m rpfilter', 'drop'],
    ['-m owner --uid-owner 0', 'pass'],
    ['-m comment --comment "some words"', 'drop'],
    ['-m limit --limit 5/sec', 'drop?'],
    ['-m recent --set --name x', 'drop'],
    ['-m recent --update --seconds 60 --hitcount 4 --name x', 'drop?'],
    ['-m connlimit --connlimit-above 5', 'drop?'],
    ['-m something --new thing', 'drop?'],
    ['-p tcp -m tcp --new-option', 'drop?'],
    ['-p udp -m something --new thing', 'pass'],
  ])('%s: %s', (rule, expected) => {
    expect(fate(filter(`-A INPUT ${rule} -j DROP`))).toBe(expected);
  });
});

test('a connection mark is not matched without a connection, negated or not', () => {
  const untracked = '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j CT --notrack\nCOMMIT\n';
  const rule = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m connmark ! --mark 0x1 -j DROP\nCOMMIT\n';
  const of = (text: string): string => fate(iptablesTables(parseIptablesSave(text), { tool: 'iptables', family: 4 }));
  expect([of(rule), of(untracked + rule)]).toEqual(['drop', 'pass']);
});

describe('matches of what goes out', () => {
  test.each([
    ['-o eth0', 'drop'],
    ['-m owner --uid-owner 33', 'drop'],
    ['-m owner ! --uid-owner 30-40', 'pass'],
    ['-m owner --socket-exists', 'drop'],
    ['-m owner --gid-owner 5', 'drop?'],
  ])('%s: %s', (rule, expected) => {
    expect(fate(filter(`-A OUTPUT ${rule} -j DROP`), OUT)).toBe(expected);
  });
});

describe('targets', () => {
  test.each([
    ['-j REJECT --reject-with icmp-host-prohibited', { kind: 'reject', with: 'host-prohibited' }],
    ['-j REJECT --reject-with icmp6-adm-prohibited', { kind: 'reject', with: 'admin-prohibited' }],
    ['-j REJECT --reject-with tcp-reset', { kind: 'reject', with: 'tcp-reset' }],
    ['-j NFQUEUE --queue-num 3', { kind: 'queue', number: 3, bypass: false }],
    ['-j NFQUEUE --queue-balance 3:5 --queue-bypass', { kind: 'queue', number: 3, last: 5, bypass: true }],
    ['-j SYNPROXY --mss 1460', { kind: 'synproxy' }],
    ['-j TARPIT', { kind: 'drop' }],
  ])('%s', (target, verdict) => {
    expect(walk(filter(`-A INPUT ${target}`)).hits[0]?.verdict).toEqual(verdict);
  });

  test('a chain of users is jumped to, gone to, and returned from', () => {
    expect(fate(filter('-A INPUT -j own\n-A INPUT -j DROP\n-A own -j RETURN'))).toBe('drop');
    expect(fate(filter('-A INPUT -g own\n-A INPUT -j DROP\n-A own -p udp -j DROP'))).toBe('pass');
    expect(fate(filter('-A INPUT -j own\n-A own -p tcp -j ACCEPT'))).toBe('pass');
  });

  test('a target that is not known may do anything', () => {
    expect(fate(filter('-A INPUT -j NEWTARGET --some thing'))).toBe('');
    expect(fate(filter('-A INPUT -j LOG --log-prefix "-j DROP "'))).toBe('pass');
  });

  test.each([
    ['10.0.0.5', '10.0.0.5', undefined],
    ['10.0.0.5:80', '10.0.0.5', 80n],
    ['10.0.0.5-10.0.0.9:80-90', undefined, undefined],
    [':8080', undefined, 8080n],
  ])('DNAT to %s', (to, address, port) => {
    const text = `*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j DNAT --to-destination ${to}\nCOMMIT\n`;
    const [hit] = walk(iptablesTables(parseIptablesSave(text), { tool: 'iptables', family: 4 })).hits;
    const known = hit?.to?.address?.unknown === 0n ? hit.to.address.value : undefined;
    expect(known).toBe(address === undefined ? undefined : 0x0a000005n);
    expect(hit?.to?.port?.unknown === 0n ? hit.to.port.value : undefined).toBe(port);
  });

  test('DNAT to an IPv6 address', () => {
    const text =
      '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j DNAT --to-destination [2001:db8::5]:80\nCOMMIT\n';
    const [hit] = walk(iptablesTables(parseIptablesSave(text), { tool: 'ip6tables', family: 6 }), SYN_V6).hits;
    expect(hit?.to).toMatchObject({ address: { unknown: 0n }, port: { value: 80n } });
  });

  test('marks are saved with the connection and restored', () => {
    const mangle = (rules: string): string =>
      `*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n${rules}\nCOMMIT\n`;
    const of = (rules: string): string =>
      fate(iptablesTables(parseIptablesSave(mangle(rules)), { tool: 'iptables', family: 4 }));
    const drop = '-A INPUT -m mark --mark 0x5 -j DROP';
    expect(of(`-A PREROUTING -j MARK --set-xmark 0x5/0xffffffff\n${drop}`)).toBe('drop');
    expect(of(`-A PREROUTING -j MARK --set-xmark 0x1/0x1\n-A PREROUTING -j MARK --or-mark 0x4\n${drop}`)).toBe('drop');
    expect(
      of(`-A PREROUTING -j CONNMARK --set-xmark 0x5/0xffffffff\n-A PREROUTING -j CONNMARK --restore-mark\n${drop}`),
    ).toBe('drop');
    expect(of(`-A PREROUTING -j MARK --set-xmark 0x5/0xffffffff\n-A PREROUTING -j MARK --and-mark 0x1\n${drop}`)).toBe(
      'pass',
    );
  });
});

describe('sets of ipset', () => {
  const rule = (sides: string): string => `-A INPUT -p tcp -m set --match-set s ${sides} -j DROP`;
  test.each([
    ['create s hash:ip family inet', 'add s 198.51.100.20', 'src', 'drop'],
    ['create s hash:ip family inet', 'add s 198.51.100.21', 'src', 'pass'],
    ['create s hash:net family inet', 'add s 198.51.0.0/16', 'src', 'drop'],
    ['create s hash:net family inet', 'add s 198.51.0.0/16\nadd s 198.51.100.0/24 nomatch', 'src', 'pass'],
    ['create s hash:ip,port family inet', 'add s 198.51.100.20,tcp:443', 'src,dst', 'drop'],
    ['create s hash:ip,port family inet', 'add s 198.51.100.20,udp:443', 'src,dst', 'pass'],
    ['create s bitmap:port range 0-65535', 'add s 443', 'dst', 'drop'],
    ['create s hash:ip family inet6', 'add s 2001:db8::1', 'src', 'pass'],
    ['create s hash:mac', 'add s 00:11:22:33:44:55', 'src', 'drop?'],
    ['create s hash:ip family inet timeout 60', 'add s 198.51.100.20 timeout 5', 'src', 'drop?'],
    [
      'create inner hash:ip family inet\ncreate s list:set size 8',
      'add inner 198.51.100.20\nadd s inner',
      'src',
      'drop',
    ],
  ])('%s %s: %s', (create, add, sides, expected) => {
    expect(fate(filter(rule(sides), `${create}\n${add}\n`))).toBe(expected);
  });

  test('a set that could not be read leaves doubt', () => {
    expect(fate(filter(rule('src')))).toBe('drop?');
  });
});
