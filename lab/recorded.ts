import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBundle } from '../src/host/bundle/bundle-file.ts';
import type { Entry } from '../src/host/bundle/entry.ts';
import { openHost } from '../src/host/open-host.ts';
import type { Place } from '../src/model/cause.ts';
import type { CaptureReport } from '../src/model/diagnosis.ts';
import { diagnoseConnect } from '../src/service/diagnose-connect.ts';
import { diagnoseListen } from '../src/service/diagnose-listen.ts';
import type { LabSide, SideOutcome } from './outcome.ts';

/** One recorded side of a scenario, as `fixtures/lab/expected.json` lists it. */
export interface Recorded {
  /** File name. */
  readonly bundle: string;
  readonly side: LabSide;
  readonly scenario: string;
  /** Causes of which any may stand first; null: none may be named. */
  readonly expected: readonly string[] | null;
  /** What was found when it was alive. */
  readonly found: SideOutcome['found'];
  /** Where a client must look. */
  readonly place?: Place;
}

/** Where the recordings are. */
export const RECORDINGS: string = fileURLToPath(new URL('../fixtures/lab/', import.meta.url));

/** All recordings that are kept. */
export function listRecorded(): readonly Recorded[] {
  return JSON.parse(readFileSync(join(RECORDINGS, 'expected.json'), 'utf8')) as readonly Recorded[];
}

/** Diagnoses a recorded host, as it was diagnosed when it was alive. */
export async function replay(path: string, side: LabSide): Promise<CaptureReport> {
  const { header, entries } = await readBundle(path);
  const [port = 0] = header.ports;
  const host = await openHost(`bundle:${path}`);
  try {
    if (side === 'server') return await diagnoseListen({ host, port, forMs: 20_000 });
    return await diagnoseConnect({ host, ...targetOf(entries, port) });
  } finally {
    await host.close();
  }
}

/** What the recorded client was to reach: the name that it asked for, or the address that it connected to. */
function targetOf(
  entries: readonly Entry[],
  port: number,
): { target: { name: string; port: number }; timeoutMs: number; holdMs: number } {
  let name: string | undefined;
  for (const { question } of entries) {
    if (question.op === 'run' && question.argv[0] === 'getent') name ??= question.argv.at(-1);
    if (question.op !== 'connect' || question.port !== port || question.ttl !== undefined) continue;
    const { address, timeoutMs, holdMs = 0 } = question;
    return { target: { name: name ?? address, port }, timeoutMs, holdMs };
  }
  if (name === undefined) throw new Error('it neither asked for a name nor connected');
  return { target: { name, port }, timeoutMs: 10_000, holdMs: 0 };
}

/** What is wrong with the report of a recording; undefined when it says what must come of it. */
export function faultOf({ diagnoses }: CaptureReport, { expected, found, place }: Recorded): string | undefined {
  const causes = diagnoses.flatMap(({ cause }) => (cause === null ? [] : [cause]));
  const lead = causes.find(({ status }) => status === 'confirmed') ?? causes[0];
  const said = lead === undefined ? 'no cause' : `${lead.id} (${lead.status})`;
  if (expected === null ? lead !== undefined : found !== null && !expected.includes(lead?.id ?? '')) {
    return `${said} instead of ${expected?.join(' or ') ?? 'none'}`;
  }
  // Never surer of something else, whatever becomes of the weights.
  const wrong = causes.find(({ id, status }) => status === 'confirmed' && expected?.includes(id) !== true);
  if (wrong !== undefined) return `${wrong.id} is confirmed, which is not so`;
  const places = diagnoses.flatMap((one) => one.place?.split('-or-') ?? []);
  return place === undefined || places.includes(place)
    ? undefined
    : `it looks at ${places.join(', ')}, not at ${place}`;
}
