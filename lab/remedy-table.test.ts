import { expect, it } from 'vitest';
import type { RemedyOutcome } from './remedy-run.ts';
import { remedyMarkdown } from './remedy-table.ts';

const ROUTE = { cause: 'no-return-route', remedy: 'add-default-route', changes: ['route'] } as const;
const outcomes: readonly RemedyOutcome[] = [
  {
    ...ROUTE,
    family: 6,
    result: 'verified',
    statement: 'netns:ss1xabcde-c connected to [2001:db8:1::2]:443 in 1 ms',
    failsAgain: true,
    kills: { made: 25, clean: 24, problems: ['helps, entry 3: - default'] },
  },
  {
    ...ROUTE,
    family: 4,
    result: 'taken-back',
    statement: 'it did not help: netns:ss1xabcde-c cannot connect to 198.18.1.2:443: ETIMEDOUT. More',
  },
  {
    cause: 'arp-suppressed',
    remedy: 'arp-on',
    changes: ['link'],
    family: 4,
    result: 'wrong',
    statement: 'left | over',
  },
];

it('is a row for each remedy, with what became of its runs, and says how much was run', () => {
  const text = remedyMarkdown({
    ...{ v: 1, startedAt: '2026-11-21T12:00:00Z', seed: 1, part: '1/1', planned: 4, done: ['a', 'b', 'c'] },
    outcomes,
  });
  expect(text).toContain('On 2026-11-21, 3 of 4 scenarios, 2 remedies in 3 runs: 1 repaired, verified and undone,');
  expect(text).toContain('1 of the runs were also killed at every point, 25 kills: 1 left something.');
  expect(text.split('\n').slice(6)).toEqual([
    '| arp-suppressed | arp-on | link | 4 |  |  | 1 **wrong** (left \\| over) |  |',
    '| no-return-route | add-default-route | route | 4, 6 | 1 of 2 | 1 of 1 | 1 taken back (the client cannot connect to …: ETIMEDOUT) | 24 of 25 |',
    '',
  ]);
});
