import { describe, expect, it } from 'vitest';
import { CAUSES } from '../src/causes/index.ts';
import type { CaptureReport, Diagnosis } from '../src/model/diagnosis.ts';
import { matrixOf, totalsOf } from './matrix.ts';
import { judgeSide, type RunOutcome, type SideOutcome } from './outcome.ts';
import { resultsMarkdown } from './results.ts';

const cause = CAUSES.find(({ id }) => id === 'no-return-route')!;

function report(found: string | null, status: 'confirmed' | 'likely' = 'confirmed'): CaptureReport {
  const diagnosis = {
    sentence: 'So it is.',
    cause: found === null ? null : { id: found, status, title: '', sentence: '' },
    evidence: [],
    suspects: [{ id: 'accept-queue-full', status: 'possible' }],
    ruledOut: [{ id: 'syn-queue-full', statement: '' }],
    undetermined: [],
    place: 'path-or-server',
  } as unknown as Diagnosis;
  return { diagnoses: [diagnosis], headline: '' } as unknown as CaptureReport;
}

const server = (found: string | null, status?: 'confirmed' | 'likely'): SideOutcome =>
  judgeSide('server', report(found, status), { steps: [] }, cause, 5);

describe('what was found against what is true', () => {
  it('is right for the cause itself, confirmed or likely', () => {
    expect(server('no-return-route')).toMatchObject({ verdict: 'right', expected: ['no-return-route'] });
    expect(server('no-return-route', 'likely').verdict).toBe('right');
  });

  it('is missed, wrong, or wrong for certain otherwise', () => {
    expect(server(null).verdict).toBe('missed');
    expect(server('md5-mismatch', 'likely').verdict).toBe('wrong');
    expect(server('md5-mismatch').verdict).toBe('wrong-confirmed');
  });

  it('may be any of several causes that look alike', () => {
    const plan = { steps: [], expect: { server: ['a', 'b'] } };
    expect(judgeSide('server', report('b'), plan, cause, 5).verdict).toBe('right');
    expect(judgeSide('server', report('no-return-route'), plan, cause, 5).verdict).toBe('wrong-confirmed');
  });

  it('is open from a side that cannot know, but never certain of something else there', () => {
    expect(judgeSide('client', report(null), { steps: [] }, cause, 5)).toMatchObject({
      verdict: 'open',
      place: { truth: 'server', said: 'path-or-server', right: true },
    });
    expect(judgeSide('client', report('client-no-route', 'likely'), { steps: [] }, cause, 5).verdict).toBe('open');
    expect(judgeSide('client', report('client-no-route'), { steps: [] }, cause, 5).verdict).toBe('wrong-confirmed');
  });

  it('must be nothing on a healthy host', () => {
    const plan = { steps: [], expect: { server: null } };
    expect(judgeSide('server', report(null), plan, undefined, 5).verdict).toBe('right');
    expect(judgeSide('server', report('a', 'likely'), plan, undefined, 5).verdict).toBe('wrong');
    expect(judgeSide('server', report('a'), plan, undefined, 5).verdict).toBe('wrong-confirmed');
  });
});

describe('totals', () => {
  const run = (sides: readonly SideOutcome[], kind: RunOutcome['kind'] = 'cause'): RunOutcome => ({
    scenario: 'no-return-route',
    kind,
    family: 6,
    seed: 1,
    decoys: [],
    client: [],
    sides,
  });
  const healthy = judgeSide('server', report('md5-mismatch'), { steps: [], expect: { server: null } }, undefined, 5);
  const client = judgeSide('client', report(null), { steps: [] }, cause, 5);
  const outcomes = [
    run([server('no-return-route'), client]),
    run([server('no-return-route', 'likely')]),
    run([server(null)]),
    run([server('md5-mismatch')]),
    run([healthy], 'healthy'),
    { ...run([]), skipped: 'no nft' },
    { ...run([]), error: 'broke' },
  ];

  it('count each side by itself, and list every mistake', () => {
    expect(totalsOf(outcomes)).toMatchObject({
      runs: 7,
      skipped: 1,
      errors: 1,
      firstCause: { server: { right: 2, of: 4 }, client: { right: 0, of: 0 } },
      confirmed: { server: { right: 1, of: 4 } },
      clientPlace: { right: 1, of: 1 },
      healthy: { right: 0, of: 1 },
      wrongConfirmed: [
        { found: 'md5-mismatch', expected: ['no-return-route'] },
        { found: 'md5-mismatch', expected: null },
      ],
      missed: [{ found: null }],
    });
  });

  it('keep the surest status of each cause in the matrix', () => {
    expect(matrixOf(outcomes.slice(0, 4), 'server')).toEqual({
      'no-return-route': {
        'no-return-route': 'confirmed',
        'md5-mismatch': 'confirmed',
        'accept-queue-full': 'possible',
        'syn-queue-full': 'ruled-out',
      },
    });
  });

  it('become one row for each scenario', () => {
    const page = resultsMarkdown(outcomes, totalsOf(outcomes)).split('\n');
    expect(page).toContain('| first cause right, from the server | 2 of 4 |');
    expect(page.filter((line) => line.startsWith('| no-return-route'))).toEqual([
      '| no-return-route | 6 (1 skipped) | 2 md5-mismatch confirmed, 1 confirmed, 1 likely, 1 nothing | 1 nothing | accept-queue-full |',
    ]);
  });
});
