import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareCaptures } from '../src/engine/compare-captures.ts';
import { createFrameReader } from '../src/formats/pcap/frame-reader.ts';
import { createFrameBatch } from '../src/formats/pcap/frames.ts';
import type { TrackedCapture } from '../src/handshake/compare/tracked-capture.ts';
import { HandshakeScanner } from '../src/handshake/scan.ts';
import { HandshakeTracker } from '../src/handshake/tracker.ts';
import type { PathLocation } from '../src/model/path.ts';
import { buildGenerator, whyNoGenerator } from './pcapgen.ts';

/** What the generator calls each kind of failure, and where on the path that is. */
const LOCATIONS: Readonly<Record<string, PathLocation>> = {
  syn_lost: 'lost-before-server',
  syn_ignored: 'server-silent',
  synack_lost: 'answer-lost',
  ack_lost: 'final-ack-lost',
  rst_server: 'refused-by-server',
  rst_middle: 'refused-by-middlebox',
  icmp_router: 'icmp-from-router',
  icmp_host: 'icmp-from-server',
  syn_lost_once: 'late',
  wrong_ack: 'client-rejected-answer',
};

const FLOWS = 3000;

const skipped = whyNoGenerator();
if (skipped !== undefined) console.log(`compare-truth: skipped, ${skipped}`);

