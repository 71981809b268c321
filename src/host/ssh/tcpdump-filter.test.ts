import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runBpf } from '../../formats/bpf/classic-bpf.ts';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2 } from '../../formats/wire/numbers.ts';
import { type BuiltPacket, icmp, packet } from '../../formats/wire/testing/packets.ts';
import { handshakeFilter } from '../handshake-filter.ts';
import type { CaptureSpec } from '../host.ts';
import { Sll2Stream } from '../sll2-stream.ts';
import { readSll2 } from '../testing/sll2.ts';
import { tcpdumpFilter } from './tcpdump-filter.ts';

const hasTcpdump = spawnSync('tcpdump', ['--version']).status === 0;
if (!hasTcpdump) console.log('skipped: filters of tcpdump (needs tcpdump)');

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synscope-filter-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function built(link: 'sll' | 'sll2'): BuiltPacket[] {
  const options = { link } as const;
  const flags = ['S', 'S.', 'R', 'F.', '.', 'P.'];
  const segments = [
    '10.0.0.1:4000 > 10.0.0.2:443',
    '[2001:db8::1]:4000 > [2001:db8::2]:443',
    '10.0.0.2:443 > 10.0.0.3:9',
  ];
  const quoted = [
    packet('0 10.0.0.1:4000 > 10.0.0.2:443 S 1 win 9'),
    packet('0 [2001:db8::1]:1 > [2001:db8::2]:2 S 1 win 9'),
  ];
  return [
    ...segments.flatMap((ends) => flags.map((flag) => packet(`0 ${ends} ${flag} 1 ack 1 win 9 <mss 1460>`, options))),
    ...segments.map((ends) => packet(`0 ${ends} P. 1:500(499) ack 1 win 9`, options)),
    ...segments.map((ends) => packet(`0 ${ends} udp (20)`, options)),
    ...[0, 3, 4, 5, 8, 11, 12].map((type) => icmp('10.9.9.9', type, 0, quoted[0]!, options)),
    ...[1, 2, 3, 4, 128, 129, 133, 134, 135, 136, 137].map((type) => icmp('2001:db8::9', type, 0, quoted[1]!, options)),
    packet('0 [2001:db8::1]:4000 > [2001:db8::2]:80 S 1 win 9', {
      ...options,
      ipv6Extensions: [[60, [1, 4, 0, 0, 0, 0]]],
    }),
  ];
}

it
  .skipIf(!hasTcpdump)
  .each<CaptureSpec>([
    {},
    { port: 443 },
    { port: 9 },
    { peer: '10.0.0.3' },
    { port: 443, peer: '2001:db8::1' },
    { port: 443, peer: '::ffff:10.0.0.1' },
  ])('tcpdump keeps what the kernel would: %j', (spec) => {
  const packets = built('sll2');
  const file = join(folder, 'all.pcap');
  // The number of a packet is its time.
  const numbered = packets.map(({ bytes }, index) => ({ bytes, timeNs: BigInt(index) * 1_000_000_000n }));
  writeFileSync(file, pcapFile(numbered, { linkType: LINKTYPE_LINUX_SLL2, nanosecond: true }));
  const { stdout, stderr } = spawnSync('tcpdump', [
    '-r',
    file,
    '--time-stamp-precision=nano',
    '-w',
    '-',
    tcpdumpFilter(spec),
  ]);
  expect(stderr.toString()).not.toMatch(/error/i);
  const kept = readSll2(stdout).map(({ timeNs }) => Number(timeNs / 1_000_000_000n));
  const program = handshakeFilter(spec);
  const wanted = packets.flatMap(({ bytes }, index) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return runBpf(program, new DataView(bytes.buffer, bytes.byteOffset + 20), view.getUint16(0)) > 0 ? [index] : [];
  });
  expect(kept).toEqual(wanted);
  expect(kept.length).toBeGreaterThan(0);
});

it.skipIf(!hasTcpdump)('leaves out one connection', () => {
  const file = join(folder, 'own.pcap');
  writeFileSync(
    file,
    pcapFile(
      built('sll2').map(({ bytes }) => ({ bytes, timeNs: 1n })),
      { linkType: LINKTYPE_LINUX_SLL2 },
    ),
  );
  const count = (filter: string): number =>
    spawnSync('tcpdump', ['-nr', file, `tcp and (${filter})`])
      .stdout.toString()
      .trim()
      .split('\n').length;
  expect(count(tcpdumpFilter({})) - count(tcpdumpFilter({}, { address: '10.0.0.1', port: 4000 }))).toBe(6);
  expect(count(tcpdumpFilter({})) - count(tcpdumpFilter({}, { address: '2001:db8::1', port: 4000 }))).toBe(6);
});

it('takes no peer that is no address', () => {
  expect(() => tcpdumpFilter({ peer: '10.0.0.1 or tcp' })).toThrow('it is no address');
});

it('an older capture gets the header of a newer one', () => {
  const packets = built('sll');
  const stream = new Sll2Stream();
  const file = pcapFile(
    packets.map(({ bytes }, index) => ({ bytes, timeNs: BigInt(index) * 1000n })),
    {
      linkType: LINKTYPE_LINUX_SLL,
      bigEndian: true,
    },
  );
  const records = Buffer.concat(
    [file.subarray(0, 30), file.subarray(30)].map((piece) => Buffer.from(stream.push(piece))),
  );
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b23c4d, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(276, 20);
  const read = readSll2(Buffer.concat([header, records]));
  const modern = built('sll2');
  expect(read.length).toBe(packets.length);
  for (const [index, { protocol, bytes, timeNs }] of read.entries()) {
    expect([protocol, timeNs]).toEqual([new DataView(modern[index]!.bytes.buffer).getUint16(0), BigInt(index) * 1000n]);
    expect(bytes).toEqual(modern[index]!.bytes.slice(20));
  }
});
