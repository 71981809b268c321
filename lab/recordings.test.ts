import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readBundle } from '../src/host/bundle/bundle-file.ts';
import { openHost } from '../src/host/open-host.ts';
import type { CaptureReport } from '../src/model/diagnosis.ts';
import { diagnoseListen } from '../src/service/diagnose-listen.ts';

/** One recorded server, and what was found when it was alive. */
interface Recorded {
  readonly bundle: string;
  readonly scenario: string;
  /** Causes of which any may stand first; null: none may be named. */
  readonly expected: readonly string[] | null;
  readonly found: { readonly id: string; readonly status: string } | null;
}

const folder = fileURLToPath(new URL('../fixtures/lab/', import.meta.url));
const recorded = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as readonly Recorded[];

async function judge(bundle: string): Promise<CaptureReport> {
  const path = join(folder, bundle);
  const [port = 0] = (await readBundle(path)).header.ports;
  const host = await openHost(`bundle:${path}`);
  try {
    return await diagnoseListen({ host, port, forMs: 20_000 });
  } finally {
    await host.close();
  }
}

it('are many', () => {
  expect(recorded.length).toBeGreaterThan(60);
  expect(recorded.filter(({ expected }) => expected === null).length).toBeGreaterThan(20);
});

describe('recorded servers', () => {
  it.concurrent.each(recorded.map((one) => [one.bundle, one] as const))('%s', async (bundle, { expected, found }) => {
    const { diagnoses } = await judge(bundle);
    const causes = diagnoses.flatMap(({ cause }) => (cause === null ? [] : [cause]));
    const lead = causes.find(({ status }) => status === 'confirmed') ?? causes[0];
    if (expected === null) expect(lead?.id).toBeUndefined();
    else if (found !== null) expect(expected).toContain(lead?.id);
    // Never surer of something else, whatever becomes of the weights.
    for (const { id, status } of causes) if (status === 'confirmed') expect(expected ?? []).toContain(id);
  });
});
