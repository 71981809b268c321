import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHistory, openHistoryForReading } from './open-history.ts';
import { at, sampleIncident } from './testing/incidents.ts';

const WRITER = fileURLToPath(new URL('testing/writer.ts', import.meta.url));
const ROUNDS = process.env.FULL === '1' ? 8 : 3;

describe('a history whose process is killed', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-crash-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has everything that was acknowledged', async () => {
    let next = 1;
    /** What was under way at a kill: its incident and its counts may each have been kept or not, and the next writer may add them again. */
    const underWay = new Set<bigint>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const last = await writeAndKill(folder, next, next + 50 + Math.floor(Math.random() * 150));
      // Read before a watch opens it again, from the journal and the file as they were left.
      const read = await openHistoryForReading(folder);
      expect(await read?.lastIncidentId()).toBeGreaterThanOrEqual(last);
      expect(await read?.incident(last)).toEqual(sampleIncident(last));
      await read?.close();
      const store = await openHistory(folder);
      const ids = (await store.incidents({ limit: 100_000, samples: false })).map(({ id }) => id).reverse();
      expect(ids.slice(0, last)).toEqual(Array.from({ length: last }, (_, index) => index + 1));
      // The one that was under way may have been written as well.
      expect(ids.length - last).toBeLessThanOrEqual(1);
      underWay.add(at((last + 1) * 10));
      const steps = await store.timeline(at(10), at((last + 1) * 10), 10_000);
      const wrong = steps.filter(({ atNs, answered }) => answered !== 10 && !underWay.has(atNs));
      expect(wrong).toEqual([]);
      next = (await store.lastIncidentId()) + 1;
      await store.close();
      expect(readdirSync(folder).sort()).toEqual(['history.duckdb', 'history.lock']);
    }
  });

  it('belongs to one process at a time', async () => {
    const store = await openHistory(folder);
    await expect(openHistory(folder)).rejects.toMatchObject({
      problem: 'in-use',
      message: `another synscope watch keeps its history in ${folder}`,
    });
    await store.close();
    await (await openHistory(folder)).close();
  });

  it('takes over what is in the journal even if a part of it was cut', async () => {
    const last = await writeAndKill(folder, 1, 20);
    const segments = readdirSync(folder).filter((name) => name.startsWith('journal-'));
    expect(segments.length).toBeGreaterThan(0);
    const path = join(folder, segments.at(-1) as string);
    const { appendFileSync } = await import('node:fs');
    appendFileSync(path, readFileSync(path, 'utf8').slice(-200, -100));
    const store = await openHistory(folder);
    expect(await store.incident(last)).toEqual(sampleIncident(last));
    await store.close();
  });
});

/** Lets a process write until it has acknowledged an id, and kills it. @returns the last id that it acknowledged */
async function writeAndKill(folder: string, first: number, until: number): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, [WRITER, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (lastLine(said) >= until) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return lastLine(said);
}

function lastLine(text: string): number {
  return Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1) ?? 0);
}