describe.skipIf(skipped !== undefined)('comparison of generated captures with known truth', () => {
  const directory = mkdtempSync(join(tmpdir(), 'synscope-truth-'));
  const truth = new Map<string, string>();

  beforeAll(() => {
    buildGenerator(join(directory, 'pcapgen'));
    generate('c.pcap', ['-v', 'c', '-T', join(directory, 'truth.tsv')]);
    for (const line of readFileSync(join(directory, 'truth.tsv'), 'utf8').split('\n')) {
      const [, kind, client, clientPort, server, serverPort] = line.split('\t');
      if (serverPort !== undefined) {
        truth.set(`${canonical(client!)} ${clientPort} ${canonical(server!)} ${serverPort}`, kind!);
      }
    }
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  function generate(name: string, options: readonly string[], snapLength = 128): string {
    const file = join(directory, name);
    const common = ['-F', String(FLOWS), '-f', '200', '-r', '100', '-s', String(snapLength)];
    execFileSync(join(directory, 'pcapgen'), [...common, ...options, file], { stdio: 'ignore' });
    return file;
  }

  /** Client and server capture compared: how often each kind was placed right, wrong, or not at all. */
  function score(captures: readonly TrackedCapture[]): Score {
    const report = compareCaptures(captures);
    const result: Score = { right: 0, unmatched: 0, wrong: [], wrongCertain: [], missing: 0, report };
    const seen = new Set<string>();
    for (const { handshake, path } of report.diagnoses) {
      const { client, server } = handshake;
      const key = `${client.address} ${client.port} ${server.address} ${server.port}`;
      const kind = truth.get(key) ?? 'ok';
      seen.add(key);
      if (path!.location === LOCATIONS[kind]) result.right++;
      else if (path!.location === 'unmatched') result.unmatched++;
      else {
        const line = `${kind}: ${path!.confidence} ${path!.sentence}`;
        result.wrong.push(line);
        if (path!.confidence === 'certain') result.wrongCertain.push(line);
      }
    }
    result.missing = [...truth.keys()].filter((key) => !seen.has(key)).length;
    return result;
  }

  function expectAllRight(captures: readonly TrackedCapture[]): void {
    const { right, unmatched, wrong, missing } = score(captures);
    expect({ right, unmatched, wrong, missing }).toEqual({ right: truth.size, unmatched: 0, wrong: [], missing: 0 });
  }

  it('places every failure across source translation and a clock that is 2.5 s ahead', () => {
    const client = load(join(directory, 'c.pcap'));
    const server = load(generate('nat.pcap', ['-v', 's', '-o', '2500000', '-N']));
    expectAllRight([client, server]);
    const [clock] = compareCaptures([client, server]).clocks!;
    expect(Math.abs(Number(clock!.offsetNs) + 2.5e9)).toBeLessThanOrEqual(Number(clock!.uncertaintyNs));
    expect(clock!.confidence).toBe('certain');
  });

  it('places every failure with a clock that is an hour behind, and no translation', () => {
    expectAllRight([load(join(directory, 'c.pcap')), load(generate('behind.pcap', ['-v', 's', '-o', '-3600000000']))]);
  });

  it('measures the drift of a clock that runs 80 ppm fast', () => {
    const file = generate('drift.pcap', ['-v', 's', '-N']);
    const server = load(file, (ns) => ns * (1 + 80e-6));
    expectAllRight([load(join(directory, 'c.pcap')), server]);
    const [clock] = compareCaptures([load(join(directory, 'c.pcap')), server]).clocks!;
    expect(clock!.driftPpm).toBeGreaterThan(75);
    expect(clock!.driftPpm).toBeLessThan(85);
  });

  it('finds a clock that was set while it captured', () => {
    const file = join(directory, 'nat.pcap');
    const server = load(file, (ns) => (ns > 15e9 ? ns + 3e9 : ns));
    const { right, wrongCertain, report } = score([load(join(directory, 'c.pcap')), server]);
    expect(wrongCertain).toEqual([]);
    expect(right / truth.size).toBeGreaterThan(0.97);
    expect(report.notes.map(({ code }) => code)).toContain('clock-step');
  });

  it('notices that the captures were given the wrong way round', () => {
    const swapped = [load(join(directory, 'nat.pcap')), load(join(directory, 'c.pcap'))];
    expectAllRight(swapped);
    expect(compareCaptures(swapped).notes.map(({ code }) => code)).toContain('captures-reordered');
  });

  it('places every failure with a VLAN tag on one side', () => {
    expectAllRight([load(join(directory, 'c.pcap')), load(generate('vlan.pcap', ['-v', 's', '-V', '-z']))]);
  });

  it('is not misled by copies of every packet on one side', () => {
    const server = load(join(directory, 'nat.pcap'), undefined, { copies: true });
    expectAllRight([load(join(directory, 'c.pcap')), server]);
  });

  it('is never surely wrong at a snaplen that cuts ICMPv6 errors', () => {
    const client = load(generate('c96.pcap', ['-v', 'c'], 96));
    const { right, wrongCertain } = score([client, load(generate('s96.pcap', ['-v', 's', '-N'], 96))]);
    expect(wrongCertain).toEqual([]);
    expect(right / truth.size).toBeGreaterThan(0.9);
  });

  it.each([
    ['the server capture begins late and ends early', [0, 45e9], [12e9, 24e9]],
    ['the client capture begins late', [10e9, 60e9], [0, 60e9]],
    ['they overlap by a few seconds', [0, 16e9], [12e9, 60e9]],
    ['they do not overlap', [0, 10e9], [20e9, 60e9]],
  ] as const)('is never surely wrong when %s', (_, clientWindow, serverWindow) => {
    const client = load(join(directory, 'c.pcap'), undefined, { window: clientWindow });
    const server = load(join(directory, 'nat.pcap'), undefined, { window: serverWindow });
    const { wrongCertain } = score([client, server]);
    expect(wrongCertain).toEqual([]);
  });

  it('is never surely wrong when one packet in fifty is missing from the server capture', () => {
    const server = load(join(directory, 'nat.pcap'), undefined, { dropEvery: 50 });
    const { wrongCertain, right } = score([load(join(directory, 'c.pcap')), server]);
    expect(wrongCertain).toEqual([]);
    expect(right / truth.size).toBeGreaterThan(0.85);
  });
});

interface Score {
  right: number;
  unmatched: number;
  wrong: string[];
  wrongCertain: string[];
  missing: number;
  report: ReturnType<typeof compareCaptures>;
}

interface LoadOptions {
  /** Keeps only packets of these nanoseconds since the first. */
  readonly window?: readonly [number, number];
  /** Every packet twice. */
  readonly copies?: boolean;
  readonly dropEvery?: number;
}

/** Tracks a capture file; `warp` maps nanoseconds since its first packet to what a wrong clock would say. */
function load(name: string, warp: (ns: number) => number = (ns) => ns, options: LoadOptions = {}): TrackedCapture {
  const file = rewrite(readFileSync(name), warp, options);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const reader = createFrameReader(view, 0, file.byteLength)!;
  const tracker = new HandshakeTracker({ keep: true, capacity: 20_000 });
  const scanner = new HandshakeScanner(tracker);
  const batch = createFrameBatch(1024);
  const times: number[] = [];
  let frame = 1;
  for (let at = 0; at < file.byteLength; ) {
    const next = reader.walk(view, at, file.byteLength, batch);
    scanner.scan(reader, view, batch, frame);
    for (let i = 0; i < batch.count; i++)
      times.push(reader.timeNs(view, batch.recordOffset[i]!, batch.interfaceId[i]!));
    frame += batch.count;
    if (next === at) break;
    at = next;
  }
  tracker.finish(times.at(-1) ?? 0);
  const baseNs = reader.baseNs ?? 0n;
  return {
    name: name.replace(/.*\//, ''),
    table: tracker.table,
    baseNs,
    firstNs: baseNs + BigInt(Math.round(times[0] ?? 0)),
    lastNs: baseNs + BigInt(Math.round(times.at(-1) ?? 0)),
    snapLength: reader.interfaces[0]?.snapLength ?? 0,
  };
}

/** Edits the records of a little-endian pcap file. */
function rewrite(
  file: Uint8Array,
  warp: (ns: number) => number,
  { window, copies, dropEvery }: LoadOptions,
): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const perUnit = view.getUint32(0, true) === 0xa1b23c4d ? 1 : 1000;
  const pieces: Uint8Array[] = [file.subarray(0, 24)];
  let first: number | undefined;
  for (let at = 24, n = 1; at + 16 <= file.byteLength; n++) {
    const end = at + 16 + view.getUint32(at + 8, true);
    const seconds = view.getUint32(at, true);
    first ??= seconds;
    const ns = (seconds - first) * 1e9 + view.getUint32(at + 4, true) * perUnit;
    if (
      (window === undefined || (ns >= window[0] && ns <= window[1])) &&
      (dropEvery === undefined || n % dropEvery !== 0)
    ) {
      const warped = warp(ns);
      view.setUint32(at, first + Math.floor(warped / 1e9), true);
      view.setUint32(at + 4, Math.floor((warped % 1e9) / perUnit), true);
      pieces.push(file.subarray(at, end));
      if (copies === true) pieces.push(file.subarray(at, end));
    }
    at = end;
  }
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

function canonical(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}
