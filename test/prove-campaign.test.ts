import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import type { ProveOutcome } from '../lab/prove-outcome.ts';
import { labMissing } from '../lab/testing.ts';
import { root } from './run-cli.ts';

/** So many parts make the whole campaign; odd, so that each has both families. */
const PARTS = 37;
/** The part that every run of the tests does; `LAB_SHARD=7` takes another, `--full` takes all. */
const chosen = process.env.LAB_SHARD ?? '1';
const parts = process.env.FULL === '1' ? Array.from({ length: PARTS }, (_, i) => String(i + 1)) : [chosen];

const missing = labMissing() ?? (spawnSync('tcpdump', ['--version']).error === undefined ? undefined : 'needs tcpdump');
if (missing !== undefined) console.log(`skipped: the campaign of proofs (${missing})`);

describe.skipIf(missing !== undefined)('hosts broken for real, proven on copies', () => {
  it.each(parts)(`part %s of ${PARTS}`, (part) => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-proofs-'));
    try {
      const file = join(folder, 'outcomes.json');
      const { status, stderr } = spawnSync(
        process.execPath,
        [
          ...['--no-warnings', join(root, 'lab/prove-campaign.ts'), '--shard', `${part}/${PARTS}`],
          ...['--jobs', '2', '--seed', part, '--json', file],
        ],
        { encoding: 'utf8' },
      );
      const all = JSON.parse(readFileSync(file, 'utf8')) as readonly ProveOutcome[];
      const ran = all.filter(({ skipped }) => skipped === undefined);
      const shown = (wanted: (one: ProveOutcome) => boolean): readonly string[] =>
        ran.filter(wanted).map((one) => JSON.stringify(one));
      expect(ran.length, stderr).toBeGreaterThan(5);
      expect(shown(({ error }) => error !== undefined)).toEqual([]);
      expect(shown(({ isWrong }) => isWrong)).toEqual([]);
      expect(shown(({ kind, outcome }) => kind === 'innocent' && outcome !== 'acquitted')).toEqual([]);
      // One of a part may be missed; the campaign as a whole is in docs/prove.md.
      const missed = shown(
        ({ kind, outcome, isInjected }) => kind === 'server' && !(outcome === 'proven' && isInjected),
      );
      expect(missed.length, missed.join('\n')).toBeLessThanOrEqual(1);
      expect(status, stderr).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
