import type { Change } from '../../model/cause.ts';
import type { JournalEntry } from '../../remedy/journal/entry.ts';
import { storiesOf } from '../../remedy/journal/records.ts';
import type { TimeWindow, WatchConfig } from './config-types.ts';

type Remediation = WatchConfig['remediation'];

const HOUR_MS = 3_600_000;

/** Whether a program may make changes by itself: they are safe, or all of a kind that was consented to. */
export function isAllowed(
  auto: 'safe' | 'with-consent' | 'never',
  steps: readonly { readonly change: Pick<Change, 'kind'> }[],
  { allowKinds }: Remediation,
): boolean {
  if (auto === 'safe') return true;
  const kinds = steps.map(({ change: { kind } }) => kind);
  return auto === 'with-consent' && kinds.length > 0 && kinds.every((kind) => allowKinds.includes(kind));
}

/** Why a policy makes no repair at this moment; undefined when it may. */
export function heldBack(remediation: Remediation, entries: readonly JournalEntry[], now: Date): string | undefined {
  const { windows, maxPerHour, breakAfter } = remediation;
  if (windows.length > 0 && !windows.some((window) => isWithin(window, now))) {
    return 'it is outside of the windows in which repairs may be made';
  }
  const own = storiesOf(entries).filter(({ beginning }) => beginning.by === 'policy' && beginning.undoes === undefined);
  const recent = own.filter(({ startedAt }) => now.getTime() - Date.parse(startedAt) < HOUR_MS);
  if (recent.length >= maxPerHour)
    return `${recent.length} repairs were made within the last hour, and more than ${maxPerHour} are not to be`;
  const reset = entries.findLast(({ entry }) => entry === 'reset')?.at ?? '';
  const since = own.filter(({ startedAt, end }) => end !== undefined && startedAt > reset);
  const lastGood = since.findLastIndex(({ end }) => end?.outcome === 'verified');
  const bad = since.length - 1 - lastGood;
  return bad >= breakAfter
    ? `the last ${bad} repairs by policy did not help: none is made until "synscope fix --reset" says that a person has looked`
    : undefined;
}

/** Whether a moment, in local time, lies in a window; one that goes over midnight belongs to the day on which it begins. */
export function isWithin({ days, fromMinute, toMinute }: TimeWindow, now: Date): boolean {
  const minute = now.getHours() * 60 + now.getMinutes();
  const today = now.getDay();
  if (fromMinute <= toMinute) return days.includes(today) && minute >= fromMinute && minute < toMinute;
  return (days.includes(today) && minute >= fromMinute) || (days.includes((today + 6) % 7) && minute < toMinute);
}
