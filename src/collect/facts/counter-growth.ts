import type { Counters } from '../../model/facts/facts.ts';

/** Counters of one file: a value for each CPU, or one alone. */
export type CounterValues = ReadonlyMap<string, readonly number[]>;

/** Counters by the file that holds them; a file that does not exist is absent. */
export type CounterFiles = ReadonlyMap<string, CounterValues>;

/** Sizes and settings that stand among the counters: they do not grow. */
const GAUGES: ReadonlySet<string> = new Set([
  'IpForwarding',
  'IpDefaultTTL',
  'TcpRtoAlgorithm',
  'TcpRtoMin',
  'TcpRtoMax',
  'TcpMaxConn',
  'TcpCurrEstab',
  'MPTcpExtMPCurrEstab',
]);

const WIDTH = 0x1_0000_0000;

/**
 * How much a counter grew between two readings. Counters of 32 bits wrap; one that fell otherwise was started again at 0.
 */
export function growthOf(before: number, after: number): number {
  if (after >= before) return after - before;
  const wrapped = before < WIDTH && before >= 0.75 * WIDTH && after < 0.25 * WIDTH;
  return wrapped ? after + WIDTH - before : Math.max(0, after);
}

/**
 * Makes the fact of one or two readings. A counter that was not in a file before counted from 0; nothing is said of the growth of a
 * file that was not there.
 */
export function countersOf(now: CounterFiles, before: CounterFiles | undefined, intervalMs: number): Counters {
  const values = new Map<string, number>();
  const growth = new Map<string, number>();
  for (const [file, counters] of now) {
    const earlier = before?.get(file);
    for (const [name, cpus] of counters) {
      values.set(name, sum(cpus));
      if (earlier === undefined || intervalMs === 0 || GAUGES.has(name) || name.endsWith('.entries')) continue;
      const grown = growthOfCpus(earlier.get(name) ?? [], cpus);
      if (grown > 0) growth.set(name, grown);
    }
  }
  return {
    now: Object.fromEntries(values),
    growth: Object.fromEntries(growth),
    intervalMs: before === undefined ? 0 : intervalMs,
  };
}

/** CPUs are told apart by their place; when their number changed, only the sums can be held against each other. */
function growthOfCpus(before: readonly number[], after: readonly number[]): number {
  if (before.length !== after.length) return growthOf(sum(before), sum(after));
  return sum(after.map((value, cpu) => growthOf(before[cpu] ?? 0, value)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Puts the name of a file in front of each counter. */
export function withPrefix(prefix: string, counters: CounterValues): CounterValues {
  return new Map([...counters].map(([name, values]) => [`${prefix}.${name}`, values]));
}
