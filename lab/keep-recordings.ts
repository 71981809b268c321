/**
 * Makes fixtures of recorded campaigns: `node lab/keep-recordings.ts RESULTS FOLDER [RESULTS FOLDER...]`, each pair of a run of
 * `synscope lab --all --record FOLDER --json > RESULTS`. Keeps the plain variant of every side that was judged right; what is there of
 * scenarios that were not run stays. One that says something else when it is judged again is named, and left out.
 */
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { RunOutcome, SideOutcome } from './outcome.ts';
import { bundleName } from './record.ts';
import { faultOf, listRecorded, RECORDINGS, type Recorded, replay } from './recorded.ts';

/** Larger ones (thousands of connections) are left out. */
const MAX_BYTES = 80_000;

const pairs = process.argv.slice(2);
if (pairs.length === 0 || pairs.length % 2 !== 0) {
  process.stderr.write('usage: node lab/keep-recordings.ts RESULTS FOLDER [RESULTS FOLDER...]\n');
  process.exit(2);
}
const kept = new Map(listRecorded().map((one) => [one.bundle, one]));
let runs = 0;
for (let i = 0; i < pairs.length; i += 2) {
  const results = JSON.parse(readFileSync(pairs[i]!, 'utf8')) as { readonly runs: readonly RunOutcome[] };
  for (const run of results.runs) {
    if (run.variant !== undefined) continue;
    for (const side of run.sides) {
      runs++;
      await keep(pairs[i + 1]!, run, side);
    }
  }
}
const sorted = [...kept.values()].sort((a, b) => (a.bundle < b.bundle ? -1 : 1));
writeFileSync(
  join(RECORDINGS, 'expected.json'),
  `[\n${sorted.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`,
);
writeFileSync(
  join(RECORDINGS, 'README.md'),
  `# Hosts recorded in the lab

Written by \`lab/keep-recordings.ts\`: what \`synscope listen\` asked the server of each scenario and \`synscope connect\` its client, and what they were
answered, on Linux 6.18 in network namespaces, with decoys. \`expected.json\` holds what must come of each; \`lab/recordings.test.ts\` judges them all again, without
privileges.
`,
);
process.stdout.write(`looked at ${runs} recordings, ${sorted.length} are kept\n`);

/** Keeps a bundle that was judged right and still is; of one that is not, nothing stays. */
async function keep(folder: string, run: RunOutcome, side: SideOutcome): Promise<void> {
  const bundle = bundleName(run, side.side);
  const path = join(folder, bundle);
  const { place, expected = null, found } = side;
  const one: Recorded = {
    bundle,
    side: side.side,
    scenario: run.scenario,
    expected,
    found,
    ...(side.side === 'client' && place?.right === true ? { place: place.truth } : {}),
  };
  if (await isWorthIt(path, one, side)) {
    copyFileSync(path, join(RECORDINGS, bundle));
    kept.set(bundle, one);
  } else {
    rmSync(join(RECORDINGS, bundle), { force: true });
    kept.delete(bundle);
  }
}

async function isWorthIt(path: string, one: Recorded, { side, verdict, found }: SideOutcome): Promise<boolean> {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY;
  const isRight = verdict === 'right' || (verdict === 'open' && found === null);
  if (!isRight || size > MAX_BYTES) return false;
  const fault = await replay(path, side).then(
    (report) => faultOf(report, one),
    (error: unknown) => String(error),
  );
  if (fault !== undefined) process.stderr.write(`${one.bundle} is left out: ${fault}\n`);
  return fault === undefined;
}
