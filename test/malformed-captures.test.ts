import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ParseError } from '../src/formats/parse-error.ts';
import { readAll } from '../src/formats/pcap/testing/read-all.ts';
import { readCapture } from '../src/host/capture-input.ts';

/** Captures of tcpdump's test suite (https://github.com/the-tcpdump-group/tcpdump, tests/), many of them made to break a decoder. */
const DIRECTORY = join(import.meta.dirname, '../../shared/data/tcpdump-tests');
const names = existsSync(DIRECTORY) ? readdirSync(DIRECTORY).filter((name) => /\.pcap(ng)?$/.test(name)) : [];
if (names.length === 0) console.log(`skipped: the captures of tcpdump's test suite are not in ${DIRECTORY}`);

const hasCapinfos = isInstalled('capinfos', ['--version']);
const hasTcpdump = isInstalled('tcpdump', ['--version']);
if (!hasCapinfos) console.log('skipped in part: capinfos is not installed (package tshark)');
if (!hasTcpdump) console.log('skipped in part: tcpdump is not installed');

const UNKNOWN_LINK = 'capinfos refuses a file whose link type Wireshark does not know; tcpdump counts as we do';

/** Captures that capinfos does not count as we do, and why that is right. A file that no longer differs fails the test. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  'brcm-tag-prepend.pcap': UNKNOWN_LINK,
  'brcm-tag.pcap': UNKNOWN_LINK,
  'dsa-high-vid.pcap': UNKNOWN_LINK,
  'dsa.pcap': UNKNOWN_LINK,
  'edsa-high-vid.pcap': UNKNOWN_LINK,
  'edsa.pcap': UNKNOWN_LINK,
  'frf16_magic_ie-oobr.pcap': UNKNOWN_LINK,
  'hoobr_juniper3.pcap': `${UNKNOWN_LINK} (and it takes bits for the link type that say how long the frame check sequence is)`,
  'juniper_es_oobr.pcap': `${UNKNOWN_LINK} (and it takes bits for the link type that say how long the frame check sequence is)`,
  'juniper_monitor_invalid_cookie_length.pcap': UNKNOWN_LINK,
  'kday6.pcap': UNKNOWN_LINK,
  'vtp_asan-2.pcap': UNKNOWN_LINK,
  'vtp_asan-3.pcap': UNKNOWN_LINK,
  'vtp_asan.pcap': UNKNOWN_LINK,
};

describe.skipIf(names.length === 0)('captures of the tcpdump test suite', () => {
  test('each is read without damage and in bounded memory', async () => {
    const before = process.memoryUsage().rss;
    for (const name of names) {
      const { notes } = await readCapture(join(DIRECTORY, name), () => {});
      expect(notes, name).toEqual([]);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
  });

  test.skipIf(!hasCapinfos)('capinfos counts the same packets, but for the ones explained above', async () => {
    const counts = askCapinfos(DIRECTORY, names);
    const different = new Map<string, number>();
    for (const name of names) {
      const packets = await countPackets(join(DIRECTORY, name));
      if (packets !== counts.get(name)) different.set(name, packets ?? -1);
    }
    expect([...different.keys()]).toEqual(Object.keys(DIFFERENCES));
    if (!hasTcpdump) return;
    for (const [name, packets] of different) {
      const counted = spawnSync('tcpdump', ['--count', '-r', join(DIRECTORY, name)], { encoding: 'utf8' });
      expect(Number.parseInt(counted.stdout, 10), name).toBe(packets);
    }
  });

  test('cut at every byte, small ones give the packets before the cut or a clear error', () => {
    const small = smallest(60);
    for (const name of small) {
      const file = new Uint8Array(readFileSync(join(DIRECTORY, name)));
      const whole = readAll(file);
      for (let length = 0; length < file.length; length += 1) {
        try {
          const { frames } = readAll(file.subarray(0, length));
          expect(frames.length, `${name} cut at ${length}`).toBeLessThanOrEqual(whole.frames.length);
          expect(frames.at(-1), `${name} cut at ${length}`).toEqual(whole.frames[frames.length - 1]);
        } catch (error) {
          if (!(error instanceof ParseError)) throw error;
          expect(length, name).toBeLessThan(24);
        }
      }
    }
  });

  test.skipIf(!hasCapinfos)('capinfos finds as many packets in cut captures', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'synscope-cut-'));
    try {
      const cuts: string[] = [];
      for (const name of smallest(20)) {
        const file = readFileSync(join(DIRECTORY, name));
        // A pcapng file that ends within its first block is a MIME file to capinfos; to us it is one without packets.
        const header = file.readUInt32LE(0) === 0x0a0d0d0a ? file.readUInt32LE(4) : 24;
        for (let length = header; length < file.length; length += 11) {
          const cut = `${length}-${name}`;
          writeFileSync(join(directory, cut), file.subarray(0, length));
          cuts.push(cut);
        }
      }
      const counts = askCapinfos(directory, cuts);
      expect(counts.size).toBeGreaterThan(cuts.length * 0.8);
      // capinfos refuses a file that ends within its first interface; to us it has no packet.
      for (const cut of cuts) expect(await countPackets(join(directory, cut)), cut).toBe(counts.get(cut) ?? 0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

/** The `count` smallest captures of each format. */
function smallest(count: number): string[] {
  const bySize = names
    .map((name) => ({ name, bytes: readFileSync(join(DIRECTORY, name)).length }))
    .filter(({ name }) => !(name in DIFFERENCES))
    .sort((a, b) => a.bytes - b.bytes);
  const ofFormat = (suffix: string): string[] =>
    bySize.flatMap(({ name }) => (name.endsWith(suffix) ? [name] : [])).slice(0, count);
  return [...ofFormat('.pcap'), ...ofFormat('.pcapng').slice(0, count / 2)];
}

async function countPackets(path: string): Promise<number | undefined> {
  try {
    return (await readCapture(path, () => {})).packets;
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

/** Packets by file name, as capinfos counts them; files that it cannot open are left out. */
function askCapinfos(directory: string, files: readonly string[]): Map<string, number> {
  const options = { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 26 } as const;
  const { stdout } = spawnSync('capinfos', ['-c', '-T', '-M', '-r', ...files], options);
  const lines = stdout.split('\n').filter((line) => line.includes('\t'));
  return new Map(
    lines.map((line) => {
      const [name, count] = line.split('\t');
      return [name!, Number(count)];
    }),
  );
}

function isInstalled(program: string, options: readonly string[]): boolean {
  return spawnSync(program, options).error === undefined;
}
