import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { NotBegun, RemoteChannel } from './remote-channel.ts';
import { RemoteChannels } from './remote-channels.ts';
import { MarkedOutput, SHELL_WORDS } from './remote-shell.ts';

const SHELLS = [['sh'], ['bash', '--posix'], ['busybox', 'sh'], ['ksh'], ['mksh']].filter(
  ([program = '', ...options]) => spawnSync(program, [...options, '-c', ':']).status === 0,
);
const open: { end(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.end()));
});

function channel(shell: readonly string[] = ['sh']): RemoteChannel {
  const made = new RemoteChannel([...shell, ...SHELL_WORDS.slice(1)]);
  open.push(made);
  return made;
}

const isRunning = (args: string): boolean =>
  spawnSync('ps', ['-eo', 'args='], { encoding: 'utf8' }).stdout.split('\n').includes(args);

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo() && tries < 400; tries++) await sleep(25);
  expect(isSo()).toBe(true);
}

describe.each(SHELLS.map((shell) => ({ name: shell.join(' '), shell })))('commands through $name', ({ shell }) => {
  it('any word and any input reaches the program as it is', async () => {
    const text = fc.string({ unit: 'binary' }).map((one) => one.replaceAll('\0', '').replace(/[\ud800-\udfff]/g, ''));
    const to = channel(shell);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1 }), text, async (words, input) => {
        const argv = ['sh', '-c', `printf '%s|' "$@"; echo >&2 "$#"; cat; exit 3`, 'sh', ...words];
        expect(await to.run(argv, { input })).toEqual({
          exitCode: 3,
          stdout: `${words.map((word) => `${word}|`).join('')}${input}`,
          stderr: `${words.length}\n`,
        });
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  it('programs, never what the shell itself can do', async () => {
    const to = channel(shell);
    expect((await to.run(['cd', '/'], {}))?.exitCode).not.toBe(0);
    expect((await to.run(['no-such-program-of-synscope'], {}))?.stderr).toBe('synscope: there is no such program\n');
    expect(await to.run(['kill', '-l', '9'], {})).toMatchObject({ exitCode: 0, stdout: 'KILL\n' });
    expect(await to.run(['cat'], {})).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('what takes too long, or says too much, is killed with its children; the next one runs', async () => {
    const to = channel(shell);
    const mark = `71.${process.pid}${Math.floor(Math.random() * 1e6)}`;
    await expect(to.run(['sh', '-c', `sleep ${mark}; echo`], { timeoutMs: 300 })).rejects.toThrow('did not end within');
    await until(() => !isRunning(`sleep ${mark}`));
    await expect(to.run(['yes'], { maxBytes: 100_000 })).rejects.toThrow('wrote more than 100000 bytes');
    expect(await to.run(['echo', 'well'], {})).toMatchObject({ stdout: 'well\n' });
  });

  it('ends what runs when the way to it breaks', async () => {
    const to = channel(shell);
    const mark = `72.${process.pid}${Math.floor(Math.random() * 1e6)}`;
    const running = to.run(['sh', '-c', `sleep ${mark}; echo`], {})?.catch((error: unknown) => error);
    await until(() => isRunning(`sleep ${mark}`));
    await to.end();
    await until(() => !isRunning(`sleep ${mark}`));
    expect(await running).not.toMatchObject({ exitCode: 0 });
  });
});

it('a request that is too long goes another way', () => {
  expect(channel().run(['echo', 'x'.repeat(200_000)], {})).toBeUndefined();
});

it('a shell that cannot be had, or ends, has begun nothing', async () => {
  const dead = new RemoteChannel(['sh', '-c', 'echo why >&2; exit 9']);
  open.push(dead);
  await expect(dead.run(['true'], {})).rejects.toMatchObject({ name: 'NotBegun', stderr: 'why\n', exitCode: 9 });
  await expect(dead.run(['true'], {})).rejects.toBeInstanceOf(NotBegun);
});

it('makes do with the shells that it gets', async () => {
  let starts = 0;
  const few = new RemoteChannels(() => (++starts > 2 ? ['false'] : ['sh', ...SHELL_WORDS.slice(1)]), 5);
  open.push(few);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => few.run(['echo', `${index}`], {})));
  expect(answers.map((answer) => Number(answer?.stdout))).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

it('marks are found wherever the pieces are cut', () => {
  const whole = Buffer.from('noise to<\nt\nto<\nbody to\n to>0\nmore');
  for (let first = 0; first < whole.length; first++) {
    for (let second = first; second < whole.length; second++) {
      const output = new MarkedOutput('to', 1000);
      for (const piece of [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)]) {
        output.push(piece);
      }
      expect([output.text(), output.tail]).toEqual(['t\nto<\nbody to\n ', '0']);
    }
  }
});
