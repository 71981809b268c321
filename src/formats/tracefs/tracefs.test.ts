import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseEventFields, parseEventSymbols } from './event-fields.ts';
import { parseFree, parseLookup, parseNeighbour, parseTcpEvent } from './trace-arguments.ts';
import { lostEvents, parseTraceLine } from './trace-line.ts';

describe('a line', () => {
  test('of a softirq and of a process', () => {
    const softirq = '      MainThread-12311   [001] bNs1. 14413.015735: fib_table_lookup: table 254 oif 0';
    expect(parseTraceLine(softirq)).toEqual({
      task: 'MainThread',
      cpu: 1,
      softirq: true,
      timeUs: 14413015735,
      event: 'fib_table_lookup',
      arguments: 'table 254 oif 0',
    });
    expect(parseTraceLine('              ip-13625   [000] ..... 14410.922411: kfree_skb: skbaddr=1')?.softirq).toBe(
      false,
    );
    expect(parseTraceLine('           <...>-15504   [000] 14416.730393: e: x')).toMatchObject({
      task: '<...>',
      cpu: 0,
    });
  });

  test('a task may have any name, and forges nothing', () => {
    const forged = '  x [000] ..s1. 1.000000: kfree_skb: y-12 [003] ..s1. 2.000000: consume_skb: z';
    expect(parseTraceLine(forged)).toBeUndefined();
    expect(parseTraceLine('    kworker/u8:22-28176   [000] .Ns1. 1.764124: kfree_skb: a=1')?.task).toBe(
      'kworker/u8:22',
    );
    expect(parseTraceLine('             a-b-7   [000] .Ns1. 1.764124: kfree_skb: a=1')?.task).toBe('a-b');
  });

  test('lost events', () => {
    expect(lostEvents('CPU:1 [LOST 1234 EVENTS]')).toBe(1234);
    expect(lostEvents('  x-1 [001] ..... 1.000000: kfree_skb: CPU:1 [LOST 1234 EVENTS]')).toBe(0);
  });
});

