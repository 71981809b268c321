import type { Cause, Place } from '../src/model/cause.ts';
import type { CaptureReport, Diagnosis, DiagnosisPlace, VerdictStatus } from '../src/model/diagnosis.ts';
import type { ConnectResult } from '../src/model/facts/attempt.ts';
import type { ScenarioPlan } from '../src/model/scenario.ts';

/** From which host a broken lab is judged. */
export type LabSide = 'server' | 'client';

/**
 * How a diagnosis compares with the truth. `wrong-confirmed` is the worst: something else was named for certain. `open`: nothing was
 * expected from this side, and nothing wrong was said.
 */
export type LabVerdict = 'right' | 'missed' | 'wrong' | 'wrong-confirmed' | 'open';

/** What was found from one side, against what was to be found. */
export interface SideOutcome {
  readonly side: LabSide;
  readonly verdict: LabVerdict;
  /** Causes of which any may stand first; `null`: none may be named; absent: nothing can be told from this side. */
  readonly expected?: readonly string[] | null;
  readonly found: { readonly id: string; readonly status: VerdictStatus } | null;
  readonly sentence: string;
  /** Where the fault lies, and whether the diagnosis says so; only where something is wrong. */
  readonly place?: { readonly truth: Place; readonly said: DiagnosisPlace; readonly right: boolean };
  /** Every cause that is not just "not indicated", with its status. */
  readonly statuses: Readonly<Record<string, VerdictStatus>>;
  /** What supports the cause that was found. */
  readonly evidence: readonly string[];
  readonly elapsedMs: number;
}

/** One run of one scenario. */
export interface RunOutcome {
  /** Id of the cause, or name of the healthy host. */
  readonly scenario: string;
  readonly kind: 'cause' | 'healthy';
  readonly family: 4 | 6;
  readonly variant?: string;
  readonly seed: number;
  readonly decoys: readonly string[];
  /** Why it could not be run here. */
  readonly skipped?: string;
  /** The run itself went wrong: a bug of the scenario, the lab, or the diagnosis. */
  readonly error?: string;
  /** What the client saw while the server was watched; empty when nobody waited for it. */
  readonly client: readonly ConnectResult[];
  readonly sides: readonly SideOutcome[];
}

/** Compares the report of one side with the truth. `cause` is absent for a healthy host. */
export function judgeSide(
  side: LabSide,
  report: CaptureReport,
  plan: ScenarioPlan,
  cause: Cause | undefined,
  elapsedMs: number,
): SideOutcome {
  const diagnosis = leadingDiagnosis(report);
  const found = diagnosis?.cause ?? null;
  const expected = expectedFrom(side, plan, cause);
  const truth = cause === undefined || expected === null ? undefined : (plan.expect?.place ?? cause.place);
  const said = diagnosis?.place;
  return {
    side,
    verdict: compare(found, expected, cause?.id),
    ...(expected === undefined ? {} : { expected }),
    found: found === null ? null : { id: found.id, status: found.status },
    sentence: diagnosis?.sentence ?? report.headline,
    ...(truth === undefined || said === undefined
      ? {}
      : { place: { truth, said, right: said.split('-or-').includes(truth) } }),
    statuses: diagnosis === undefined ? {} : statusesOf(diagnosis),
    evidence: (diagnosis?.evidence ?? []).map(({ statement, bearing }) =>
      bearing === 'supports' ? statement : `but ${statement}`,
    ),
    elapsedMs,
  };
}

/** The diagnosis that a person would read first: one that names a cause, the surest of them. */
function leadingDiagnosis({ diagnoses }: CaptureReport): Diagnosis | undefined {
  return (
    diagnoses.find(({ cause }) => cause?.status === 'confirmed') ??
    diagnoses.find(({ cause }) => cause !== null) ??
    diagnoses[0]
  );
}

/** A side from which a cause cannot be known must name nothing wrong; the other side must name it. */
function expectedFrom(side: LabSide, { expect }: ScenarioPlan, cause: Cause | undefined): SideOutcome['expected'] {
  const given = expect?.[side];
  if (given !== undefined || cause === undefined) return given ?? null;
  return cause.sides.includes(side) ? [cause.id] : undefined;
}

function compare(
  found: { readonly id: string; readonly status: VerdictStatus } | null,
  expected: SideOutcome['expected'],
  own: string | undefined,
): LabVerdict {
  const isRight = expected === undefined ? found === null || found.id === own : expected?.includes(found?.id ?? '');
  if (expected === null) {
    if (found === null) return 'right';
  } else if (isRight === true) {
    return expected === undefined ? 'open' : 'right';
  } else if (found === null) {
    return 'missed';
  }
  if (found.status === 'confirmed') return 'wrong-confirmed';
  return expected === undefined ? 'open' : 'wrong';
}

function statusesOf({ cause, suspects, ruledOut, undetermined }: Diagnosis): Record<string, VerdictStatus> {
  return Object.fromEntries([
    ...undetermined.map(({ id }): [string, VerdictStatus] => [id, 'undetermined']),
    ...ruledOut.map(({ id }): [string, VerdictStatus] => [id, 'ruled-out']),
    ...suspects.map(({ id, status }): [string, VerdictStatus] => [id, status]),
    ...(cause === null ? [] : [[cause.id, cause.status] as [string, VerdictStatus]]),
  ]);
}
