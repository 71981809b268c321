import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { concatBytes, patternBytes, pcapFile, pcapngFile } from '../formats/pcap/testing/capture-builder.ts';
import type { CaptureSummary } from '../model/capture.ts';
import { InputError } from '../model/errors.ts';
import { type ReadCaptureOptions, readCapture } from './capture-input.ts';

const START = 1_700_000_000_123_456_000n;
const packets = Array.from({ length: 3000 }, (_, index) => ({
  timeNs: START + BigInt(index) * 1_000_000n,
  bytes: patternBytes(40 + (index % 60), index),
}));
const capture = pcapFile(packets);
let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'synscope-input-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function put(name: string, bytes: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

/** Reads a capture and checks that its packets are the first ones of `packets`, in order and with consecutive numbers. */
async function read(name: string, options?: ReadCaptureOptions): Promise<CaptureSummary> {
  let next = 1;
  const summary = await readCapture(
    name,
    (reader, view, batch, firstFrameNumber) => {
      expect(firstFrameNumber).toBe(next);
      for (let index = 0; index < batch.count; index += 1) {
        const expected = packets[(next - 1) % packets.length]!;
        const at = view.byteOffset + batch.dataOffset[index]!;
        const bytes = new Uint8Array(view.buffer, at, batch.capturedBytes[index]!);
        if (next % 50 === 1) expect(bytes).toEqual(expected.bytes);
        const time = reader.timeNs(view, batch.recordOffset[index]!, batch.interfaceId[index]!);
        expect(reader.baseNs! + BigInt(time)).toBe(expected.timeNs);
        next += 1;
      }
    },
    options,
  );
  expect(summary.packets).toBe(next - 1);
  return summary;
}

const whole = {
  format: 'pcap',
  interfaces: [{ linkType: 1, snapLength: 262144 }],
  packets: packets.length,
  bytes: capture.length,
  firstNs: START,
  lastNs: packets.at(-1)!.timeNs,
  notes: [],
};

describe('files', () => {
  test('plain', async () => {
    const name = put('plain.pcap', capture);
    expect(await read(name)).toEqual({ name, ...whole });
  });

  test('with a buffer that is smaller than a record', async () => {
    const name = put('small-buffer.pcap', capture);
    for (const chunkBytes of [64, 100, 1000]) expect(await read(name, { chunkBytes })).toEqual({ name, ...whole });
  });

  test('gzip, of one and of several members', async () => {
    const half = 50_000;
    const single = put('one.gz', gzipSync(capture));
    const several = put(
      'several',
      concatBytes([gzipSync(capture.subarray(0, half)), gzipSync(capture.subarray(half))]),
    );
    const padded = put('padded.gz', concatBytes([gzipSync(capture), new Uint8Array(512)]));
    for (const name of [single, several, padded]) {
      expect(await read(name)).toEqual({ name, ...whole, compression: 'gzip' });
    }
  });

  test('zstd, of one and of several frames, also skippable ones', async () => {
    const half = 50_000;
    const skippable = Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
    const parts = [zstdCompressSync(capture.subarray(0, half)), zstdCompressSync(capture.subarray(half))];
    const single = put('one.zst', zstdCompressSync(capture));
    const several = put('several.pcap', concatBytes([skippable, parts[0]!, skippable, parts[1]!, skippable]));
    for (const name of [single, several]) {
      expect(await read(name)).toEqual({ name, ...whole, compression: 'zstd' });
    }
  });

  test('cut in the middle of a record', async () => {
    const { packets: found, notes } = await read(put('cut.pcap', capture.subarray(0, -1)));
    expect(found).toBe(packets.length - 1);
    expect(notes.map((note) => note.code)).toEqual(['cut-short']);
  });

  test('cut compressed data gives what can be had and says so', async () => {
    for (const [name, bytes] of [
      ['cut.gz', gzipSync(capture)],
      ['cut.zst', zstdCompressSync(capture)],
    ] as const) {
      const { packets: found, notes } = await read(put(name, bytes.subarray(0, bytes.length - 20)));
      expect(found).toBeGreaterThan(100);
      expect(notes.map((note) => note.code)).toEqual(['compression-cut']);
    }
  });

  test('damaged compressed data gives what precedes the damage and says so', async () => {
    const bytes = concatBytes([gzipSync(concatBytes([capture, capture.subarray(24)])), patternBytes(100, 3)]);
    const { notes } = await read(put('damaged.gz', bytes));
    expect(notes.map((note) => note.code)).toEqual(['compression-damaged']);
  });

  test('times out of order: the bounds are those of the ends of the batches', async () => {
    const name = put('order.pcapng', pcapngFile([packets[5]!, packets[1]!]));
    const { firstNs, lastNs } = await readCapture(name, () => {});
    expect([firstNs, lastNs]).toEqual([packets[1]!.timeNs, packets[5]!.timeNs]);
  });

  test('progress is reported at the end', async () => {
    const seen: unknown[] = [];
    await read(put('progress.pcap', capture), { onProgress: (...progress) => seen.push(progress) });
    expect(seen).toEqual([[capture.length, capture.length]]);
  });

  test('what a callback throws comes through', async () => {
    const bug = new TypeError('a bug');
    const failing = readCapture(put('bug.pcap', capture), () => {
      throw bug;
    });
    await expect(failing).rejects.toBe(bug);
    const failingCompressed = readCapture(put('bug.pcap.gz', gzipSync(capture)), () => {
      throw bug;
    });
    await expect(failingCompressed).rejects.toBe(bug);
  });
});

