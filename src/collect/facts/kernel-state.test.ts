import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isUnavailable } from '../../model/facts/fact.ts';
import { conntrack } from './conntrack.ts';
import { counters } from './counters.ts';
import { hostCounters } from './host-counters.ts';
import { kernelLog } from './kernel-log.ts';
import { machine } from './machine.ts';
import { nfQueues } from './nf-queues.ts';
import { sysctls } from './sysctls.ts';
import { AnsweringHost } from './testing/answering-host.ts';
import { factOf, factValue, WATCHED } from './testing/scopes.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/procfs/${name}.txt`, import.meta.url), 'utf8');
}

const NET_FILES = {
  '/proc/net/netstat': fixture('netstat'),
  '/proc/net/snmp': fixture('snmp'),
  '/proc/net/stat/nf_conntrack': fixture('stat-nf_conntrack'),
};

describe('counters', () => {
  test('grow between two readings', async () => {
    const later = {
      ...NET_FILES,
      '/proc/net/stat/nf_conntrack': NET_FILES['/proc/net/stat/nf_conntrack'].replace(/00000000\n$/, '00000002\n'),
    };
    const value = await factValue(
      'counters',
      [counters],
      new AnsweringHost({ files: later, nowMs: 5000 }),
      WATCHED,
      new AnsweringHost({ files: NET_FILES, nowMs: 1000 }),
    );
    expect(value.growth).toEqual({ 'nf_conntrack.search_restart': 2 });
    expect(value.intervalMs).toBe(4000);
    expect(value.now.TcpOutRsts).toBeGreaterThan(0);
    expect('Ip6OutNoRoutes' in value.now).toBe(false);
  });

  test('a host without grep is asked for each file', async () => {
    const host = new AnsweringHost({ files: NET_FILES, without: ['grep'] });
    expect((await factValue('counters', [counters], host)).now.IpOutNoRoutes).toBe(0);
  });

  test('a host without /proc has none', async () => {
    expect(await factOf('counters', [counters], new AnsweringHost({}))).toMatchObject({ unavailable: 'not-found' });
  });

  test('of the machine: another namespace asks for the tables of the first', async () => {
    const files = {
      '/proc/1/net/stat/arp_cache': fixture('stat-arp_cache'),
      '/proc/net/stat/rt_cache': fixture('stat-rt_cache'),
      '/proc/net/softnet_stat': fixture('softnet_stat'),
    };
    const { now } = await factValue('hostCounters', [hostCounters], new AnsweringHost({ files }));
    expect(now['arp_cache.res_failed']).toBeGreaterThan(0);
    expect(now['rt_cache.in_martian_src']).toBeGreaterThanOrEqual(0);
    expect(now['softnet.dropped']).toBe(0);
  });
});

test('sysctls: those of every interface, dots in names kept', async () => {
  const files = {
    '/proc/sys/net/ipv4/tcp_syncookies': '1\n',
    '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
    '/proc/sys/net/ipv4/ip_local_reserved_ports': '\n',
    '/proc/sys/net/ipv4/conf/all/rp_filter': '2\n',
    '/proc/sys/net/ipv4/conf/eth0.100/rp_filter': '1\n',
    '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024\n',
  };
  expect(await factValue('sysctls', [sysctls], new AnsweringHost({ files }))).toEqual({
    'net.ipv4.tcp_syncookies': '1',
    'net.ipv4.ip_local_port_range': '32768\t60999',
    'net.ipv4.ip_local_reserved_ports': '',
    'net.ipv4.conf.all.rp_filter': '2',
    'net.ipv4.conf.eth0.100.rp_filter': '1',
    'net.ipv4.neigh.default.gc_thresh3': '1024',
  });
});

test('sysctls of thousands of interfaces: the one of the attempt is among those that are read', async () => {
  const names = Array.from({ length: 3000 }, (_, index) => `veth${index}`);
  const files = Object.fromEntries(
    ['all', 'zzz9', ...names].map((name) => [`/proc/sys/net/ipv4/conf/${name}/rp_filter`, '0\n']),
  );
  const host = new AnsweringHost({ files });
  const value = await factValue('sysctls', [sysctls], host, { ...WATCHED, inDevice: 'zzz9' });
  expect(value['net.ipv4.conf.zzz9.rp_filter']).toBe('0');
  expect(Object.keys(value)).toHaveLength(200);
  expect(Math.max(...host.asked.map((line) => line.length))).toBeLessThan(100_000);
});

test('the machine; rights are those of who reads', async () => {
  const files = {
    '/proc/sys/kernel/osrelease': '5.14.0-427.el9.x86_64\n',
    '/proc/sys/kernel/hostname': 'web7\n',
    '/proc/uptime': '1000.50 1.00\n',
    '/proc/pressure/memory': 'some avg10=12.50 avg60=0.00 avg300=0.00 total=9\n',
    '/proc/self/status': 'Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n',
  };
  expect(await factValue('machine', [machine], new AnsweringHost({ files }))).toEqual({
    hostname: 'web7',
    kernelRelease: '5.14.0-427.el9.x86_64',
    kernelVersion: [5, 14],
    // Root in a container without CAP_NET_ADMIN.
    privileged: false,
    uptimeSeconds: 1000.5,
    memoryPressurePercent: 12.5,
  });
});

