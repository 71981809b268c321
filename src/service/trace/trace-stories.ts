import { type JudgedPath, judgePath } from '../../engine/judge-path.ts';
import { clockRelations } from '../../engine/path-clocks.ts';
import { type PathStory, pathStory } from '../../engine/path-story.ts';
import { type Comparison, compareTracked } from '../../handshake/compare/comparison.ts';
import type { CaptureSummary } from '../../model/capture.ts';
import type { ClockRelation } from '../../model/diagnosis.ts';
import type { Handshake } from '../../model/handshake.ts';
import type { WatchedPoint } from './watched-point.ts';

/** One attempt as all captures show it, with where it died. */
export interface TracedAttempt {
  readonly story: PathStory;
  /** Where it died; absent when nothing captured it, or could have, at the server: then no capture is the last word. */
  readonly path?: JudgedPath;
  /** As the client's capture has it. */
  readonly handshake: Handshake;
}

/** What the captures of a trace show together. */
export interface Traced {
  readonly summaries: readonly CaptureSummary[];
  readonly clocks: readonly ClockRelation[];
  /** Attempts that left the client, in the order in which they began; none where the client or all others captured nothing. */
  readonly attempts: readonly TracedAttempt[];
}

/**
 * Compares what was captured so far.
 * @param points those that capture, from the client to the server.
 * @param concerns whether an attempt, as the client has it, is one of those that the trace is about.
 */
export async function compareSoFar(
  points: readonly WatchedPoint[],
  concerns: (handshake: Handshake) => boolean,
): Promise<Traced> {
  const inputs = await Promise.all(points.map(async (point) => ({ point, input: await point.tracked() })));
  const seen = inputs.flatMap(({ point, input }) => (input === undefined ? [] : [{ point, input }]));
  const summaries = seen.map(({ input }) => input.summary);
  // Only the client knows which attempts are meant, and only another capture adds to what it shows by itself.
  if (seen[0]?.point.plan.role !== 'client' || seen.length < 2) return { summaries, clocks: [], attempts: [] };
  const comparison = compareTracked(
    seen.map(({ input }) => input.capture),
    true,
  );
  const server = seen.findIndex(({ point }) => point.plan.role === 'server');
  const isWhole = server >= 0 && seen[server]?.point.isBroken === false;
  /** Whether the server's side of an attempt is known. */
  const reaches = (story: number): boolean => server >= 0 && (isWhole || comparison.rowOf[server]![story]! >= 0);
  return {
    summaries,
    clocks: clockRelations(comparison),
    attempts: attemptsOf(comparison, concerns, reaches),
  };
}

function attemptsOf(
  comparison: Comparison,
  concerns: (handshake: Handshake) => boolean,
  reaches: (story: number) => boolean,
): TracedAttempt[] {
  const found: TracedAttempt[] = [];
  for (let story = 0; story < comparison.stories; story++) {
    if (comparison.rowOf[0]![story]! < 0) continue;
    const path = pathStory(comparison, story);
    if (path === undefined || !concerns(path.near.sighting.handshake)) continue;
    const { handshake } = path.near.sighting;
    found.push({ story: path, handshake, ...(reaches(story) ? { path: judgePath(path) } : {}) });
  }
  return found;
}
