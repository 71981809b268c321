import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LocalHost } from '../host/local-host.ts';
import type { RepairStep } from '../model/repair.ts';
import { DeadManTimer, timerState } from './dead-man.ts';
import { TargetLock } from './lock.ts';
import { thisOwner } from './owner.ts';
import { newRepairId } from './repair.ts';

const missing = process.getuid?.() === 0 ? undefined : 'needs root, to whom /run belongs';
if (missing !== undefined) console.log(`Skipped: timer and lock: ${missing}`);

/** Words that a shell would take for more than words. */
const HOSTILE = `a b 'c' "d" $(touch /tmp/pwned) \`id\` $1 \${2} ; & | > < * \\ \n-e`;

describe.skipIf(missing !== undefined)('the timer on the target', () => {
  const host = new LocalHost();
  let folder: string;
  const timers: DeadManTimer[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-timer-'));
  });
  afterEach(async () => {
    for (const timer of timers.splice(0)) {
      await timer.disarm();
      await timer.remove();
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string): string => join(folder, name);
  /** Steps whose undoing writes a word into a file. */
  const step = (name: string, word: string): RepairStep => ({
    change: { kind: 'advice', text: '' },
    text: name,
    do: ['true'],
    undo: [['sh', '-c', 'printf "%s" "$2" >> "$1"', 'sh', file(name), word]],
    before: '',
    dangers: [],
  });
  const start = async (steps: readonly RepairStep[], seconds: number, pid?: number): Promise<DeadManTimer> => {
    const timer = await DeadManTimer.start(host, newRepairId(), steps, seconds, pid);
    timers.push(timer);
    return timer;
  };
  const until = async (isSo: () => boolean): Promise<void> => {
    for (let tries = 0; !isSo(); tries += 1) {
      if (tries > 300) throw new Error('it does not happen');
      await sleep(100);
    }
  };

  it('undoes what was done, the last first, and only that; words stay words', async () => {
    const timer = await start([step('x', 'first'), step('x', HOSTILE), step('x', 'never done')], 60, process.pid);
    await timer.run(0, ['true']);
    await timer.run(1, ['true']);
    expect((await timer.run(2, ['false'])).exitCode).toBe(1);
    expect(await timer.rollBack()).toMatchObject({ failed: [], why: 'asked' });
    expect(readFileSync(file('x'), 'utf8')).toBe(`${HOSTILE}first`);
    expect(existsSync('/tmp/pwned')).toBe(false);
  });

  it('undoes when its time is over', async () => {
    const timer = await start([step('late', 'undone')], 1);
    await timer.run(0, ['true']);
    await until(() => existsSync(file('late')));
    expect(await timer.disarm()).toBe(false);
    expect(await timer.rollBack()).toMatchObject({ why: 'time over' });
  });

  it('undoes when the process that repairs has ended', async () => {
    const other = spawn('sleep', ['300']);
    const timer = await start([step('dead', 'undone')], 60, other.pid);
    await timer.run(0, ['true']);
    expect(existsSync(file('dead'))).toBe(false);
    other.kill('SIGKILL');
    await until(() => existsSync(file('dead')));
    await until(() => existsSync(join(timer.directory, 'rolled-back')));
    expect(await timerState(host, timer.directory)).toMatchObject({ why: 'synscope ended' });
  });

  it('does nothing once it is stopped, and nothing can be done without it', async () => {
    const timer = await start([step('kept', 'undone')], 60, process.pid);
    await timer.run(0, ['true']);
    expect(await timer.disarm()).toBe(true);
    await until(() => spawnSync('kill', ['-0', String(timer.pid)]).status !== 0);
    expect(existsSync(file('kept'))).toBe(false);
    expect((await timer.run(0, ['true'])).exitCode).toBe(76);
  });

  it('says which commands failed', async () => {
    const timer = await start([{ ...step('f', ''), undo: [['sh', '-c', 'echo no way >&2; exit 3']] }], 60, process.pid);
    await timer.run(0, ['true']);
    expect(await timer.rollBack()).toMatchObject({ failed: [{ step: 0, exitCode: 3 }], log: 'no way' });
  });

  it('is noticed when it was killed', async () => {
    const timer = await start([step('k', 'undone')], 60, process.pid);
    process.kill(timer.pid, 'SIGKILL');
    await until(() => spawnSync('kill', ['-0', String(timer.pid)]).status !== 0);
    expect(await timer.rollBack()).toBeUndefined();
  });
});

describe.skipIf(missing !== undefined)('the lock of a target', () => {
  const host = new LocalHost();
  // No namespace has such a number.
  const namespace = `net:[${process.pid}000000]`;

  it('is held by one only, and can be taken when it is free', async () => {
    const lock = await TargetLock.take(host, namespace, 'one', thisOwner(), 60);
    await expect(TargetLock.take(host, namespace, 'two', thisOwner(), 60)).rejects.toThrow(
      /another repair of this host is being made: one/,
    );
    await lock.release();
    const again = await TargetLock.take(host, namespace, 'two', thisOwner(), 60);
    // Whoever came too late does not take it away from the one who holds it.
    await lock.release();
    await expect(TargetLock.take(host, namespace, 'three', thisOwner(), 60)).rejects.toThrow(/two/);
    await again.release();
  });

  it('is broken when its owner is dead, its time is over, or the machine was started anew', async () => {
    const dead = { ...thisOwner(), pidStart: '1' };
    await TargetLock.take(host, namespace, 'dead', dead, 60);
    await TargetLock.take(host, namespace, 'other boot', { ...thisOwner(), bootId: 'x' }, 60);
    await TargetLock.take(host, namespace, 'other machine', { ...thisOwner(), hostname: 'elsewhere' }, 60);
    await expect(TargetLock.take(host, namespace, 'late', thisOwner(), 60)).rejects.toThrow(/on elsewhere/);
    const path = `/run/synscope/fix.${process.pid}000000.lock/owner`;
    writeFileSync(path, readFileSync(path, 'utf8').replace(/^\d+/, '1'));
    const last = await TargetLock.take(host, namespace, 'late', thisOwner(), 60);
    await last.release();
  });

  it('is taken by exactly one of several who break it', async () => {
    await TargetLock.take(host, namespace, 'dead', { ...thisOwner(), pidStart: '1' }, 60);
    const tries = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((id) => TargetLock.take(host, namespace, id, thisOwner(), 60)),
    );
    const taken = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(taken).toHaveLength(1);
    await taken[0]?.release();
  });
});
