import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { labMissing } from '../lab/testing.ts';
import { runCli } from './run-cli.ts';

/** So many parts make the whole campaign; each takes about a minute. */
const PARTS = 20;
/** The part that every run of the tests does; `LAB_SHARD=7` takes another, `--full` takes all. */
const chosen = process.env.LAB_SHARD ?? '1';
const parts = process.env.FULL === '1' ? Array.from({ length: PARTS }, (_, i) => String(i + 1)) : [chosen];

const missing = labMissing();
if (missing !== undefined) console.log(`skipped: the campaign of the lab (${missing})`);

interface Count {
  readonly right: number;
  readonly of: number;
}
interface Campaign {
  readonly totals: {
    readonly runs: number;
    readonly errors: number;
    readonly firstCause: Readonly<Record<'server' | 'client', Count>>;
    readonly healthy: Count;
    readonly clientPlace: Count;
    readonly wrongConfirmed: readonly unknown[];
    readonly wrong: readonly unknown[];
    readonly missed: readonly unknown[];
  };
}

describe.skipIf(missing !== undefined)('hosts broken for real, judged from both sides', () => {
  it.each(parts)(`part %s of ${PARTS}`, (part) => {
    const { stdout, stderr } = runCli(
      ['lab', '--all', '--shard', `${part}/${PARTS}`, '--jobs', '2', '--seed', part, '--json'],
      {},
    );
    expect(stdout, stderr).not.toBe('');
    const { totals } = JSON.parse(stdout) as Campaign;
    const told = JSON.stringify(totals);
    expect(totals.runs, told).toBeGreaterThan(10);
    expect(totals.errors, told).toBe(0);
    expect(totals.wrongConfirmed, told).toEqual([]);
    expect(totals.healthy.right, told).toBe(totals.healthy.of);
    // One of a part may be missed on a busy machine; the campaign as a whole is in docs/lab.md.
    const { server, client } = totals.firstCause;
    expect(server.right + client.right, told).toBeGreaterThanOrEqual(server.of + client.of - 1);
    expect(totals.clientPlace.right, told).toBeGreaterThanOrEqual(totals.clientPlace.of - 2);
  });
});
