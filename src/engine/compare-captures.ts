import { ROW, ROW_COUNTS, ROW_STATE, STATE_PROVED } from '../handshake/attempt-layout.ts';
import { type Comparison, compareTracked } from '../handshake/compare/comparison.ts';
import type { TrackedCapture } from '../handshake/compare/tracked-capture.ts';
import { absoluteNs } from '../handshake/materialize.ts';
import { isFailure, outcomeOf } from '../handshake/outcome.ts';
import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import type { Outcome } from '../model/handshake.ts';
import { type AttemptFilter, compileFilter, nothingPasses } from './attempt-filter.ts';
import { judgePath } from './judge-path.ts';
import { clockRelations } from './path-clocks.ts';
import { outcomeOnPath, pathDiagnosis } from './path-diagnosis.ts';
import { PathGroups, pathGroup } from './path-groups.ts';
import { pathHeadline } from './path-headline.ts';
import { pathNotes } from './path-notes.ts';
import { signatureOf } from './path-signature.ts';
import { type PathStory, pathStory } from './path-story.ts';

/** What a comparison is asked to show. */
export interface CompareOptions {
  /** Most diagnoses that are made; groups and counts stay complete. */
  readonly limit?: number;
  /** Diagnoses attempts that worked as well. */
  readonly all?: boolean;
  /** Which attempts count, by what the capture nearest to the client has of them. */
  readonly filter?: AttemptFilter | undefined;
  /** Called with each diagnosis as it is made; then none is kept. */
  readonly onDiagnosis?: (diagnosis: Diagnosis) => void;
}

/** So many attempts are judged packet by packet; beyond, like ones share their verdict. */
const JUDGED_ONE_BY_ONE = 1000;
const DEFAULT_LIMIT = 100_000;
/** So many groups, the largest, get more than one example. */
const EXAMPLES_FOR_GROUPS = 50;

type Location = ReturnType<typeof judgePath>['verdict']['location'];
type Confidence = ReturnType<typeof judgePath>['verdict']['confidence'];

interface Judged {
  readonly location: Location;
  readonly confidence: Confidence;
  readonly outcome: Outcome;
  readonly syns: number;
}

/**
 * Compares two or more captures of the same attempts, the one nearest to the client first (if they are given otherwise, that is
 * noticed): where did each failed attempt die?
 */
export function compareCaptures(
  captures: readonly TrackedCapture[],
  { limit = DEFAULT_LIMIT, all = false, filter = {}, onDiagnosis }: CompareOptions = {},
): Omit<CaptureReport, 'command' | 'captures'> {
  const comparison = compareTracked(captures);
  const { candidates, counts } = selectStories(comparison, filter, all);
  const groups = new PathGroups();
  const diagnoses: Diagnosis[] = [];
  const alike = new Map<number, Judged>();
  let [made, omitted] = [0, 0];
  for (const story of candidates) {
    const alone = made < limit || made + omitted < JUDGED_ONE_BY_ONE || isUndecided(comparison, story);
    const known = alone ? undefined : alike.get(signatureOf(comparison, story));
    let judged: Judged;
    let diagnosis: Diagnosis | undefined;
    if (known === undefined) {
      const path = pathStory(comparison, story)!;
      const verdict = judgePath(path);
      const outcome = outcomeOnPath(path, verdict.verdict.location);
      const { location, confidence } = verdict.verdict;
      judged = { location, confidence, outcome, syns: path.near.syns.length };
      if (candidates.length > Math.max(limit, JUDGED_ONE_BY_ONE) && !isUndecided(comparison, story))
        alike.set(signatureOf(comparison, story), judged);
      if (isShown(judged, all)) {
        if (made < limit) {
          diagnosis = pathDiagnosis(path, verdict);
          if (onDiagnosis === undefined) diagnoses.push(diagnosis);
          else onDiagnosis(diagnosis);
          made++;
        } else omitted++;
      }
    } else {
      judged = known;
      if (isShown(judged, all)) omitted++;
    }
    counts.outcomes[judged.outcome] = (counts.outcomes[judged.outcome] ?? 0) + 1;
    if (judged.location === 'late') counts.late++;
    if (isFailure(judged.outcome)) counts.failed++;
    if (isShown(judged, false)) groups.add(attemptAt(comparison, story), judged, diagnosis);
  }
  const baseNs = captures[0]?.baseNs ?? 0n;
  const shown = groups.all().map((group, i) =>
    pathGroup(
      group,
      group.examples
        .slice(0, i < EXAMPLES_FOR_GROUPS ? undefined : 1)
        .map(({ story, diagnosis }) => diagnosis ?? diagnose(pathStory(comparison, story)!)),
      (ns) => absoluteNs(baseNs, ns),
    ),
  );
  const { handshakes, failed, outcomes, late } = counts;
  const summary = { handshakes, failed, outcomes, late };
  return {
    headline:
      counts.filtered > 0 && counts.handshakes + counts.otherClients === 0
        ? nothingPasses(
            filter,
            captures.map(({ name }) => name),
            counts.filtered,
          )
        : pathHeadline(comparison, summary, shown),
    diagnoses,
    omittedDiagnoses: omitted,
    groups: shown,
    summary,
    notes: pathNotes(comparison, counts.otherClients),
    clocks: clockRelations(comparison),
  };
}

