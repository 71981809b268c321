import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('testing/full-disk.ts', import.meta.url));
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('full-disk.test.ts: skipped, as it takes root to mount a small disk\n');

it.skipIf(!isRoot)(
  'a full disk loses nothing that was acknowledged; the history says so, and goes on when there is room',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-full-'));
    try {
      const { status, stdout, stderr } = spawnSync(
        'unshare',
        [
          '-m',
          'sh',
          '-c',
          'mount -t tmpfs -o size=6m,mode=700 none "$1" && exec "$2" "$3" "$1"',
          'sh',
          folder,
          process.execPath,
          PROGRAM,
        ],
        { encoding: 'utf8', timeout: 200_000 },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const told = JSON.parse(stdout);
      expect(told.refused.length).toBeGreaterThan(10);
      expect(told).toMatchObject({
        problem: 'full',
        message: `there is no room on the disk to write the history ${folder}/history.duckdb`,
        hint: expect.stringContaining('make room'),
        troubled: { reason: expect.stringContaining('no room on the disk') },
        files: ['history.duckdb', 'history.lock'],
      });
      expect(told.atStart).toMatchObject({
        ids: [1],
        kind: 'memory',
        trouble: {
          reason: expect.stringContaining('no room on the disk'),
          hint: expect.stringContaining('kept in memory'),
        },
      });
      expect(told.trouble).toBeUndefined();
      const newestFirst = Array.from({ length: 60 }, (_, index) => 60 - index);
      expect(told.whileFull).toEqual(newestFirst);
      expect(told.after).toEqual(newestFirst.map((id) => [id, 1]));
      expect(told.reopened).toEqual([61, ...newestFirst]);
    } finally {
      rmdirSync(folder);
    }
  },
);
