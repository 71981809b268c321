import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunQuickly, type QuickCommand, runQuickly, runQuicklySync } from './quick-process.ts';

const missing = canRunQuickly() ? undefined : 'needs Linux 5.3 and the library for system calls';
if (missing !== undefined) console.log(`skipped: processes that are started quickly (${missing})`);

describe.skipIf(missing !== undefined)('a process that is started quickly', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-quick-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function command(argv: readonly string[], more: Partial<QuickCommand> = {}): QuickCommand {
    const limits = { timeoutMs: 30_000, maxBytes: 1 << 20, maxStderrBytes: 1000 };
    return { argv, name: argv[0] ?? '', environment: { PATH: process.env.PATH, WORD: 'a=b' }, ...limits, ...more };
  }
  const sh = (script: string, more: Partial<QuickCommand> = {}): QuickCommand => command(['sh', '-c', script], more);
  const both = [
    ['while others go on', runQuickly],
    ['while all waits', async (one: QuickCommand) => runQuicklySync(one)],
  ] as const;

  it.each(both)('hands over what it says and how it ended, %s', async (_, run) => {
    expect(await run(sh('cat; echo "$WORD" >&2; exit 7', { input: 'über\n' }))).toEqual({
      exitCode: 7,
      stdout: 'über\n',
      stderr: 'a=b\n',
    });
    expect((await run(sh('cat'))).stdout).toBe('');
    const long = 'x'.repeat(300_000);
    expect((await run(sh('cat /dev/stdin', { input: long }))).stdout).toBe(long);
    expect((await run(sh('head -c 5000 /dev/zero >&2'))).stderr.length).toBeLessThan(70_000);
  });

  it.each(both)('has no descriptors of this process, and all signals as usual, %s', async (_, run) => {
    const held = openSync('/dev/null', 'r');
    const { stdout } = await run(sh('grep -E "SigIgn|SigBlk" /proc/self/status; ls -1 /proc/self/fd'));
    closeSync(held);
    const lines = stdout.trim().split('\n');
    // What was left open for children by whoever started this process is not ours to close.
    const usual = execFileSync('ls', ['-1', '/proc/self/fd'], { encoding: 'utf8' }).trim().split('\n');
    expect(lines.slice(2).length).toBeLessThanOrEqual(usual.length);
    const signals = lines.slice(0, 2);
    expect(signals.map((line) => line.split('\t')[1])).toEqual(['0000000000000000', '0000000000000000']);
  });

  it.each(both)('says why it cannot be run, %s', async (_, run) => {
    await expect(run(command(['synscope-no-such-program']))).rejects.toMatchObject({ code: 'not-found' });
    await expect(run(command(['a\0b']))).rejects.toThrow('zero byte');
    await expect(run(sh('kill -9 $$'))).rejects.toThrow('sh was ended by SIGKILL');
    const script = join(folder, 'plain-script');
    writeFileSync(script, 'echo "$1 and $2"\n');
    chmodSync(script, 0o755);
    expect((await run(command([script, 'one', 'two words']))).stdout).toBe('one and two words\n');
  });

  it.each(both)('ends with all that it started when it takes too long, %s', async (_, run) => {
    const mark = join(folder, `mark-${Math.random()}`);
    const script = `(sleep 3; touch ${mark}) & sleep 30`;
    await expect(run(sh(script, { timeoutMs: 200 }))).rejects.toMatchObject({ code: 'timed-out' });
  });

  it('ends when it writes too much', async () => {
    await expect(runQuickly(sh('yes', { maxBytes: 10_000 }))).rejects.toThrow('sh wrote more than 10000 bytes');
  });
});
