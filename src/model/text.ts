/** Formats a whole number with thousands separators: `1,234,567`. */
export function formatCount(count: number): string {
  return count.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 SYN`, `4 SYNs`: a count with its noun; the plural is the noun with `s` unless given. */
export function formatQuantity(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** Formats a duration for a sentence with about three digits: `850 ns`, `31 µs`, `4.2 ms`, `1.03 s`, `2 min 5 s`. */
export function formatDuration(ns: number): string {
  const abs = Math.abs(ns);
  if (abs < 999.5) return `${Math.round(ns)} ns`;
  if (abs < 999_500) return `${threeDigits(ns / 1e3)} µs`;
  if (abs < 999_500_000) return `${threeDigits(ns / 1e6)} ms`;
  if (abs < 119.5e9) return `${threeDigits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (abs < 7200e9) return `${Math.trunc(seconds / 60)} min ${Math.abs(seconds % 60)} s`;
  return `${Math.trunc(seconds / 3600)} h ${Math.abs(Math.trunc((seconds % 3600) / 60))} min`;
}

function threeDigits(value: number): string {
  const abs = Math.abs(value);
  const text = value.toFixed(abs < 9.995 ? 2 : abs < 99.95 ? 1 : 0);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Joins words for a sentence: `a`, `a and b`, `a, b and c`. */
export function formatList(words: readonly string[], conjunction = 'and'): string {
  if (words.length <= 1) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}

/** Frame numbers for a sentence: `#3`, `#3, #9 and #17`, at most four of them one by one. */
export function formatFrames(frames: readonly number[]): string {
  const named = frames.slice(0, 4).map((frame) => `#${frame}`);
  return frames.length > 4 ? `${named.join(', ')} and ${frames.length - 4} more` : formatList(named);
}
