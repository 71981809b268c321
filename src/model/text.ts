/** Formats a whole number with thousands separators: `1,234,567`. */
export function formatCount(count: number): string {
  return count.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 SYN`, `4 SYNs`: a count with its noun; the plural is the noun with `s` unless given. */
export function formatQuantity(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** Formats a duration for a sentence with about three digits: `850 ns`, `31 µs`, `4.2 ms`, `1.03 s`, `2 min 5 s`, `2 h 7 min`. */
export function formatDuration(ns: number): string {
  if (ns <= -0.5) return `-${formatDuration(-ns)}`;
  if (ns < 999.5) return `${Math.round(ns)} ns`;
  if (ns < 999_500) return `${threeDigits(ns / 1e3)} µs`;
  if (ns < 999_500_000) return `${threeDigits(ns / 1e6)} ms`;
  if (ns < 119.5e9) return `${threeDigits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

function threeDigits(value: number): string {
  const text = value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Joins words for a sentence: `a`, `a and b`, `a, b and c`. */
export function formatList(words: readonly string[], conjunction = 'and'): string {
  if (words.length <= 1) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}

/** Frame numbers for a sentence: `#3`, `#3, #9 and #17`, at most four of them: `#3, #9, #17 … #40`. */
export function formatFrames(frames: readonly number[]): string {
  const named = frames.map((frame) => `#${frame}`);
  return named.length > 4 ? `${named.slice(0, 3).join(', ')} … ${named.at(-1)}` : formatList(named);
}
