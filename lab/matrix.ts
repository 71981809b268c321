import type { VerdictStatus } from '../src/model/diagnosis.ts';
import type { LabSide, RunOutcome, SideOutcome } from './outcome.ts';

/** Right ones among those that were to be found. */
export interface Share {
  readonly right: number;
  readonly of: number;
}

/** One run of which somebody should hear. */
export interface Mistake {
  readonly run: string;
  readonly side: LabSide;
  readonly expected: readonly string[] | null;
  readonly found: string | null;
  readonly status?: VerdictStatus;
}

/** What a campaign says of the diagnosis. */
export interface Totals {
  readonly runs: number;
  readonly skipped: number;
  readonly errors: number;
  /** The cause that stands first is the right one, by side. */
  readonly firstCause: Readonly<Record<LabSide, Share>>;
  /** The same, and confirmed. */
  readonly confirmed: Readonly<Record<LabSide, Share>>;
  /** Where the client looks for the fault. */
  readonly clientPlace: Share;
  /** Healthy hosts on which something was named. */
  readonly healthy: Share;
  /** Named for certain, and not so: each is a bug. */
  readonly wrongConfirmed: readonly Mistake[];
  /** Likely, but something else. */
  readonly wrong: readonly Mistake[];
  readonly missed: readonly Mistake[];
}

/** Every scenario against every cause: the surest status that it got in any run of that scenario from that side. */
export type ConfusionMatrix = Readonly<Record<string, Readonly<Record<string, VerdictStatus>>>>;

const SURENESS: readonly VerdictStatus[] = [
  'not-indicated',
  'ruled-out',
  'undetermined',
  'possible',
  'likely',
  'confirmed',
];

/** Name of a run, as `lab` takes it apart again. */
export function runName({ scenario, variant, family }: Pick<RunOutcome, 'scenario' | 'variant' | 'family'>): string {
  return `${scenario}${variant === undefined ? '' : `/${variant}`} IPv${family}`;
}

/** Counts what was right. */
export function totalsOf(outcomes: readonly RunOutcome[]): Totals {
  const ran = outcomes.filter(({ skipped, error }) => skipped === undefined && error === undefined);
  const sides = ran.flatMap((run) => run.sides.map((side) => ({ run, side })));
  const ofCauses = sides.filter(({ run, side }) => run.kind === 'cause' && Array.isArray(side.expected));
  const share = (side: LabSide, isRight: (outcome: SideOutcome) => boolean): Share => {
    const judged = ofCauses.filter((one) => one.side.side === side);
    return { right: judged.filter((one) => isRight(one.side)).length, of: judged.length };
  };
  const isConfirmed = ({ verdict, found }: SideOutcome): boolean =>
    verdict === 'right' && found?.status === 'confirmed';
  const isRight = ({ verdict }: SideOutcome): boolean => verdict === 'right';
  const mistakes = (verdict: SideOutcome['verdict']): Mistake[] =>
    sides.filter(({ side }) => side.verdict === verdict).map(({ run, side }) => mistakeOf(run, side));
  const places = sides.filter(
    ({ run, side }) => run.kind === 'cause' && side.side === 'client' && side.place !== undefined,
  );
  const healthy = sides.filter(({ run }) => run.kind === 'healthy');
  return {
    runs: outcomes.length,
    skipped: outcomes.filter(({ skipped }) => skipped !== undefined).length,
    errors: outcomes.filter(({ error }) => error !== undefined).length,
    firstCause: { server: share('server', isRight), client: share('client', isRight) },
    confirmed: { server: share('server', isConfirmed), client: share('client', isConfirmed) },
    clientPlace: { right: places.filter(({ side }) => side.place?.right === true).length, of: places.length },
    healthy: { right: healthy.filter(({ side }) => isRight(side)).length, of: healthy.length },
    wrongConfirmed: mistakes('wrong-confirmed'),
    wrong: mistakes('wrong'),
    missed: mistakes('missed'),
  };
}

/** The confusion matrix of one side. Scenarios that were not run from it have no row. */
export function matrixOf(outcomes: readonly RunOutcome[], side: LabSide): ConfusionMatrix {
  const rows: Record<string, Record<string, VerdictStatus>> = {};
  for (const run of outcomes) {
    for (const outcome of run.sides.filter((one) => one.side === side)) {
      rows[run.scenario] ??= {};
      const row = rows[run.scenario]!;
      for (const [cause, status] of Object.entries(outcome.statuses)) {
        const before = row[cause];
        if (before === undefined || SURENESS.indexOf(status) > SURENESS.indexOf(before)) row[cause] = status;
      }
    }
  }
  return rows;
}

function mistakeOf(run: RunOutcome, { side, expected = [], found }: SideOutcome): Mistake {
  return {
    run: `${runName(run)} seed ${run.seed}`,
    side,
    expected,
    found: found?.id ?? null,
    ...(found === null ? {} : { status: found.status }),
  };
}
