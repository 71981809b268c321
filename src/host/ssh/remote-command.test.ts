import { spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { quoteForShell, remoteCommand } from './remote-command.ts';

it('any word reaches the program as it is', () => {
  const words = fc.array(
    fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '').replace(/[\ud800-\udfff]/g, '')),
  );
  fc.assert(
    fc.property(words, (list) => {
      const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${list.map(quoteForShell).join(' ')}`]);
      expect(stdout.toString()).toBe(list.length === 0 ? '\0' : list.map((word) => `${word}\0`).join(''));
    }),
    { numRuns: 50 },
  );
});

it('says which program is missing', () => {
  const { status, stderr } = spawnSync('sh', ['-c', remoteCommand(['no-such-program-of-synscope', 'x'], {})]);
  expect([status, stderr.toString()]).toEqual([127, 'synscope: there is no such program\n']);
});

it('goes through sudo when asked to', () => {
  expect(remoteCommand(['id'], { sudo: true })).toMatch(/^'sudo' '-n' '--' 'sh' '-c' /);
});

it('a stream ends with its input, and with its program', async () => {
  const run = (argv: string[]): ReturnType<typeof spawn> => spawn('sh', ['-c', remoteCommand(argv, { stream: true })]);
  const code = (child: ReturnType<typeof spawn>): Promise<unknown> =>
    new Promise((resolve) => child.once('close', resolve));
  expect(await code(run(['sh', '-c', 'exit 7']))).toBe(7);
  const endless = run(['sleep', '60']);
  const ended = code(endless);
  endless.stdin?.end();
  expect(await ended).toBe(143);
});

it('a stream ends when nobody says for too long that they are there', async () => {
  const child = spawn('sh', ['-c', remoteCommand(['sleep', '60'], { stream: true, silenceSeconds: 2 })]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (let beat = 0; beat < 10; beat++) {
    child.stdin.write('\n');
    await sleep(300);
  }
  expect(isOver).toBe(false);
  expect(await ended).toBe(143);
});

it('refuses what cannot be an argument', () => {
  expect(() => quoteForShell('a\0b')).toThrow('NUL');
  expect(() => remoteCommand(['-x'], {})).toThrow('is no program');
});
