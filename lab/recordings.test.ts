import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultOf, listRecorded, RECORDINGS, replay } from './recorded.ts';

const recorded = listRecorded();

it.each(['server', 'client'] as const)('of the %s there are many', (side) => {
  const ofSide = recorded.filter((one) => one.side === side);
  expect(ofSide.length).toBeGreaterThan(60);
  expect(ofSide.filter(({ expected }) => expected === null).length).toBeGreaterThan(20);
});

describe('recorded hosts', () => {
  it.concurrent.each(recorded.map((one) => [one.bundle, one] as const))('%s', async (bundle, one) => {
    expect(faultOf(await replay(join(RECORDINGS, bundle), one.side), one)).toBeUndefined();
  });
});
