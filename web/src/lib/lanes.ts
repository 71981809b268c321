import type { IncidentRow } from '../api/types.ts';

/** Rows that bars may take; what does not fit is counted. */
const MAX_LANES = 6;
/** Part of the width that a name needs beside its bar. */
const NAME_SHARE = 0.26;

/** An incident placed on the time line; positions are parts of its width. */
export interface Placed {
  readonly incident: IncidentRow;
  readonly left: number;
  readonly width: number;
  /** The name stands before the bar, where there is no room behind it. */
  readonly before: boolean;
}

/** Puts each incident into the first lane with room, newest first. */
export function placeIncidents(
  incidents: readonly IncidentRow[],
  fromMs: number,
  toMs: number,
): { readonly lanes: readonly (readonly Placed[])[]; readonly omitted: number } {
  const lanes: Placed[][] = [];
  let omitted = 0;
  for (const incident of [...incidents].sort((one, other) => other.id - one.id)) {
    const start = Math.max(0, (Date.parse(incident.firstAt) - fromMs) / (toMs - fromMs));
    const end = Math.min(1, (Date.parse(incident.lastAt) - fromMs) / (toMs - fromMs));
    if (start > 1 || end < 0) continue;
    const width = Math.max(0, end - start);
    const placed = { incident, left: start, width, before: end + NAME_SHARE > 1 && start > NAME_SHARE };
    const lane = lanes.find((taken) => taken.every((other) => apart(other, placed)));
    if (lane !== undefined) lane.push(placed);
    else if (lanes.length < MAX_LANES) lanes.push([placed]);
    else omitted += 1;
  }
  return { lanes, omitted };
}

function apart(one: Placed, other: Placed): boolean {
  const [oneFrom, oneTo] = extent(one);
  const [otherFrom, otherTo] = extent(other);
  return oneTo <= otherFrom || otherTo <= oneFrom;
}

function extent({ left, width, before }: Placed): readonly [number, number] {
  return before ? [left - NAME_SHARE, left + width] : [left, left + width + NAME_SHARE];
}