describe('conntrack', () => {
  const sizes = {
    '/proc/sys/net/netfilter/nf_conntrack_count': '8\n',
    '/proc/sys/net/netfilter/nf_conntrack_max': '262144\n',
  };
  const attempt = {
    ...WATCHED,
    client: { address: '198.51.100.1', port: 49648 },
    server: { address: '198.51.100.2', port: 8443 },
  };

  test('entries of the attempt from the file', async () => {
    const host = new AnsweringHost({ files: { ...sizes, '/proc/net/nf_conntrack': fixture('nf_conntrack') } });
    const value = await factValue('conntrack', [conntrack], host, attempt);
    expect(value).toMatchObject({ count: 8, max: 262144, entriesRead: true });
    expect(value.entries).toMatchObject([{ state: 'ESTABLISHED', assured: true, replySourcePort: 8001 }]);
  });

  test('a translated connection is found by its reply, the exact one first', async () => {
    const host = new AnsweringHost({ files: { ...sizes, '/proc/net/nf_conntrack': fixture('nf_conntrack') } });
    const { entries } = await factValue('conntrack', [conntrack], host, {
      ...attempt,
      client: { address: '198.51.100.1', port: 50123 },
      server: { address: '198.51.100.2', port: 8001 },
    });
    expect(entries.map(({ state }) => state)).toEqual(['SYN_RECV', 'ESTABLISHED', 'ESTABLISHED']);
  });

  test('by the tool when the table is large', async () => {
    const command = 'conntrack -L -f ipv4 -p tcp --orig-src 198.51.100.1 --orig-dst 198.51.100.2 --orig-port-dst 8443';
    const host = new AnsweringHost({
      files: { ...sizes, '/proc/sys/net/netfilter/nf_conntrack_count': '262144\n' },
      commands: { [command]: fixture('conntrack-list') },
    });
    expect(await factValue('conntrack', [conntrack], host, attempt)).toMatchObject({
      count: 262144,
      entriesRead: true,
      entries: [{ replySourcePort: 8001 }],
    });
  });

  test('without permission only the sizes are known; without the module nothing is asked', async () => {
    expect(await factValue('conntrack', [conntrack], new AnsweringHost({ files: sizes }), attempt)).toMatchObject({
      count: 8,
      entries: [],
      entriesRead: false,
    });
    const bare = new AnsweringHost({ files: {} });
    expect(await factValue('conntrack', [conntrack], bare, attempt)).toEqual({ entries: [], entriesRead: true });
    expect(bare.asked.some((line) => line.startsWith('conntrack'))).toBe(false);
  });
});

describe('queues of NFQUEUE', () => {
  const path = '/proc/net/netfilter/nfnetlink_queue';

  test('are read, or there are none', async () => {
    const host = new AnsweringHost({ files: { [path]: fixture('nfnetlink_queue') } });
    expect(await factValue('nfQueues', [nfQueues], host)).toMatchObject([{ number: 7, waiting: 2, dropped: 10 }]);
    expect(await factValue('nfQueues', [nfQueues], new AnsweringHost({}))).toEqual([]);
  });

  test('without permission that is said', async () => {
    expect(await factOf('nfQueues', [nfQueues], new AnsweringHost({ files: { [path]: 'EACCES' } }))).toMatchObject({
      unavailable: 'no-permission',
      hint: 'run as root',
    });
  });
});

describe('kernel log', () => {
  const uptime = { '/proc/uptime': '12750.00 1.00\n' };
  const dmesg = fixture('dmesg');

  test('lines of the last minute that concern the network, with their distance from the attempt', async () => {
    const host = new AnsweringHost({ files: uptime, commands: { dmesg }, nowMs: 1_000_000 });
    const value = await factValue('kernelLog', [kernelLog], host);
    expect(value[0]?.text).toMatch(/^nfnetlink_queue/);
    expect(value.find(({ text }) => text.includes('SYN flooding'))?.beforeMs).toBe(9900);
    expect(value.some(({ text }) => text.includes('usb'))).toBe(false);
  });

  test('older ones are left out, but a line that came during the watch never is', async () => {
    const late = { '/proc/uptime': '12990.00 1.00\n' };
    const commands = (text: string): { dmesg: string } => ({ dmesg: text });
    const old = new AnsweringHost({ files: late, commands: commands(dmesg), nowMs: 1_000_000 });
    expect(await factValue('kernelLog', [kernelLog], old)).toEqual([]);
    // The clock of the log is four minutes behind.
    const now = new AnsweringHost({
      files: late,
      commands: commands(`${dmesg}[12750.000000] TCP: out of memory -- consider tuning tcp_mem\n`),
      nowMs: 1_010_000,
    });
    expect(await factValue('kernelLog', [kernelLog], now, WATCHED, old)).toEqual([
      { beforeMs: 10_000, text: 'TCP: out of memory -- consider tuning tcp_mem' },
    ]);
  });

  test('the journal where dmesg is not permitted', async () => {
    const denied = { exitCode: 1, stdout: '', stderr: 'dmesg: read kernel buffer failed: Operation not permitted' };
    const journal = 'journalctl -k -b -q --no-pager -o short-unix -n 2000';
    const host = new AnsweringHost({
      files: uptime,
      commands: { dmesg: denied, [journal]: fixture('kernel-journal') },
      nowMs: 1763700003_000,
    });
    expect((await factValue('kernelLog', [kernelLog], host)).map(({ beforeMs }) => beforeMs)).toEqual([2877, 500]);
    const neither = new AnsweringHost({ files: uptime, commands: { dmesg: denied, [journal]: '' } });
    const fact = await factOf('kernelLog', [kernelLog], neither);
    expect(isUnavailable(fact) && fact.unavailable).toBe('no-permission');
  });
});
