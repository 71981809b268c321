import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { encodeJson, jsonStream, renderJson } from './json.ts';
import type { JsonValue } from './json-values.ts';
import { hostile } from './testing/hostile.ts';
import { allFine, compareAnswerLost, mixed, samples } from './testing/samples.ts';

const schema = JSON.parse(
  readFileSync(new URL('../../docs/schema/capture-report.schema.json', import.meta.url), 'utf8'),
) as object;
const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);

describe('renderJson', () => {
  for (const [name, sample] of Object.entries({ ...samples, hostile })) {
    it(`keeps to the schema: ${name}`, () => {
      const valid = validate(JSON.parse(renderJson(sample)));
      expect(validate.errors ?? []).toEqual([]);
      expect(valid).toBe(true);
    });
  }

  it('is held to the schema strictly: an unknown field or a wrong type is found', () => {
    const value = JSON.parse(renderJson(mixed)) as Record<string, unknown>;
    expect(validate({ ...value, extra: 1 })).toBe(false);
    expect(validate({ ...value, omittedDiagnoses: '0' })).toBe(false);
    expect(validate({ ...value, schemaVersion: 2 })).toBe(false);
  });

  it('writes times with nanoseconds and durations as numbers', () => {
    const value = JSON.parse(renderJson(compareAnswerLost));
    const [first, second] = value.diagnoses[0].handshake.segments;
    expect(first.time).toBe('2026-11-20T14:03:07.000000000Z');
    expect(second.time).toBe('2026-11-20T14:03:08.024100000Z');
    expect(second.sinceStartNs).toBe(1_024_100_000);
    expect(value.clocks[0].offsetNs).toBe(-1_734_000_000);
  });

  it('writes null for no cause and leaves out what is absent', () => {
    const value = JSON.parse(renderJson(compareAnswerLost));
    expect(value.diagnoses[0].cause).toBeNull();
    expect(value.captures[0]).not.toHaveProperty('compression');
    expect(JSON.parse(renderJson(allFine))).not.toHaveProperty('clocks');
  });

  it('writes counters that are bigints as numbers', () => {
    const change = { limit: 9n, within: [1n, 'a\u200b'] } as unknown as JsonValue;
    expect(encodeJson(change)).toBe('{"limit":9,"within":[1,"a\\u200b"]}');
  });

  it('writes no raw control or invisible character and loses none', () => {
    const text = renderJson(hostile);
    expect(text).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
    expect(JSON.parse(text).headline).toBe(hostile.headline);
  });
});

describe('jsonStream', () => {
  for (const [name, sample] of Object.entries(samples)) {
    it(`writes the bytes of renderJson: ${name}`, () => {
      let text = '';
      const { diagnoses, ...rest } = sample;
      const stream = jsonStream((part) => {
        text += part;
      });
      stream.begin(sample.command);
      for (const diagnosis of diagnoses) stream.diagnosis(diagnosis);
      stream.end(rest);
      expect(text).toBe(renderJson(sample));
    });
  }

  it('hands on each diagnosis at once', () => {
    const parts: string[] = [];
    const stream = jsonStream((part) => parts.push(part));
    stream.begin('read');
    const before = parts.length;
    for (const diagnosis of mixed.diagnoses) stream.diagnosis(diagnosis);
    expect(parts.length - before).toBe(mixed.diagnoses.length);
  });
});
