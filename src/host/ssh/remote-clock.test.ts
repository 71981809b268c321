import { expect, it } from 'vitest';
import { RemoteClock } from './remote-clock.ts';

it.each<[name: string, answer: () => string, aheadMs: number, withinMs: number]>([
  ['to the nanosecond', () => `${BigInt(Date.now() + 5000) * 1_000_000n}\n`, 5000, 20],
  ['to the second, without %N', () => `${Math.floor(Date.now() / 1000) - 60}\n`, -60_000, 520],
  ['to the second, with %N as it is', () => `${Math.floor(Date.now() / 1000)}%N\n`, 0, 520],
])('a clock that tells the time %s', async (_, answer, aheadMs, withinMs) => {
  let asked = 0;
  const clock = new RemoteClock(async () => {
    asked++;
    return answer();
  });
  expect(Math.abs(Number((await clock.nowNs()) / 1_000_000n) - Date.now() - aheadMs)).toBeLessThan(withinMs);
  await clock.nowNs();
  expect(asked).toBe(3);
});

it('a clock that tells no time', async () => {
  await expect(new RemoteClock(async () => 'date: bad format').nowNs()).rejects.toMatchObject({ code: 'failed' });
});
