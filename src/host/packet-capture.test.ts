import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostCapture } from './host.ts';
import { NetnsHost } from './netns-host.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from './testing/namespaces.ts';
import { readSll2, type Sll2Packet } from './testing/sll2.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: captures in network namespaces (${missing})`);

describe.skipIf(missing !== undefined).each([
  { kind: 'ring', isFew: false },
  { kind: 'queue', isFew: true },
])('a capture by a $kind', ({ isFew }) => {
  let pair: NamespacePair;
  let server: NetnsHost;
  let client: NetnsHost;

  beforeAll(() => {
    pair = makeNamespacePair('sync');
    server = new NetnsHost(pair.server);
    client = new NetnsHost(pair.client);
  });
  afterAll(async () => {
    await server?.close();
    await client?.close();
    pair?.remove();
  });

  /** Collects what a capture sees while something happens. */
  async function during(capture: HostCapture, happens: () => Promise<unknown>): Promise<Uint8Array> {
    await capture.ready;
    await happens();
    capture.stop();
    const chunks: Uint8Array[] = [];
    for await (const chunk of capture.chunks) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  function flags({ bytes }: Sll2Packet): number {
    return bytes[(bytes[0]! >>> 4 === 4 ? 20 : 40) + 13]!;
  }

  it('sees SYN and RST of both versions of IP, and who came by which interface', async () => {
    const capture = await server.capture({ isFew, port: 9 });
    const beforeNs = await server.nowNs();
    const packets = readSll2(
      await during(capture, async () => {
        await client.connect({ address: SERVER_V4, port: 9, timeoutMs: 2000 });
        await client.connect({ address: SERVER_V6, port: 9, timeoutMs: 2000 });
        await client.connect({ address: SERVER_V4, port: 10, timeoutMs: 2000 });
      }),
    );
    const tcp = packets.filter(({ bytes, protocol }) => protocol === 0x800 || bytes[6] === 6);
    expect(tcp.map((one) => [one.protocol, flags(one) & 0x17, one.packetType])).toEqual([
      [0x800, 0x02, 0],
      [0x800, 0x14, 4],
      [0x86dd, 0x02, 0],
      [0x86dd, 0x14, 4],
    ]);
    expect([...tcp[0]!.bytes.subarray(12, 20)].join('.')).toBe(`${CLIENT_V4}.${SERVER_V4}`);
    const links = (await server.run(['ip', '-o', 'link', 'show', 'eth0'])).stdout;
    const peer = (await client.run(['ip', '-o', 'link', 'show', 'eth0'])).stdout;
    const mac = /link\/ether (\S+)/.exec(peer)?.[1]?.replaceAll(':', '');
    expect(tcp[0]).toMatchObject({ interfaceIndex: Number(/^\d+/.exec(links)?.[0]), hardware: 1, linkAddress: mac });
    const elapsedNs = tcp[0]!.timeNs - beforeNs;
    expect(elapsedNs > -1_000_000n && elapsedNs < 5_000_000_000n).toBe(true);
    expect(packets.some(({ protocol }) => protocol === 0x806)).toBe(true);
    expect(packets.some(({ protocol, bytes }) => protocol === 0x86dd && bytes[6] === 58 && bytes[40] === 135)).toBe(
      true,
    );
    expect(capture.lost()).toBe(0);
  });

  it('sees the final ACK, and nothing of the bulk that follows', async () => {
    const script = `
      const net = require('node:net');
      const server = net.createServer((socket) => socket.end(Buffer.alloc(200000))).listen(9009, '${SERVER_V4}', () => {
        const client = net.connect(9009, '${SERVER_V4}').resume().on('close', () => server.close());
      });`;
    const capture = await server.capture({ isFew, port: 9009 });
    const packets = readSll2(await during(capture, () => server.run([process.execPath, '-e', script])));
    const kinds = packets.filter(({ packetType, protocol }) => packetType === 0 && protocol === 0x800).map(flags);
    expect(kinds.slice(0, 3)).toEqual([0x02, 0x12, 0x10]);
    expect(kinds.filter((one) => (one & 1) === 1).length).toBe(2);
    expect(packets.every(({ wireBytes, bytes }) => wireBytes <= 120 || (bytes[33]! & 0x07) !== 0)).toBe(true);
  });

  it('sees only one peer when asked to', async () => {
    const capture = await server.capture({ isFew, port: 9, peer: CLIENT_V6 });
    const packets = readSll2(
      await during(capture, async () => {
        await client.connect({ address: SERVER_V4, port: 9, timeoutMs: 2000 });
        await client.connect({ address: SERVER_V6, port: 9, timeoutMs: 2000 });
      }),
    );
    expect(packets.some(({ protocol }) => protocol === 0x800)).toBe(false);
    expect(packets.filter(({ protocol, bytes }) => protocol === 0x86dd && bytes[6] === 6).length).toBe(2);
  });

  it('cuts packets, and keeps their length', async () => {
    const capture = await server.capture({ isFew, port: 9, snapLengthBytes: 44 });
    const packets = readSll2(
      await during(capture, () => client.connect({ address: SERVER_V4, port: 9, timeoutMs: 2000 })),
    );
    const syn = packets.find(({ protocol, packetType }) => protocol === 0x800 && packetType === 0)!;
    expect([syn.bytes.length, syn.wireBytes]).toEqual([44, 60]);
  });

  it('is readable for tcpdump', async ({ skip }) => {
    if (spawnSync('tcpdump', ['--version']).status !== 0) skip('needs tcpdump');
    const capture = await server.capture({ isFew, port: 9 });
    const stream = await during(capture, () => client.connect({ address: SERVER_V4, port: 9, timeoutMs: 2000 }));
    const file = join(tmpdir(), `synscope-ring-${process.pid}.pcap`);
    writeFileSync(file, stream);
    const text = execFileSync('tcpdump', ['-nr', file, 'tcp'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(text).toMatch(new RegExp(`In +IP ${CLIENT_V4}\\.\\d+ > ${SERVER_V4}\\.9: Flags \\[S\\]`));
    execFileSync('rm', [file]);
  });

  it('hands packets over within a moment, and ends when its reader leaves', async () => {
    const capture = await server.capture({ isFew, port: 9 });
    const reader = capture.chunks[Symbol.asyncIterator]();
    expect((await reader.next()).value?.length).toBe(24);
    const startedMs = performance.now();
    void client.connect({ address: SERVER_V4, port: 9, timeoutMs: 2000 });
    expect((await reader.next()).value?.length).toBeGreaterThan(50);
    expect(performance.now() - startedMs).toBeLessThan(500);
    await reader.return?.();
    expect(capture.lost()).toBe(0);
  });
});
