import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { onReady } from './libc.ts';

it('calls back after a collection of garbage, although nobody has kept what was returned', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const folder = mkdtempSync(join(tmpdir(), 'synscope-ready-'));
  const fifo = join(folder, 'fifo');
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  let calls = 0;
  onReady(fd, 'readable', () => {
    calls++;
    readSync(fd, Buffer.alloc(8));
  });
  for (let i = 0; i < 3; i++) {
    await sleep(10);
    collectGarbage();
  }
  writeSync(fd, 'x');
  await expect.poll(() => calls, { timeout: 5000 }).toBe(1);
  closeSync(fd);
  rmSync(folder, { recursive: true });
});