/**
 * What worked is shown on request only; what the end of a capture cut off, when it was repeated at least once or the place where
 * it hangs is plain.
 */
function isShown({ location, outcome, confidence, syns }: Judged, all: boolean): boolean {
  if (all) return true;
  if (location === 'established') return false;
  return outcome !== 'in-progress' || syns > 1 || (location !== 'unmatched' && confidence !== 'guess');
}

/** Cut off by the end of a capture: then every millisecond decides. */
function isUndecided({ columns, order, rowOf }: Comparison, story: number): boolean {
  const near = order.find((capture) => rowOf[capture]![story]! >= 0)!;
  return outcomeOf(columns[near]!.rows[rowOf[near]![story]! * ROW + ROW_STATE]!) === 'in-progress';
}

function diagnose(path: PathStory): Diagnosis {
  return pathDiagnosis(path, judgePath(path));
}

interface Counts {
  handshakes: number;
  failed: number;
  late: number;
  otherClients: number;
  /** Attempts that the filter left out. */
  filtered: number;
  outcomes: Partial<Record<Outcome, number>>;
}

/** Finds the attempts that need a judge, in the order in which they ended; those that plainly worked are only counted. */
function selectStories(
  comparison: Comparison,
  filter: AttemptFilter,
  all: boolean,
): { candidates: Int32Array; counts: Counts } {
  const { columns, order, rowOf, stories } = comparison;
  const counts: Counts = { handshakes: 0, failed: 0, late: 0, otherClients: 0, filtered: 0, outcomes: {} };
  const passes = columns.map(({ capture }) => compileFilter(filter, capture.table, capture.firstNs));
  const candidates: number[] = [];
  const endNs = new Float64Array(stories);
  for (let story = 0; story < stories; story++) {
    const near = order.find((capture) => rowOf[capture]![story]! >= 0)!;
    const row = rowOf[near]![story]!;
    if (passes[near]?.(row, columns[near]!.capture.baseNs) === false) {
      counts.filtered++;
      continue;
    }
    if (near === order.at(-1) && order.length > 1) {
      counts.otherClients++;
      continue;
    }
    counts.handshakes++;
    const { rows, lastNs, shiftNs } = columns[near]!;
    const state = rows[row * ROW + ROW_STATE]!;
    const outcome = outcomeOf(state);
    if (all || needsJudge(comparison, story, near, outcome, (state & STATE_PROVED) !== 0)) {
      endNs[story] = lastNs[row]! + shiftNs;
      candidates.push(story);
    } else counts.outcomes[outcome] = (counts.outcomes[outcome] ?? 0) + 1;
  }
  return { candidates: Int32Array.from(candidates).sort((a, b) => endNs[a]! - endNs[b]! || a - b), counts };
}

function needsJudge(
  { columns, rowOf }: Comparison,
  story: number,
  near: number,
  outcome: Outcome,
  proved: boolean,
): boolean {
  if (isFailure(outcome) || outcome === 'in-progress') return true;
  for (let capture = 0; capture < columns.length; capture++) {
    const row = rowOf[capture]![story]!;
    if (row < 0) continue;
    const { rows } = columns[capture]!;
    const packed = rows[row * ROW + ROW_COUNTS]!;
    // Repeated SYNs or SYN-ACKs: it was late.
    if (outcome === 'established' && ((packed & 255) > 1 || ((packed >>> 8) & 255) > 1)) return true;
    if (capture !== near && !proved && isFailure(outcomeOf(rows[row * ROW + ROW_STATE]!))) {
      return outcome === 'established';
    }
  }
  return false;
}

function attemptAt(
  { columns, order, rowOf }: Comparison,
  story: number,
): { story: number; rows: Int32Array; row: number; firstNs: number; lastNs: number; syns: number } {
  const near = order.find((capture) => rowOf[capture]![story]! >= 0)!;
  const row = rowOf[near]![story]!;
  const { rows, firstNs, lastNs, shiftNs } = columns[near]!;
  const syns = rows[row * ROW + ROW_COUNTS]! & 255;
  return { story, rows, row, firstNs: firstNs[row]! + shiftNs, lastNs: lastNs[row]! + shiftNs, syns };
}
