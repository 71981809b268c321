import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SYN, SYN_V6, walk } from '../netfilter/testing/packet.ts';
import { parseChainDevices } from './chain-devices.ts';
import { parseNftDump } from './dump.ts';
import { foreignFamilies } from './foreign.ts';
import { nftTables } from './tables.ts';

const folder = new URL('../../../fixtures/nft/', import.meta.url);
const fixtures = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'));

/** Does with a text all that the product does with it. */
function useAll(text: string): void {
  const dump = parseNftDump(text);
  if (dump === undefined) return;
  foreignFamilies(dump);
  const tables = nftTables(dump, dump);
  for (const packet of [SYN, SYN_V6, { ...SYN, state: 'invalid' as const }]) walk(tables, packet);
  for (const { chains } of tables) {
    for (const { rules } of chains.values()) {
      for (const rule of rules)
        expect([typeof rule.text(), rule.verdicts.length >= 0, rule.asks.length >= 0]).toContain('string');
    }
  }
}

/** Replaces the value at some place of a JSON value by another. */
function damage(value: unknown, path: readonly number[], by: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== 'object' || value === null) return by;
  const keys = Object.keys(value);
  if (keys.length === 0) return by;
  const key = keys[step % keys.length]!;
  const inner = damage((value as Record<string, unknown>)[key], rest, by);
  if (Array.isArray(value)) return value.map((one, index) => (String(index) === key ? inner : one));
  return { ...value, [key]: inner };
}

const path = fc.array(fc.nat(500), { minLength: 2, maxLength: 14 });
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    '@s',
    '@__proto__',
    '*',
    { set: [] },
    { range: [1] },
    { prefix: {} },
    { '&': [] },
    { map: { key: 1 } },
    [[]],
    { concat: [] },
  ),
  fc.double(),
  fc.constantFrom('__proto__', 'constructor', 'hasOwnProperty', 'toString'),
);

test('damaged rule sets never crash', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...fixtures),
      fc.array(fc.tuple(path, odd), { minLength: 1, maxLength: 20 }),
      (text, damages) => {
        const damaged = damages.reduce<unknown>((value, [at, by]) => damage(value, [0, ...at], by), JSON.parse(text));
        useAll(JSON.stringify(damaged));
      },
    ),
    { numRuns: 150 },
  );
});

test('any JSON and any text never crash', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 5 })), fc.string(), (nftables, text) => {
      useAll(JSON.stringify({ nftables }));
      useAll(text);
      parseChainDevices(text);
    }),
  );
});

test.each([5000, 50_000])('expressions that nest %i deep are cut', (depth) => {
  const left = `${'{"&":['.repeat(depth)}{"meta":{"key":"mark"}}${',1]}'.repeat(depth)}`;
  const rule = (expr: string): string =>
    `{"rule":{"family":"inet","table":"t","chain":"c","expr":[${expr},{"drop":null}]}}`;
  useAll(`{"nftables":[
    {"table":{"family":"inet","name":"t"}},
    {"chain":{"family":"inet","table":"t","name":"c","hook":"input","type":"filter","prio":0}},
    {"map":{"family":"inet","table":"t","name":"m","type":"mark","map":"verdict","elem":[[0,${left}],[${left},{"drop":null}]]}},
    {"set":{"family":"inet","table":"t","name":"s","type":"mark","elem":[${left}]}},
    ${rule(`{"match":{"op":"==","left":${left},"right":${left}}}`)},
    ${rule('{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":"@s"}}')},
    ${rule('{"vmap":{"key":{"meta":{"key":"mark"}},"data":"@m"}}')},
    ${rule(`{"vmap":{"key":${left},"data":${left}}}`)},
    ${rule(`{"mangle":{"key":${left},"value":${left}}}`)},
    ${rule(left)}
  ]}`);
});
