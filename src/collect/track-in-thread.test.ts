import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ParseError } from '../formats/parse-error.ts';
import { materialize } from '../handshake/materialize.ts';
import { InputError } from '../model/errors.ts';
import { type ComparedInput, trackForComparison } from './track-for-comparison.ts';
import { trackInThread } from './track-in-thread.ts';

const sample = fileURLToPath(new URL('../../samples/answer-lost/server.pcap', import.meta.url));

function content({ summary, capture }: ComparedInput): unknown {
  const { table, baseNs, ...rest } = capture;
  const handshakes = Array.from({ length: table.rowEnd }, (_, row) => materialize(table, row, baseNs));
  return { summary, rest, baseNs, handshakes };
}

test('a thread tracks a capture just as this one does', async () => {
  const here = content(await trackForComparison(sample, 'server.pcap'));
  expect(content(await trackInThread(sample, 'server.pcap', {}))).toEqual(here);
});

test('progress of a thread arrives', async () => {
  const read: number[] = [];
  await trackInThread(sample, 'server.pcap', { onProgress: (bytes) => read.push(bytes) });
  expect(read.at(-1)).toBeGreaterThan(0);
});

test('what a thread cannot use is told as the error that it is', async () => {
  const missing = trackInThread('/nonexistent/x.pcap', 'x.pcap', {});
  await expect(missing).rejects.toBeInstanceOf(InputError);
  const text = trackInThread(fileURLToPath(import.meta.url), 'x.ts', {});
  await expect(text).rejects.toBeInstanceOf(ParseError);
});

test('a thread that is told to stop ends with what it has', async () => {
  const { summary } = await trackInThread(sample, 'server.pcap', { signal: AbortSignal.abort() });
  expect(summary.packets).toBe(0);
});
