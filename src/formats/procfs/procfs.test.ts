import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConntrackEntries } from './conntrack-entries.ts';
import { parseFilesInLines } from './files-in-lines.ts';
import { concernsNetwork, parseDmesg, parseKernelJournal } from './kernel-log.ts';
import { parseNfQueues } from './nf-queues.ts';
import { parsePerCpuCounters, parseSoftnet } from './per-cpu-counters.ts';
import { parseSomePressure, parseUptime } from './pressure.ts';
import {
  parseCgroups,
  parseFrozen,
  parseOpenFilesLimit,
  parseProcessState,
  parseRights,
  unitOfCgroup,
} from './process.ts';
import { parseNamedCounters, parseProtocolCounters } from './protocol-counters.ts';
import { parseTcpTable } from './tcp-table.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/procfs/${name}.txt`, import.meta.url), 'utf8');
}

describe('counters', () => {
  test('netstat and snmp carry the names of nstat', () => {
    const netstat = parseProtocolCounters(fixture('netstat'));
    expect(netstat.get('TcpExtTCPSynRetrans')).toBeGreaterThan(0);
    expect(netstat.get('TcpExtListenDrops')).toBeGreaterThan(0);
    expect(netstat.get('IpExtInNoRoutes')).toBe(0);
    expect(netstat.has('MPTcpExtMPCapableSYNRX')).toBe(true);
    const snmp = parseProtocolCounters(fixture('snmp'));
    expect(snmp.get('IpOutNoRoutes')).toBe(0);
    expect(snmp.get('TcpOutRsts')).toBeGreaterThan(0);
    expect(snmp.get('TcpMaxConn')).toBe(-1);
    expect(snmp.has('IcmpInDestUnreachs')).toBe(true);
  });

  test('a pair of lines that does not belong together is left out', () => {
    expect([...parseProtocolCounters('Tcp: OutRsts InErrs\nUdp: 1 2\n')]).toEqual([]);
    expect([...parseProtocolCounters('Tcp: OutRsts InErrs\nTcp: 7 x\nUdp: NoPorts\nUdp: 3')]).toEqual([
      ['UdpNoPorts', 3],
    ]);
    expect([...parseProtocolCounters('Tcp: OutRsts InErrs\nTcp: 7\n')]).toEqual([['TcpOutRsts', 7]]);
  });

  test('snmp6 and xfrm_stat', () => {
    expect(parseNamedCounters(fixture('snmp6')).get('Ip6InReceives')).toBeGreaterThan(0);
    expect(parseNamedCounters(fixture('snmp6')).has('Icmp6InDestUnreachs')).toBe(true);
    expect(parseNamedCounters(fixture('xfrm_stat')).get('XfrmOutPolBlock')).toBe(0);
  });

  test('files with a line for each CPU', () => {
    const conntrack = parsePerCpuCounters(fixture('stat-nf_conntrack'));
    expect(conntrack.get('entries')).toEqual([10]);
    expect(conntrack.get('early_drop')).toEqual([0, 0]);
    expect(parsePerCpuCounters(fixture('stat-rt_cache')).get('in_slow_tot')?.length).toBe(2);
    expect(
      parsePerCpuCounters(fixture('stat-arp_cache'))
        .get('res_failed')
        ?.reduce((a, b) => a + b),
    ).toBeGreaterThan(0);
    expect(parsePerCpuCounters(fixture('stat-synproxy')).get('cookie_valid')).toEqual([0, 0]);
  });

  test('columns of older kernels are found by their names', () => {
    const old =
      'entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop\n' +
      '0000000a  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000b ffffffff\n';
    expect(parsePerCpuCounters(old).get('drop')).toEqual([11]);
    expect(parsePerCpuCounters(old).get('early_drop')).toEqual([0xffff_ffff]);
  });

  test('softnet_stat, also with the fewer columns of old kernels', () => {
    const softnet = parseSoftnet(fixture('softnet_stat'));
    expect(softnet.get('processed')?.length).toBe(2);
    expect(softnet.get('dropped')).toEqual([0, 0]);
    expect(parseSoftnet('00000010 00000002 00000003\n').get('dropped')).toEqual([2]);
    expect(parseSoftnet('00000010 00000002 00000003\n').has('received_rps')).toBe(false);
  });
});

test('tcp and tcp6', () => {
  const rows = [...parseTcpTable(fixture('tcp')), ...parseTcpTable(fixture('tcp6'))];
  const listener = rows.find(({ state, local }) => state === 'LISTEN' && local.port === 8002);
  expect(listener).toMatchObject({ family: 4, local: { address: '127.0.0.1' }, receiveQueue: 1, uid: 0 });
  expect(listener?.sendQueue).toBeUndefined();
  expect(rows.find(({ state, local }) => state === 'LISTEN' && local.port === 8005)).toMatchObject({
    family: 6,
    local: { address: '::1' },
    remote: { address: '::', port: 0 },
  });
  expect(rows.find(({ state, local }) => state === 'LISTEN' && local.port === 8008)?.local.address).toBe('127.0.0.1');
  expect(rows.find(({ state }) => state === 'SYN-RECV')).toMatchObject({
    local: { address: '198.51.100.2', port: 8001 },
    remote: { address: '198.51.100.1', port: 50123 },
  });
  expect(rows.find(({ remote }) => remote.address === '2001:db8:5::1')?.local).toEqual({
    address: '2001:db8:5::2',
    port: 8003,
  });
});