describe('what cannot be read', () => {
  test.each([
    ['not-found', 'missing.pcap', 'does not exist'],
    ['not-found', 'plain.pcap/below', 'no directory'],
    ['is-directory', '.', 'is a directory'],
  ])('%s: %s', async (code, name, says) => {
    put('plain.pcap', capture);
    const error = await read(join(directory, name)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({ code });
    expect((error as InputError).message).toContain(says);
  });

  test.skipIf(process.getuid?.() === 0)('no permission (skipped for root, who may read everything)', async () => {
    const name = put('secret.pcap', capture);
    chmodSync(name, 0);
    await expect(read(name)).rejects.toMatchObject({ name: 'InputError', code: 'no-permission' });
  });

  test.each([
    ['empty', 'empty.pcap', new Uint8Array(0)],
    ['text', 'text.pcap', new TextEncoder().encode('hello')],
    ['header-cut', 'short.pcap', capture.subarray(0, 10)],
    ['etl', 'trace.ETL', new Uint8Array(100).fill(0xee)],
    ['text', 'text.gz', gzipSync('hello')],
    ['compression-cut', 'short.gz', gzipSync(capture).subarray(0, 12)],
    ['compression-cut', 'short.zst', zstdCompressSync(capture).subarray(0, 7)],
  ])('%s: %s', async (code, name, bytes) => {
    const path = put(name, bytes);
    const error = await read(path).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ParseError', code });
    expect((error as Error).message.startsWith(`${path}: `)).toBe(true);
  });
});

describe('named pipes', () => {
  function pipe(name: string): string {
    const path = join(directory, name);
    execFileSync('mkfifo', [path]);
    return path;
  }

  test('packets are handed on as they arrive', async () => {
    const name = pipe('live');
    const writer = createWriteStream(name);
    const seen: number[] = [];
    const ends = [24, 24 + 16 + 40, 24 + 16 + 40 + 16 + 41];
    const result = readCapture(name, (_reader, _view, batch) => {
      seen.push(batch.count);
      if (seen.length === 2) writer.end();
      else writer.write(capture.subarray(ends[1], ends[2]));
    });
    writer.write(capture.subarray(0, ends[1]));
    expect((await result).packets).toBe(2);
    expect(seen).toEqual([1, 1]);
  });

  test('compressed', async () => {
    const name = pipe('compressed');
    createWriteStream(name).end(zstdCompressSync(capture));
    expect(await read(name)).toEqual({ name, ...whole, compression: 'zstd' });
  });

  test('the first bytes one by one', async () => {
    const name = pipe('slow');
    const writer = createWriteStream(name);
    const result = read(name);
    for (const byte of capture.subarray(0, 30)) {
      await new Promise((resolve) => writer.write(Uint8Array.of(byte), resolve));
    }
    writer.end(capture.subarray(30));
    expect(await result).toEqual({ name, ...whole });
  });

  test('a writer that writes nothing', async () => {
    const name = pipe('silent');
    createWriteStream(name).end();
    await expect(read(name)).rejects.toMatchObject({ code: 'empty' });
  });
});

describe('a signal', () => {
  test('ends the reading of a file', async () => {
    const large = pcapFile(Array.from({ length: 300 }, () => ({ timeNs: START, bytes: new Uint8Array(65_000) })));
    const controller = new AbortController();
    const { packets: found, notes } = await readCapture(put('large.pcap', large), () => {}, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(300);
    expect(notes).toEqual([{ code: 'interrupted', statement: `Reading was stopped after packet ${found}.` }]);
  });

  test('ends the wait for packets, with what is known so far', async () => {
    const name = join(directory, 'endless');
    execFileSync('mkfifo', [name]);
    const writer = createWriteStream(name);
    writer.on('error', () => {});
    writer.write(capture.subarray(0, 24 + 16 + 40 + 5));
    const controller = new AbortController();
    const summary = await readCapture(name, () => controller.abort(), { signal: controller.signal });
    expect(summary).toMatchObject({ packets: 1, firstNs: START, notes: [] });
    writer.destroy();
  });

  test('ends the wait for the writer of a pipe', async () => {
    const name = join(directory, 'no-writer');
    execFileSync('mkfifo', [name]);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    expect(await readCapture(name, () => {}, { signal: controller.signal })).toMatchObject({ packets: 0 });
  });
});

describe('standard input', () => {
  const script = `
    import { readCapture } from ${JSON.stringify(join(import.meta.dirname, 'capture-input.ts'))};
    const summary = await readCapture('-', () => process.stderr.write('.')).catch((error) => error);
    console.log(summary.packets ?? summary.code);`;

  function run(command: string): string {
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    const env = { ...process.env, NODE: process.execPath, SCRIPT: script };
    return execFileSync('bash', ['-c', command], { cwd: directory, env, stdio: [...stdio], encoding: 'utf8' }).trim();
  }

  test('a pipe, a file, compressed ones, nothing', () => {
    put('in.pcap', capture);
    put('in.gz', gzipSync(capture));
    expect(run('cat in.pcap | "$NODE" --input-type=module -e "$SCRIPT"')).toBe('3000');
    expect(run('"$NODE" --input-type=module -e "$SCRIPT" < in.pcap')).toBe('3000');
    expect(run('cat in.gz | "$NODE" --input-type=module -e "$SCRIPT"')).toBe('3000');
    expect(run('"$NODE" --input-type=module -e "$SCRIPT" < in.gz')).toBe('3000');
    expect(run('true | "$NODE" --input-type=module -e "$SCRIPT"')).toBe('empty');
    expect(run('"$NODE" --input-type=module -e "$SCRIPT" < .')).toBe('is-directory');
  });

  test('a live capture is shown packet by packet', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' });
    child.stdin.write(capture.subarray(0, 24 + 16 + 40));
    await new Promise((resolve) => child.stderr.once('data', resolve));
    child.stdin.end();
    const output = await new Promise((resolve) => child.stdout.once('data', (data) => resolve(String(data))));
    expect(output).toBe('1\n');
  });
});
