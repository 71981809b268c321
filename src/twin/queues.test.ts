import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NetnsHost } from '../host/netns-host.ts';
import { openNamespace } from '../host/network-namespace.ts';
import { encodeSocketAddress } from '../host/socket-address.ts';
import { systemCalls } from '../host/system.ts';
import {
  CLIENT_V4,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
} from '../host/testing/namespaces.ts';
import { ETHERNET_BYTES, SYN_OPTIONS, TCP_SYN, tcpFrame } from './frames.ts';
import { snapshotHost } from './snapshot.ts';
import type { Replay, SynSpec } from './syn.ts';
import { copiable, inside, listenIn } from './testing/real-server.ts';
import { TwinProcess } from './twin-process.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: copies of queues and old connections (${missing})`);

const PORT = 8082;
const MAC = '02:00:00:00:00:01';

describe.skipIf(missing !== undefined)('a copy of a host', () => {
  let pair: NamespacePair;
  let server: NetnsHost;
  let client: NetnsHost;
  let end: (() => void)[] = [];

  beforeAll(() => {
    pair = makeNamespacePair('syq');
    server = new NetnsHost(pair.server);
    client = new NetnsHost(pair.client);
    // What comes back for others must not be answered with a reset.
    inside(pair.client, ['sysctl', '-qw', 'net.ipv4.ip_forward=0']);
    inside(pair.server, ['ip', 'route', 'add', 'default', 'via', CLIENT_V4]);
  }, 60_000);
  afterEach(() => {
    for (const one of end.splice(0)) one();
  });
  afterAll(async () => {
    await server?.close();
    await client?.close();
    pair?.remove();
  });

  /** Sends SYNs from addresses that nobody has. */
  function flood(count: number): void {
    const calls = systemCalls();
    const place = openNamespace(pair.client);
    const fd = place.enter(() => calls.socket(2, 3, 255));
    place.close();
    const to = encodeSocketAddress(SERVER_V4, 0, 0) as Uint8Array;
    for (let number = 0; number < count; number++) {
      const frame = tcpFrame({
        ...{ sourceMac: MAC, destinationMac: MAC, flags: TCP_SYN, sequence: number, options: SYN_OPTIONS },
        ...{ source: `203.0.113.${number + 1}`, destination: SERVER_V4, sourcePort: 30_000, destinationPort: PORT },
      });
      calls.sendto(fd, frame.subarray(ETHERNET_BYTES), 0, to);
    }
    calls.close(fd);
  }

  async function replay(
    syn: SynSpec,
  ): Promise<{ readonly replay: Replay; readonly halfOpen: number; readonly stale: string | undefined }> {
    const twin = await TwinProcess.start();
    try {
      const state = await snapshotHost(server, { port: PORT, client: syn.source });
      const summary = await twin.build(state, { role: 'server', syn });
      expect(copiable(summary)).toEqual([]);
      const first = await twin.ask('replay', syn);
      const { sequence: _, ...same } = first;
      expect(await twin.ask('replay', syn)).toMatchObject(same);
      return { replay: first, halfOpen: summary.halfOpen, stale: summary.staleConnection };
    } finally {
      await twin.close();
    }
  }

  function syn(sourcePort: number, more: Partial<SynSpec> = {}): SynSpec {
    return {
      family: 4,
      source: CLIENT_V4,
      sourcePort,
      destination: SERVER_V4,
      destinationPort: PORT,
      device: 'eth0',
      ...more,
    };
  }

  it('has its half-open connections: a full queue drops, with SYN cookies it does not', async () => {
    end = [listenIn(pair.server, '0.0.0.0', PORT, 4)];
    inside(pair.server, ['sysctl', '-qw', 'net.ipv4.tcp_syncookies=0', 'net.ipv4.tcp_synack_retries=7']);
    flood(16);
    const real = await client.connect({ address: SERVER_V4, port: PORT, timeoutMs: 900 });
    expect(real.errno).toBe('TIMEDOUT-LOCAL');
    const full = await replay(syn(40_000));
    expect(full.halfOpen).toBeGreaterThan(2);
    expect(full.replay).toMatchObject({ reply: 'silence', isAnswered: false });
    inside(pair.server, ['sysctl', '-qw', 'net.ipv4.tcp_syncookies=1']);
    expect((await replay(syn(40_000))).replay).toMatchObject({ reply: 'syn-ack', isAnswered: true });
  }, 60_000);

  it('knows an old connection of the same addresses and ports, as long as it is there', async () => {
    const calls = systemCalls();
    end = [listenIn(pair.server, '0.0.0.0', PORT)];
    const place = openNamespace(pair.client);
    const fd = place.enter(() => calls.socket(2, 1, 0));
    place.close();
    calls.bind(fd, encodeSocketAddress(CLIENT_V4, 41_000, 0) as Uint8Array);
    calls.connect(fd, encodeSocketAddress(SERVER_V4, PORT, 0) as Uint8Array);
    end.push(() => calls.close(fd));
    const established = await replay(syn(41_000));
    expect(established).toMatchObject({ stale: 'ESTAB', replay: { reply: 'ack', isAnswered: false } });
    expect(await replay(syn(41_001))).toMatchObject({
      stale: undefined,
      replay: { reply: 'syn-ack', isAnswered: true },
    });
  }, 60_000);

  it('is asked for its address first when no SYN was seen: without an answer of ARP none would come', async () => {
    end = [listenIn(pair.server, '0.0.0.0', PORT)];
    inside(pair.server, ['sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=8']);
    end.push(() => inside(pair.server, ['sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=0']));
    const supposed = syn(42_000);
    expect((await replay(supposed)).replay).toMatchObject({
      reply: 'syn-ack',
      isAnswered: false,
      remark: 'no-arp-answer',
    });
    const frame = tcpFrame({ ...supposed, sourceMac: MAC, destinationMac: MAC, flags: TCP_SYN, sequence: 1 });
    const seen = { ...supposed, packet: frame.subarray(ETHERNET_BYTES).toString('hex') };
    expect((await replay(seen)).replay).toMatchObject({ reply: 'syn-ack', isAnswered: true });
  }, 60_000);
});
