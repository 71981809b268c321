/**
 * Makes fixtures of a recorded campaign: `node lab/keep-recordings.ts lab.json FOLDER`, after
 * `synscope lab --all --side server --record FOLDER --json > lab.json`. Keeps the plain variant of every run that was judged right.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { RunOutcome } from './outcome.ts';
import { bundleName } from './record.ts';

/** Larger ones (thousands of connections) are left out. */
const MAX_BYTES = 80_000;

const [results, folder] = process.argv.slice(2);
if (results === undefined || folder === undefined) {
  process.stderr.write('usage: node lab/keep-recordings.ts lab.json FOLDER\n');
  process.exit(2);
}
const { runs } = JSON.parse(readFileSync(results, 'utf8')) as { readonly runs: readonly RunOutcome[] };
const target = fileURLToPath(new URL('../fixtures/lab/', import.meta.url));
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const kept = runs.flatMap((run) => {
  const side = run.sides.find((one) => one.side === 'server');
  if (run.variant !== undefined || side === undefined || (side.verdict !== 'right' && side.verdict !== 'open'))
    return [];
  const bundle = bundleName(run, 'server');
  const path = join(folder, bundle);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY;
  if (size > MAX_BYTES) return [];
  copyFileSync(path, join(target, bundle));
  return [{ bundle, scenario: run.scenario, expected: side.expected ?? null, found: side.found }];
});
kept.sort((a, b) => (a.bundle < b.bundle ? -1 : 1));
writeFileSync(join(target, 'expected.json'), `[\n${kept.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`);
writeFileSync(
  join(target, 'README.md'),
  `# Hosts recorded in the lab

Written by \`lab/keep-recordings.ts\`: what \`synscope listen\` asked the server of each scenario, and what it was answered, on Linux 6.18 in network
namespaces, with decoys. \`expected.json\` holds what must come of each; \`lab/recordings.test.ts\` judges them all again, without privileges.
`,
);
process.stdout.write(`kept ${kept.length} of ${runs.length} runs\n`);
