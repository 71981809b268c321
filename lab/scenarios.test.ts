import { describe, expect, it } from 'vitest';
import { CAUSES } from '../src/causes/index.ts';
import { listJobs, shardOf } from './campaign.ts';
import { chooseDecoys } from './decoys.ts';
import { describePlan } from './describe-step.ts';
import { HEALTHY_HOSTS } from './healthy.ts';
import { drawAddresses, namesFor } from './plan-names.ts';

const jobs = listJobs({ names: [] });

describe.each(
  jobs.map((job) => [`${job.scenario} ${job.variant ?? ''} IPv${job.family}`, job] as const),
)('%s', (_, job) => {
  it('plans the same for the same names, and other things for others', () => {
    const names = namesFor(drawAddresses(1), job.family);
    const plan = job.runnable.plan(names, job.variant);
    expect(job.runnable.plan(names, job.variant)).toEqual(plan);
    expect(describePlan(plan).join('\n')).not.toContain('undefined');
  });

  it('gets decoys by the seed alone', () => {
    const addresses = drawAddresses(99);
    const plan = job.runnable.plan(namesFor(addresses, job.family), job.variant);
    const chosen = chooseDecoys(addresses, job.family, plan);
    expect(chooseDecoys(addresses, job.family, plan)).toEqual(chosen);
    expect(chosen.names.length).toBeGreaterThan(2);
  });
});

describe('the list of jobs', () => {
  it('has healthy hosts that are not called like causes', () => {
    const ids = new Set(CAUSES.map(({ id }) => id));
    expect(HEALTHY_HOSTS.filter(({ name }) => ids.has(name))).toEqual([]);
    expect(new Set(HEALTHY_HOSTS.map(({ name }) => name)).size).toBe(HEALTHY_HOSTS.length);
    expect(HEALTHY_HOSTS.length).toBeGreaterThanOrEqual(25);
  });

  it('falls apart into shards without a rest', () => {
    const shards = [1, 2, 3].flatMap((index) => shardOf(jobs, index, 3));
    expect(new Set(shards)).toEqual(new Set(jobs));
    expect(shards.length).toBe(jobs.length);
  });
});
