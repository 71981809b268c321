import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { NetnsHost } from '../host/netns-host.ts';
import { openNamespace } from '../host/network-namespace.ts';
import { encodeSocketAddress } from '../host/socket-address.ts';
import { systemCalls } from '../host/system.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../host/testing/namespaces.ts';
import type { SearchResult } from './search.ts';
import { snapshotHost } from './snapshot.ts';
import type { SynSpec } from './syn.ts';
import { inside, listenIn } from './testing/real-server.ts';
import { TwinProcess } from './twin-process.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: what counts as an answer of a copy (${missing})`);

const PORT = 8084;
const FAR_V4 = '198.51.100.7';
const FAR_V6 = '2001:db8:77::7';
const SO_REUSEPORT = 15;
const SOCK_STREAM_NONBLOCK = 0o4001;

describe.skipIf(missing !== undefined)('the search in a copy', { timeout: 120_000 }, () => {
  let pair: NamespacePair;
  let host: NetnsHost;
  const end: (() => void)[] = [];
  const server = (line: string): void => void inside(pair.server, line.split(' '));

  beforeAll(() => {
    pair = makeNamespacePair('syw');
    host = new NetnsHost(pair.server);
    server(`ip route add default via ${CLIENT_V4}`);
    server(`ip -6 route add default via ${CLIENT_V6}`);
    for (const address of [CLIENT_V4, CLIENT_V6]) server(`ping -c1 -W2 ${address}`);
  }, 60_000);
  afterEach(() => {
    for (const one of end.splice(0).reverse()) one();
  });
  afterAll(async () => {
    await host?.close();
    pair?.remove();
  });

  async function search(spec: Partial<SynSpec>, burst = 0): Promise<SearchResult> {
    const v4: SynSpec = {
      ...{ family: 4, source: FAR_V4, sourcePort: 40_000, destination: SERVER_V4, destinationPort: PORT },
      device: 'eth0',
    };
    const syn = { ...v4, ...spec };
    const twin = await TwinProcess.start();
    try {
      await twin.build(await snapshotHost(host, { port: PORT, client: syn.source }), { role: 'server', syn });
      return await twin.ask('search', { syn, timeoutMs: 60_000, burst });
    } finally {
      await twin.close();
    }
  }
  const blamed = ({ flips }: SearchResult): readonly string[] | undefined =>
    flips[0]?.elements.map(({ kind, element, change }) => `${kind} ${element} ${change}`);

  it('has whoever is behind an address translation answer, and says so', async () => {
    inside(
      pair.server,
      ['nft', '-f', '-'],
      `table ip nat { chain pre { type nat hook prerouting priority -100; tcp dport ${PORT} dnat to 10.79.0.9:80; }; }\n`,
    );
    end.push(() => server('nft flush ruleset'));
    server('ip link add west type veth peer name west-peer');
    end.push(() => server('ip link del west'));
    for (const name of ['west', 'west-peer']) server(`ip link set ${name} up`);
    server('ip addr add 10.79.0.1/24 dev west');
    server('sysctl -qw net.ipv4.ip_forward=1');
    end.push(() => server('sysctl -qw net.ipv4.ip_forward=0'));
    const { baseline } = await search({});
    expect(baseline).toMatchObject({ reply: 'syn-ack', isAnswered: true });
    expect(baseline.assumed.join()).toContain('10.79.0.9, to which this host passes the SYN on by west, answers it');
    // For an address that is not its own it sends the SYN back where it came from: that is nobody's answer.
    const back = await search({ destination: '203.0.113.9', destinationPort: 81 });
    expect(back.baseline).toMatchObject({ reply: 'silence', isAnswered: false, remark: 'returned' });
  });

  it('finds the one of several listeners that is stuck, whoever gets the SYN', async () => {
    for (const backlog of [128, 0, 128]) {
      const share = listenIn(pair.server, '0.0.0.0', PORT, backlog, (calls, fd) =>
        calls.setsockopt(fd, 1, SO_REUSEPORT, Uint8Array.of(1, 0, 0, 0)),
      );
      end.push(share);
    }
    expect((await search({}, 64)).flips).toEqual([]);
    // Chance decides who gets a connection: enough of them fill the short queue.
    const calls = systemCalls();
    const place = openNamespace(pair.client);
    const to = encodeSocketAddress(SERVER_V4, PORT, 0) as Uint8Array;
    for (let count = 0; count < 24; count++) {
      const fd = place.enter(() => calls.socket(2, SOCK_STREAM_NONBLOCK, 0));
      end.push(() => calls.close(fd));
      expect(() => calls.connect(fd, to)).toThrow('EINPROGRESS');
    }
    place.close();
    await vi.waitFor(
      () => expect(inside(pair.server, ['ss', '-Hlnt', `sport = :${PORT}`])).toMatch(/LISTEN +[1-9]\d* +0 /),
      30_000,
    );
    const found = await search({}, 64);
    expect(found.spread?.sent).toBe(64);
    expect(found.spread?.answered).toBeLessThan(64);
    expect(found.flips.flatMap(({ elements }) => elements.map(({ kind }) => kind))).toContain('accept-queue');
  });

  it('takes what a SYN proxy says for an answer only when the ACK gets back to it', async () => {
    end.push(listenIn(pair.server, '::', PORT));
    inside(
      pair.server,
      ['nft', '-f', '-'],
      `table inet proxy {
        chain pre { type filter hook prerouting priority -300; tcp dport ${PORT} tcp flags syn notrack; }
        chain in { type filter hook input priority 0; tcp dport ${PORT} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm; }
      }\n`,
    );
    end.push(() => server('nft flush ruleset'));
    server('sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0');
    end.push(() => server('sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1'));
    const v6: Partial<SynSpec> = { family: 6, source: FAR_V6, destination: SERVER_V6 };
    for (const syn of [{}, v6]) {
      expect((await search(syn)).baseline).toMatchObject({ reply: 'syn-ack', isAnswered: true });
    }
    server('sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1');
    for (const syn of [{}, v6]) {
      const loose = await search(syn);
      expect(loose.baseline).toMatchObject({ reply: 'syn-ack', isAnswered: false, remark: 'reset-after-ack' });
      expect(blamed(loose)).toEqual(['sysctl net.netfilter.nf_conntrack_tcp_loose 0']);
      // The table goes as well, and each of the two rules; nothing else brings the connection.
      expect(loose.flips.flatMap(({ elements }) => elements.map(({ kind }) => kind)).sort()).toEqual([
        ...['nft-rule', 'nft-rule', 'nft-table', 'sysctl'],
      ]);
    }
  });

  it('knows an address that nobody can ask for', async () => {
    end.push(listenIn(pair.server, '0.0.0.0', PORT));
    server('ip addr add 192.0.2.77/32 dev lo');
    end.push(() => server('ip addr del 192.0.2.77/32 dev lo'));
    server('sysctl -qw net.ipv4.conf.all.arp_ignore=1');
    end.push(() => server('sysctl -qw net.ipv4.conf.all.arp_ignore=0'));
    const { baseline } = await search({ destination: '192.0.2.77' });
    expect(baseline).toMatchObject({ isAnswered: true, remark: 'unasked' });
    const asked = await search({ destination: '192.0.2.77', isAskedFor: true });
    expect(asked.baseline).toMatchObject({ isAnswered: false, remark: 'no-arp-answer' });
    expect(blamed(asked)).toEqual(['sysctl net.ipv4.conf.all.arp_ignore 0']);
  });

  it('blames addresses of IPv6 that are the client’s own, not there, or not usable', async () => {
    end.push(listenIn(pair.server, '::', PORT));
    const v6 = { family: 6 as const, source: FAR_V6, destination: SERVER_V6 };
    expect((await search(v6)).baseline.isAnswered).toBe(true);
    expect(blamed(await search({ ...v6, destination: '2001:db8:5::5' }))).toEqual([
      'address 2001:db8:5::5/128 dev eth0 added',
    ]);
    server(`ip -6 addr add ${FAR_V6}/128 dev lo`);
    end.push(() => server(`ip -6 addr del ${FAR_V6}/128 dev lo`));
    expect(blamed(await search(v6))).toEqual([`address ${FAR_V6}/128 dev lo removed`]);
    end.pop()?.();
    server('sysctl -qw net.ipv6.conf.eth0.accept_dad=1 net.ipv6.conf.eth0.dad_transmits=250');
    server('ip -6 addr add 2001:db8:6::6/64 dev eth0');
    end.push(() => server('ip -6 addr del 2001:db8:6::6/64 dev eth0'));
    expect(blamed(await search({ ...v6, destination: '2001:db8:6::6' }))).toEqual([
      'address 2001:db8:6::6/64 dev eth0 usable',
    ]);
  });
});