describe('arguments', () => {
  test('of a route lookup; the gateway is not believed', () => {
    const found =
      'table 254 oif 0 iif 1 proto 6 10.77.0.1/8443 -> 10.77.0.2/39250 tos 0 scope 0 flags 0 ==> dev eth0 gw 12.0.0.0/::ffff:a4d:1:0 err 0';
    expect(parseLookup(found)).toEqual({
      table: 254,
      protocol: 6,
      source: { address: '10.77.0.1', port: 8443 },
      destination: { address: '10.77.0.2', port: 39250 },
      device: 'eth0',
      err: 0,
    });
    const none =
      'table 255 oif 0 iif 1 proto 6 fd77::1/8443 -> fd77::2/47138 flowlabel 0x0 tos 0 scope 0 flags 0 ==> dev lo gw :: err -113';
    expect(parseLookup(none)).toMatchObject({
      table: 255,
      err: -113,
      destination: { address: 'fd77::2', port: 47138 },
    });
    expect(parseLookup(none)?.device).toBeUndefined();
  });

  test('of the end of a packet, of several kernels', () => {
    expect(
      parseFree(
        'skbaddr=0000000090dc4dd1 rx_sk=0000000000000000 protocol=34525 location=tcp_v6_rcv+0x34f/0x13b0 reason: NO_SOCKET',
      ),
    ).toEqual({ packet: '0000000090dc4dd1', location: 'tcp_v6_rcv', reason: 'NO_SOCKET' });
    expect(
      parseFree(
        'skbaddr=00000000d0c3ce5d protocol=2048 location=nft_do_chain.isra.0+0x3e8/0x610 [nf_tables] reason: NETFILTER_DROP',
      ),
    ).toMatchObject({ location: 'nft_do_chain', reason: 'NETFILTER_DROP' });
    expect(
      parseFree('skbaddr=00000000d0c3ce5d protocol=2048 location=00000000a1b2c3d4 reason: TCP_CSUM'),
    ).toMatchObject({
      location: 'unknown',
      reason: 'TCP_CSUM',
    });
    expect(parseFree('skbaddr=00000000575c1383 location=tcp_rcv_state_process+0x804/0x1570')?.reason).toBeUndefined();
  });

  test('of one connection: both spellings of its ends', () => {
    expect(
      parseTcpEvent(
        'skbaddr=0000000090dc4dd1 skaddr=0000000000000000 src=[fd77::1]:8443 dest=[fd77::2]:47138 state=UNKNOWN reason=NO_SOCKET',
      ),
    ).toEqual({
      source: { address: 'fd77::1', port: 8443 },
      destination: { address: 'fd77::2', port: 47138 },
      packet: '0000000090dc4dd1',
      state: 'UNKNOWN',
      reason: 'NO_SOCKET',
    });
    expect(
      parseTcpEvent(
        'family=AF_INET6 sport=8443 dport=41756 saddr=10.77.0.1 daddr=10.77.0.2 saddrv6=::ffff:10.77.0.1 daddrv6=::ffff:10.77.0.2',
      ),
    ).toEqual({
      source: { address: '10.77.0.1', port: 8443 },
      destination: { address: '10.77.0.2', port: 41756 },
    });
    expect(
      parseTcpEvent(
        'family=AF_INET6 protocol=IPPROTO_TCP sport=1 dport=2 saddr=0.0.0.0 daddr=0.0.0.0 saddrv6=fd77::2 daddrv6=fd77::1 oldstate=TCP_SYN_SENT newstate=TCP_CLOSE',
      ),
    ).toMatchObject({ oldState: 'SYN_SENT', newState: 'CLOSE' });
  });

  test('of a neighbour', () => {
    expect(
      parseNeighbour(
        'family 2 dev eth0 lladdr 000000000000 flags 00 nud_state failed type 01 dead 0 refcnt 2 primary_key4 10.77.0.2 primary_key6 ::ffff:10.77.0.2 confirmed 1 updated 2 used 3 err 0',
      ),
    ).toEqual({ address: '10.77.0.2', device: 'eth0', state: 'failed' });
    expect(
      parseNeighbour(
        'family 10 dev eth0 lladdr 0 flags 00 nud_state failed primary_key4 0.0.0.0 primary_key6 fd77::9 confirmed 1',
      ),
    ).toMatchObject({ address: 'fd77::9' });
  });
});

test('fields of a format file', () => {
  const format = [
    'name: kfree_skb',
    'format:',
    '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
    '',
    '\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;',
    '\tfield:enum skb_drop_reason reason;\toffset:28;\tsize:4;\tsigned:0;',
    '\tfield:__u8 saddr[28];\toffset:32;\tsize:28;\tsigned:0;',
    '\tfield:__data_loc char[] dev;\toffset:12;\tsize:4;\tsigned:0;',
    '',
    'print fmt: "skbaddr=%p reason: %s", REC->skbaddr, __print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, { 104, "QUEUE_PURGE" })',
  ].join('\n');
  expect(parseEventSymbols(format).get('QUEUE_PURGE')).toBe(104);
  expect([...parseEventFields(format)]).toEqual(['skbaddr', 'reason', 'saddr', 'dev']);
});

test('never throws, whatever it is given', () => {
  const recorded = readFileSync(new URL('../../../fixtures/tracefs/6.18-no-listener-v6.txt', import.meta.url), 'utf8');
  const damaged = fc
    .tuple(fc.nat(recorded.length), fc.nat(400), fc.string())
    .map(([from, length, garbage]) => recorded.slice(from, from + length) + garbage);
  fc.assert(
    fc.property(fc.oneof(fc.string(), damaged), (text) => {
      for (const line of text.split('\n')) {
        lostEvents(line);
        const rest = parseTraceLine(line)?.arguments ?? line;
        for (const parse of [parseLookup, parseFree, parseTcpEvent, parseNeighbour, parseEventFields]) parse(rest);
      }
    }),
  );
});
