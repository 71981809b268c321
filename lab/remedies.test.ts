import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LabJob, listJobs } from './campaign.ts';
import { type RemedyRunOptions, runRemedies } from './remedy-run.ts';
import { labMissing } from './testing.ts';

const missing = labMissing();
if (missing !== undefined) console.log(`skipped: remedies in the lab (${missing})`);

/** One of each kind: a route, a reject route, a rule, rules of nftables, settings. With --full all. */
const FEW: readonly (readonly [cause: string, family: 4 | 6])[] = [
  ['no-return-route', 6],
  ['return-route-rejected', 4],
  ['return-rule-rejected', 6],
  ['netfilter-drop-in', 4],
  ['rp-filter-strict', 4],
];

/** Its repair writes a file that makes it last, which has to go when the repair is undone. */
const KILLED = 'rp-filter-strict';

const isFull = process.env.FULL === '1';
const jobs: readonly LabJob[] = isFull
  ? listJobs({ names: [] }).filter(({ cause }) => cause?.remedies !== undefined && cause.place !== 'path')
  : FEW.flatMap(([name, family]) => listJobs({ names: [name], family }).slice(0, 1));

describe.skipIf(missing !== undefined)('remedies', () => {
  let state: string;
  beforeAll(() => {
    state = mkdtempSync(join(tmpdir(), 'synscope-remedies-'));
    vi.stubEnv('SYNSCOPE_STATE_DIR', state);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(state, { recursive: true, force: true });
  });

  it.each(jobs.map((job) => [`${job.scenario} ${job.variant ?? ''} IPv${job.family}`, job] as const))(
    '%s: repaired, verified, undone exactly, fails again; or taken back; and nothing is left of one that is killed',
    async (_, job) => {
      // Every run of the tests kills one of them around its change; a full one each remedy between all entries of its journal.
      const killed = new Set<string>();
      const kill: RemedyRunOptions['kill'] = ({ cause, remedy, changes }) => {
        const key = [cause, remedy, changes].join(' ');
        const isNew = !killed.has(key) && Boolean(killed.add(key));
        return isFull ? isNew && job.variant === undefined : job.scenario === KILLED && 'few';
      };
      const outcomes = await runRemedies(job, { seed: 7, kill });
      expect(outcomes.filter(({ result }) => result === 'wrong')).toEqual([]);
      expect(outcomes.flatMap(({ kills }) => kills?.problems ?? [])).toEqual([]);
      if (!isFull) expect(outcomes.map(({ result }) => result)).toContain('verified');
      if (!isFull && job.scenario === KILLED) expect(outcomes[0]?.kills?.made).toBe(5);
    },
    900_000,
  );
});
