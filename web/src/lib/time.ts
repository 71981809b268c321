import { createState, type State } from './state.ts';

/** Ticks once a second for what tells how long ago something was. */
export const tick: State<number> = createState(Date.now());

/** Starts the clock of the page. */
export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) tick.set(Date.now());
  }, 1000);
  document.addEventListener('visibilitychange', () => tick.set(Date.now()));
}

/** How long ago: `now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 days ago`. */
export function ago(ms: number): string {
  return ms < 2000 ? 'now' : `${span(ms)} ago`;
}

/** A length of time in one unit, rounded down: `12 s`, `5 min`, `3 h`, `2 days`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** Date and time of this browser's zone with seconds: `2026-11-20 14:03:07`. */
export function exact(ms: number): string {
  const date = new Date(ms);
  return `${dayOf(date)} ${clock(ms)}`;
}

/** Time of day: `14:03:07`. */
export function clock(ms: number): string {
  const date = new Date(ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':');
}

/** Time of day with milliseconds: `14:03:07.042`. */
export function fineClock(ms: number): string {
  return `${clock(ms)}.${String(Math.floor(ms) % 1000).padStart(3, '0')}`;
}

function dayOf(date: Date): string {
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join('-');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
