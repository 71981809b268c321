import { describe, expect, it } from 'vitest';
import { judgeCause } from '../engine/judge-causes.ts';
import { PATH_STEPS } from '../model/cause.ts';
import type { Fact } from '../model/facts/fact.ts';
import { CAUSES } from './index.ts';

const ids = new Set(CAUSES.map(({ id }) => id));

describe.each(CAUSES.map((cause) => [cause.id, cause] as const))('%s', (_, cause) => {
  it('is documented', () => {
    expect(PATH_STEPS).toContain(cause.step);
    expect(cause.title).toMatch(/^[A-Z].*[^.]$/);
    expect(cause.explanation.trim().length).toBeGreaterThan(200);
    expect(cause.references.length).toBeGreaterThan(0);
    expect(cause.examples.length).toBeGreaterThan(1);
    expect((cause.confusedWith ?? []).map(({ id }) => id).filter((id) => id === cause.id)).toEqual([]);
  });

  it.each(cause.examples.map((example) => [example.name, example] as const))('%s', (__, { given, expect: status }) => {
    const facts = Object.fromEntries(
      Object.entries(given).map(([name, value]): [string, Fact<unknown>] => [name, { value, source: name }]),
    );
    const judged = judgeCause(cause, facts);
    expect(judged.reason).toBeUndefined();
    expect({ status: judged.status, evidence: judged.evidence.map(({ statement }) => statement) }).toMatchObject({
      status,
    });
    if (status !== 'confirmed' || judged.facts === undefined) return;
    expect(cause.sentence(judged.facts)).toMatch(/^[^\n]{20,}[^.\n]$/);
    for (const { changes, title } of cause.remedies?.(judged.facts) ?? []) {
      expect(title).not.toBe('');
      expect(changes.length).toBeGreaterThan(0);
    }
  });
});

it('names only causes that exist as look-alikes', () => {
  if (ids.size < 124) return;
  const unknown = CAUSES.flatMap(({ id, confusedWith }) =>
    (confusedWith ?? []).filter((other) => !ids.has(other.id)).map((other) => `${id}: ${other.id}`),
  );
  expect(unknown).toEqual([]);
});
