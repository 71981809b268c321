import { compareTsvals } from '../handshake/compare/attempt-columns.ts';
import { describeBasis } from '../handshake/compare/match-basis.ts';
import type { PathStory } from './path-story.ts';

/** The weakest way in which an attempt was recognised from capture to capture; 0 when it is in one capture only. */
export function weakestBasis({ comparison, story }: PathStory): number {
  let weakest = 0;
  for (const basis of comparison.basisOf) weakest = Math.max(weakest, basis[story]!);
  return weakest;
}

/** How the attempt was recognised, for example `same ISN and TSval; source address translated`. */
export function matchText(path: PathStory): string | undefined {
  const basis = weakestBasis(path);
  if (basis === 0 || path.far === path.near) return undefined;
  const { comparison, story, near, far } = path;
  const a = near.sighting.handshake;
  const b = far.sighting.handshake;
  const tsval = compareTsvals(
    comparison.columns[near.capture]!.capture.table,
    comparison.rowOf[near.capture]![story]!,
    comparison.columns[far.capture]!.capture.table,
    comparison.rowOf[far.capture]![story]!,
  );
  return describeBasis(basis, {
    client: a.client.address !== b.client.address,
    server: a.server.address !== b.server.address,
    serverPort: a.server.port !== b.server.port,
    tsvalAgrees: tsval === 'same',
  });
}
