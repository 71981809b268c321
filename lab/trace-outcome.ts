import type { Cause } from '../src/model/cause.ts';
import type { CauseVerdict, Diagnosis } from '../src/model/diagnosis.ts';
import type { PathLocation } from '../src/model/path.ts';
import type { ScenarioPlan } from '../src/model/scenario.ts';
import type { TracedLab } from './trace-both.ts';

/** What a trace found, against what was to be found; and what each end had said by itself. */
export interface TraceOutcome {
  readonly name: string;
  /** `located`: no cause, but the place where it died, which is all that there is to know. */
  readonly verdict: 'right' | 'missed' | 'wrong' | 'wrong-confirmed' | 'error';
  readonly expected: readonly string[] | null;
  readonly found: Pick<CauseVerdict, 'id' | 'status'> | null;
  readonly client: Pick<CauseVerdict, 'id' | 'status'> | null;
  readonly server: Pick<CauseVerdict, 'id' | 'status'> | null;
  readonly location?: PathLocation;
  readonly sentence: string;
  readonly elapsedMs: number;
}

/** Where an attempt dies for which the network between is at fault. */
const ON_THE_WAY: ReadonlySet<PathLocation> = new Set([
  'lost-before-server',
  'answer-lost',
  'final-ack-lost',
  'refused-by-middlebox',
  'icmp-from-router',
]);

/** What the router itself says of a scenario that was made for those who cannot ask it. */
const BY_ROUTER: Readonly<Record<string, readonly string[]>> = {
  'icmp-suppressed': ['router-reject-route'],
  'ecn-setup-syn-dropped': ['path-firewall-drop-syn'],
  'return-path-lost': ['return-path-no-route'],
  'rst-injected': ['path-firewall-reject'],
};

/** Compares what a trace found with the truth. `cause` is absent for a healthy host. */
export function tracedOutcome(
  name: string,
  { report, client, server }: TracedLab,
  plan: ScenarioPlan,
  cause: Cause | undefined,
  elapsedMs: number,
): TraceOutcome {
  const lead = leading(report.diagnoses);
  const found = lead?.cause ?? null;
  const expected = expectedOf(plan, cause);
  const location = lead?.path?.location;
  return {
    name,
    verdict: compare(found, expected, location, plan.expect?.place ?? cause?.place, isHarmless(plan)),
    expected,
    found: found && { id: found.id, status: found.status },
    client: leading(client)?.cause ?? null,
    server: leading(server)?.cause ?? null,
    ...(location === undefined ? {} : { location }),
    sentence: lead?.sentence ?? report.headline,
    elapsedMs,
  };
}

function leading(diagnoses: readonly Diagnosis[]): Diagnosis | undefined {
  return (
    diagnoses.find(({ cause }) => cause?.status === 'confirmed') ??
    diagnoses.find(({ cause }) => cause !== null) ??
    diagnoses[0]
  );
}

/** With both ends and the router the scenario's own cause can be known, or one that has the same evidence from the side that is at fault. */
function expectedOf({ expect }: ScenarioPlan, cause: Cause | undefined): readonly string[] | null {
  if (cause === undefined) return null;
  const place = expect?.place ?? cause.place;
  const own = place === 'path' ? null : (expect?.[place] ?? null);
  // Where the side at fault cannot know it, the other one may.
  const sides =
    place === 'path' || (own === null && expect?.[place] === null) ? (['client', 'server'] as const) : [place];
  return [...new Set([cause.id, ...(BY_ROUTER[cause.id] ?? []), ...sides.flatMap((side) => expect?.[side] ?? [])])];
}

function isHarmless({ expect }: ScenarioPlan): boolean {
  return expect?.server === null && expect.client === null;
}

function compare(
  found: CauseVerdict | null,
  expected: readonly string[] | null,
  location: PathLocation | undefined,
  place: string | undefined,
  harmless: boolean,
): TraceOutcome['verdict'] {
  if (expected === null) {
    if (found === null) return 'right';
  } else {
    if (found !== null && expected.includes(found.id)) return 'right';
    // It does no harm, and so nothing is to be named.
    if (found === null && harmless && location === 'established') return 'right';
    // What is on the way and can be seen from nowhere: the place is the answer.
    if (found === null)
      return place === 'path' && location !== undefined && ON_THE_WAY.has(location) ? 'right' : 'missed';
  }
  return found?.status === 'confirmed' ? 'wrong-confirmed' : 'wrong';
}

/** The counts of many runs, as text. */
export function traceTotals(outcomes: readonly TraceOutcome[]): string {
  const ofCauses = outcomes.filter(({ expected }) => expected !== null);
  const healthy = outcomes.filter(({ expected, verdict }) => expected === null && verdict !== 'error');
  const right = (ones: readonly TraceOutcome[]): number => ones.filter(({ verdict }) => verdict === 'right').length;
  const by = (side: 'client' | 'server'): number =>
    ofCauses.filter((one) => one.expected?.includes(one[side]?.id ?? '') === true).length;
  const worse = ofCauses.filter(
    (one) =>
      one.verdict !== 'right' &&
      [one.client, one.server].some((side) => one.expected?.includes(side?.id ?? '') === true),
  );
  return [
    `${outcomes.length} runs: both ends right in ${right(ofCauses)} of ${ofCauses.length} (${((100 * right(ofCauses)) / Math.max(1, ofCauses.length)).toFixed(1)} %)`,
    `the server by itself ${by('server')}, the client by itself ${by('client')}; healthy hosts right ${right(healthy)} of ${healthy.length}`,
    `wrong and confirmed: ${outcomes.filter(({ verdict }) => verdict === 'wrong-confirmed').length}; worse than one end alone: ${worse.length}${worse.map(({ name }) => `\n  ${name}`).join('')}`,
  ].join('\n');
}
