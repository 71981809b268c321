import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trackCapture } from '../src/collect/track-capture.ts';
import { CaptureCollector } from '../src/engine/capture-collector.ts';
import { ParseError } from '../src/formats/parse-error.ts';
import type { CaptureReport } from '../src/model/diagnosis.ts';
import { InputError } from '../src/model/errors.ts';
import { renderJson } from '../src/report/json.ts';
import { renderTerminal } from '../src/report/terminal.ts';

/** Captures of tcpdump's test suite (https://github.com/the-tcpdump-group/tcpdump, tests/), many of them made to break a decoder. */
const DIRECTORY = join(import.meta.dirname, '../../shared/data/tcpdump-tests');
const names = existsSync(DIRECTORY) ? readdirSync(DIRECTORY) : [];
if (names.length === 0)
  console.log('robustness: skipped, the captures of tcpdump’s test suite are not beside the repository');

/** Reads a capture as `synscope read --all` does; undefined when it is no capture. */
async function read(name: string): Promise<CaptureReport | undefined> {
  const collector = new CaptureCollector({ name, all: true, limit: 1000 });
  try {
    const { summary, tracker, baseNs } = await trackCapture(join(DIRECTORY, name), { capacity: 20_000 }, collector);
    return collector.report(tracker, baseNs, [summary], []);
  } catch (error) {
    if (error instanceof ParseError || error instanceof InputError) return undefined;
    throw error;
  }
}

describe.skipIf(names.length === 0)('captures that were made to break decoders', () => {
  it('are read to the end, and reported in clean text', async () => {
    let handshakes = 0;
    let readable = 0;
    for (const name of names) {
      const report = await read(name);
      if (report === undefined) continue;
      readable++;
      handshakes += report.summary.handshakes;
      const sum = Object.values(report.summary.outcomes).reduce((total, count) => total + count, 0);
      expect(sum, name).toBe(report.summary.handshakes);
      for (const verbose of [0, 2]) {
        const text = renderTerminal(report, { columns: 80, color: false, unicode: true, verbose });
        expect(text, name).not.toMatch(/[^\n\P{Cc}]/u);
        expect(text, name).not.toMatch(/undefined|NaN|\[object/);
      }
      const ascii = renderTerminal(report, { columns: 40, color: false, unicode: false, verbose: 1 });
      expect(ascii, name).toMatch(/^[\n -~]*$/);
      const json = renderJson(report);
      expect(json, name).not.toMatch(/[^\n\P{Cc}]/u);
      expect(JSON.parse(json), name).toMatchObject({
        command: 'read',
        summary: { handshakes: report.summary.handshakes },
      });
    }
    expect(readable).toBeGreaterThan(names.length * 0.9);
    expect(handshakes).toBeGreaterThan(20);
  });
});