test('queues of NFQUEUE', () => {
  expect(parseNfQueues(fixture('nfnetlink_queue'))).toEqual([
    { number: 7, pid: 18252, waiting: 2, dropped: 10, userDropped: 0 },
  ]);
});

test('conntrack: the file and the tool say the same', () => {
  const file = parseConntrackEntries(fixture('nf_conntrack'));
  const tool = parseConntrackEntries(fixture('conntrack-list'));
  const bare = (entries: typeof file): unknown[] => entries.map(({ text: _, ...rest }) => JSON.stringify(rest)).sort();
  expect(bare(file)).toEqual(bare(tool));
  expect(file).toHaveLength(8);
  expect(file.find(({ unreplied }) => unreplied)).toMatchObject({ state: 'SYN_SENT', assured: false });
  expect(file.find(({ original }) => original.destinationPort === 8443)?.reply).toEqual({
    source: '198.51.100.2',
    destination: '198.51.100.1',
    sourcePort: 8001,
    destinationPort: 49648,
  });
});

test('a process', () => {
  expect(parseProcessState(fixture('process-stat'))).toBe('S');
  expect(parseProcessState('12 (a) T (b)) D 1 1')).toBe('D');
  expect(parseOpenFilesLimit(fixture('process-limits'))).toBe(20000);
  expect(
    parseOpenFilesLimit('Max open files            unlimited            unlimited            files'),
  ).toBeUndefined();
  expect(parseCgroups(fixture('process-cgroup'))).toEqual({ unified: '/', freezer: '/' });
  expect(parseCgroups('4:cpu,freezer:/a\n0::/system.slice/nginx.service')).toEqual({
    freezer: '/a',
    unified: '/system.slice/nginx.service',
  });
  expect(unitOfCgroup('/user.slice/user-1000.slice/user@1000.service/app.slice/x.service/sub')).toBe('x.service');
  expect(unitOfCgroup('/user.slice/session-3.scope')).toBe('session-3.scope');
  expect(unitOfCgroup('/')).toBeUndefined();
  expect(parseFrozen('populated 1\nfrozen 1\n')).toBe(true);
  expect(parseFrozen('populated 1\nfrozen 0\n')).toBe(false);
  expect(parseFrozen('FROZEN\n')).toBe(true);
  const rights = parseRights(fixture('process-status'));
  expect(rights.effectiveUid).toBe(0);
  expect((rights.effectiveCapabilities ?? 0n) & (1n << 12n)).not.toBe(0n);
});

test('pressure and uptime', () => {
  expect(parseSomePressure(fixture('pressure-memory'))).toBe(0);
  expect(parseSomePressure('some avg10=12.50 avg60=0.00 avg300=0.00 total=9')).toBe(12.5);
  expect(parseUptime('12345.67 2345.00\n')).toBe(12345.67);
});

test('kernel log', () => {
  const lines = parseDmesg(fixture('dmesg'));
  expect(lines.filter(({ text }) => concernsNetwork(text)).map(({ text }) => text.slice(0, 24))).toEqual([
    'nfnetlink_queue: nf_queu',
    'nfnetlink_queue: nf_queu',
    'TCP: request_sock_TCP: P',
    'nf_conntrack: nf_conntra',
    'neighbour: arp_cache: ne',
    'IPv4: martian source 192',
    'IPv6: eth0: IPv6 duplica',
    'Out of memory: Killed pr',
    'TCP: out of memory -- co',
    'ufw-block IN=eth0 OUT= M',
    'virtio_net virtio0 eth0:',
  ]);
  expect(lines.find(({ text }) => text.startsWith('neighbour'))?.sinceBootSeconds).toBe(12742.100001);
  expect(parseKernelJournal(fixture('kernel-journal')).map(({ unixMs }) => unixMs)).toEqual([
    1763700000123.456, 1763700001000, 1763700002500,
  ]);
});

test('files that grep printed; only what was asked for counts', () => {
  const text = '/a:1\n/a:2\n/a:b:3\n/c:9\n/proc/sys/net/x:\n';
  expect([...parseFilesInLines(text, ['/a', '/proc/sys/net/x'])]).toEqual([
    ['/a', '1\n2\nb:3'],
    ['/proc/sys/net/x', ''],
  ]);
  expect([...parseFilesInLines(text, ['/a:b'])]).toEqual([['/a:b', '3']]);
});

test('no parser throws, whatever it is given', () => {
  const parsers: readonly ((text: string) => unknown)[] = [
    parseProtocolCounters,
    parseNamedCounters,
    parsePerCpuCounters,
    parseSoftnet,
    parseTcpTable,
    parseNfQueues,
    parseConntrackEntries,
    parseProcessState,
    parseOpenFilesLimit,
    parseCgroups,
    parseFrozen,
    parseRights,
    parseSomePressure,
    parseUptime,
    parseDmesg,
    parseKernelJournal,
    (text) => parseFilesInLines(text, ['/a']),
  ];
  const files = ['netstat', 'tcp6', 'nf_conntrack', 'stat-arp_cache', 'process-limits', 'dmesg'].map(fixture);
  const damaged = fc
    .tuple(fc.constantFrom(...files), fc.nat(), fc.nat(), fc.string())
    .map(([text, from, length, garbage]) => {
      const start = from % text.length;
      return text.slice(0, start) + garbage + text.slice(start + (length % 200));
    });
  fc.assert(
    fc.property(fc.oneof(fc.string(), damaged), (text) => {
      for (const parse of parsers) parse(text);
    }),
  );
});
