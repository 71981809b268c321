/**
 * Writes what campaigns of the lab said into docs/lab.md: totals, and a row for each scenario. Shards of one campaign are put together.
 *   node lab/write-results.ts RESULT.json...
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { totalsOf } from './matrix.ts';
import type { RunOutcome } from './outcome.ts';
import { resultsMarkdown } from './results.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'lab.md');
const BEGIN = '<!-- results: written by lab/write-results.ts -->';
const END = '<!-- end of results -->';

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('Usage: node lab/write-results.ts RESULT.json...   (from synscope lab --all --json)');
  process.exitCode = 2;
} else {
  const runs = files.flatMap((file) => (JSON.parse(readFileSync(file, 'utf8')) as { runs: RunOutcome[] }).runs);
  const page = readFileSync(PAGE, 'utf8');
  const [before = '', rest = ''] = page.split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`${PAGE} has no place for results: ${BEGIN} … ${END}`);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${resultsMarkdown(runs, totalsOf(runs))}\n${END}${after}`);
}
