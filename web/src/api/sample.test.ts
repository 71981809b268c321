import { expect, it } from 'vitest';
import { diagnosisValue } from '../../../src/report/json-values.ts';
import { buildLadder } from '../../../src/report/ladder-model.ts';
import { samples } from '../../../src/report/testing/samples.ts';
import { toDiagnosis } from './sample.ts';

const diagnoses = Object.values(samples).flatMap((report) => report.diagnoses);

it.each(
  diagnoses.filter(({ vantages }) => vantages === undefined).map((one) => [one.sentence, one] as const),
)('draws the same ladder after a way through JSON: %s', (_, diagnosis) => {
  const sample = JSON.parse(JSON.stringify(diagnosisValue(diagnosis)));
  expect(buildLadder(toDiagnosis(sample)!)).toEqual(buildLadder(diagnosis));
});

it('does without what an older version did not write', () => {
  const bare = { handshake: { client: { address: '192.0.2.1', port: 1 }, server: { address: '192.0.2.2', port: 2 } } };
  expect(toDiagnosis(bare)).toMatchObject({ evidence: [], remedies: [], cause: null });
  expect(buildLadder(toDiagnosis(bare)!).rows).toEqual([]);
});

it.each([
  undefined,
  null,
  3,
  'text',
  [],
  {},
  { handshake: 3 },
  { handshake: { client: {} } },
])('is not there for %j', (sample) => {
  expect(toDiagnosis(sample)).toBeUndefined();
});
