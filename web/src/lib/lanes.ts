import type { IncidentRow } from '../api/types.ts';

/** Rows that bars may take; what does not fit is counted. */
const MAX_LANES = 6;
/** Room that a name needs beside its bar, in pixels. */
const NAME_PX = 230;

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
  widthPx: number,
): { readonly lanes: readonly (readonly Placed[])[]; readonly omitted: number } {
  const lanes: Placed[][] = [];
  let omitted = 0;
  const nameShare = Math.min(1, NAME_PX / Math.max(1, widthPx));
  for (const incident of [...incidents].sort((one, other) => other.id - one.id)) {
    const start = Math.max(0, (Date.parse(incident.firstAt) - fromMs) / (toMs - fromMs));
    const end = Math.min(1, (Date.parse(incident.lastAt) - fromMs) / (toMs - fromMs));
    if (start > 1 || end < 0) continue;
    const width = Math.max(0, end - start);
    const placed = { incident, left: start, width, before: end + nameShare > 1 && start > 1 - end };
    const lane = lanes.find((taken) => taken.every((other) => apart(other, placed, nameShare)));
    if (lane !== undefined) lane.push(placed);
    else if (lanes.length < MAX_LANES) lanes.push([placed]);
    else omitted += 1;
  }
  return { lanes, omitted };
}

function apart(one: Placed, other: Placed, nameShare: number): boolean {
  const [oneFrom, oneTo] = extent(one, nameShare);
  const [otherFrom, otherTo] = extent(other, nameShare);
  return oneTo <= otherFrom || otherTo <= oneFrom;
}

function extent({ left, width, before }: Placed, nameShare: number): readonly [number, number] {
  return before ? [left - nameShare, left + width] : [left, left + width + nameShare];
}
