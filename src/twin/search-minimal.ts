/** Asks whether parts of a set do it, one after the other, and ends with the smallest part that does. */
type Minimising<T> = Generator<readonly T[], readonly T[], boolean>;

/**
 * The smallest part of a set that still does it: no element of it can be left out (ddmin; Zeller and Hildebrandt, 2002).
 * @param does whether a part does it; the whole set does.
 */
export function minimise<T>(set: readonly T[], does: (part: readonly T[]) => boolean): readonly T[] {
  const steps = minimising(set);
  let step = steps.next();
  while (!step.done) step = steps.next(does(step.value));
  return step.value;
}

/** As {@link minimise}, where each part takes time. */
export async function minimiseSlowly<T>(
  set: readonly T[],
  does: (part: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  const steps = minimising(set);
  let step = steps.next();
  while (!step.done) step = steps.next(await does(step.value));
  return step.value;
}

function* minimising<T>(set: readonly T[]): Minimising<T> {
  let left = [...set];
  let pieces = 2;
  while (left.length >= 2) {
    const size = Math.ceil(left.length / pieces);
    const parts: T[][] = [];
    for (let start = 0; start < left.length; start += size) parts.push(left.slice(start, start + size));
    const enough = yield* firstOf(parts);
    if (enough !== undefined) {
      left = [...enough];
      pieces = 2;
      continue;
    }
    // Of two halves each is the rest of the other.
    const rests = parts.length === 2 ? [] : parts.map((part) => left.filter((one) => !part.includes(one)));
    const rest = yield* firstOf(rests);
    if (rest !== undefined) {
      left = [...rest];
      pieces = Math.max(pieces - 1, 2);
      continue;
    }
    if (pieces >= left.length) break;
    pieces = Math.min(left.length, pieces * 2);
  }
  return left;
}

function* firstOf<T>(parts: readonly (readonly T[])[]): Generator<readonly T[], readonly T[] | undefined, boolean> {
  for (const part of parts) if (yield part) return part;
  return undefined;
}

/**
 * All elements that do it alone, of a set in which hardly any does: a group that does not do it is not looked at further.
 * @param small groups of so many are tried one by one.
 */
export function findAlone<T>(
  set: readonly T[],
  does: (part: readonly T[]) => boolean,
  small: number,
): { readonly found: readonly T[]; readonly inGroups: number } {
  if (set.length === 0) return { found: [], inGroups: 0 };
  if (set.length <= small) return { found: set.filter((one) => does([one])), inGroups: 0 };
  if (!does(set)) return { found: [], inGroups: set.length };
  const middle = set.length >>> 1;
  const [first, second] = [findAlone(set.slice(0, middle), does, 1), findAlone(set.slice(middle), does, 1)];
  return { found: [...first.found, ...second.found], inGroups: first.inGroups + second.inGroups };
}
