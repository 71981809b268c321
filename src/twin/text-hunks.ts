/** A place in which two texts differ. */
export interface TextHunk {
  readonly good: readonly string[];
  readonly bad: readonly string[];
  /** The bad text, in which others of these hunks may have been undone already, with this one undone. */
  undoIn(text: string): string;
}

/** Longer texts are compared as a whole. */
const MAX_CELLS = 30_000_000;

/**
 * The places in which two texts differ, line by line.
 * @param same lines that this makes equal are the same.
 */
export function textHunks(good: string, bad: string, same: (line: string) => string): TextHunk[] {
  const [a, b] = [good.split('\n'), bad.split('\n')];
  const [left, right] = [a.map(same), b.map(same)];
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let end = 0;
  while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end)) end++;
  const pairs = matches(left.slice(start, left.length - end), right.slice(start, right.length - end));
  const hunks: TextHunk[] = [];
  let [i, j] = [start, start];
  for (const [x, y] of [
    ...pairs.map(([x, y]) => [x + start, y + start] as const),
    [a.length - end, b.length - end] as const,
  ]) {
    if (x > i || y > j) hunks.push(hunk(a.slice(i, x), b, j, y));
    [i, j] = [x + 1, y + 1];
  }
  return hunks;
}

/** Undoing finds its place by the lines before it in the bad text, which other hunks leave as they are. */
function hunk(good: readonly string[], all: readonly string[], from: number, to: number): TextHunk {
  const bad = all.slice(from, to);
  const marker = `${MARK}${from} `;
  return {
    good,
    bad,
    undoIn(text) {
      const lines = text.includes(MARK) ? text.split('\n') : all.map((line, index) => `${MARK}${index} ${line}`);
      const at = lines.findIndex((line) => line.startsWith(marker));
      const kept = lines.filter((_, index) => at < 0 || index < at || index >= at + bad.length);
      kept.splice(at < 0 ? kept.length : at, 0, ...good.map((line) => `${MARK}- ${line}`));
      return kept.join('\n');
    },
  };
}

/** Numbers the lines of the bad text while some of its differences are undone. */
const MARK = '\u0001';

/** The text without the numbers of its lines. */
export function withoutMarks(text: string): string {
  return text.replaceAll(/^\u0001(?:\d+|-) /gm, '');
}

/** Pairs of equal lines, in order, as many as there can be (longest common subsequence). */
function matches(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  if (a.length * b.length > MAX_CELLS) return [];
  const width = b.length + 1;
  const best = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i * width + j] =
        a[i] === b[j]
          ? best[(i + 1) * width + j + 1]! + 1
          : Math.max(best[(i + 1) * width + j]!, best[i * width + j + 1]!);
    }
  }
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (best[(i + 1) * width + j]! >= best[i * width + j + 1]!) i++;
    else j++;
  }
  return pairs;
}
