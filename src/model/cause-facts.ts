import type { Attempt } from './facts/attempt.ts';
import type { Counters } from './facts/facts.ts';

/** How much a counter grew during the watch; 0 when it did not, or nothing was watched. */
export function grown(counters: Counters | undefined, ...names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (counters?.growth[name] ?? 0), 0);
}

/** Whether growth of counters means anything: an attempt was watched between two readings. */
export function watched(attempt: Attempt, counters: Counters | undefined): counters is Counters {
  return attempt.observed && counters !== undefined && counters.intervalMs > 0;
}

/** Formats growths for a sentence: `ListenDrops +4 and Ip6OutNoRoutes +4`; names without their group. */
export function formatGrowths(counters: Counters, names: readonly string[]): string {
  const parts = names.map((name) => `${shortCounter(name)} +${grown(counters, name)}`);
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

/** The name of a counter as people say it: without `TcpExt`, `IpExt` in front. */
export function shortCounter(name: string): string {
  return name.replace(/^(TcpExt|IpExt|MPTcpExt)(?=[A-Z])/, '');
}

/** Value of a sysctl as a number; undefined when it is not there or no number. */
export function sysctlNumber(sysctls: Readonly<Record<string, string>> | undefined, key: string): number | undefined {
  const value = sysctls?.[key];
  return value === undefined || !/^-?\d+$/.test(value.trim()) ? undefined : Number(value);
}
