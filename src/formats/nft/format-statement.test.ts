import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseChainDevices } from './chain-devices.ts';
import { parseNftDump } from './dump.ts';
import { nftTables } from './tables.ts';

const folder = new URL('../../../fixtures/nft/', import.meta.url);
const names = readdirSync(folder).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));

/** Rules and hooks of chains in a listing of `nft -s -a list ruleset`, by table, chain and handle. */
function printed(text: string): Map<string, string> {
  const lines = new Map<string, string>();
  let [table, chain] = ['', ''];
  for (const line of text.split('\n')) {
    const opened = /^\s*(?:table (\S+ \S+)|chain (\S+)) \{/.exec(line);
    if (opened?.[1] !== undefined) table = opened[1];
    if (opened?.[2] !== undefined) chain = opened[2];
    const rule = /^\t\t(.*?) # handle (\d+)$/.exec(line);
    if (rule?.[1] !== undefined) lines.set(`${table} ${chain} ${rule[2]}`, rule[1].trim());
    else if (line.startsWith('\t\ttype ') && line.includes(' hook ')) lines.set(`${table} ${chain} hook`, line.trim());
  }
  return lines;
}

test.each(names)('rules of %s are written as nft writes them', (name) => {
  const text = readFileSync(new URL(`${name}.txt`, folder), 'utf8');
  const dump = parseNftDump(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  const ours = new Map<string, string>();
  for (const table of nftTables(dump!, undefined, parseChainDevices(text))) {
    for (const chain of table.chains.values()) {
      const place = `${table.family} ${table.name} ${chain.name}`;
      if (chain.base !== undefined) ours.set(`${place} hook`, chain.base.policyText);
      for (const rule of chain.rules) ours.set(`${place} ${rule.handle}`, rule.text());
    }
  }
  const theirs = printed(text);
  expect(theirs.size).toBeGreaterThan(5);
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs));
});
