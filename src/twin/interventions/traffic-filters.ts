import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

/** Filters of tc. */
export function trafficFilterInterventions({ twin: { traffic } }: Bench): Intervention[] {
  return traffic.made.map(
    (filter): Intervention => ({
      element: { kind: 'tc-filter', element: filter.name, change: 'removed' },
      rank: 'existing',
      breadth: 1,
      apply: ({ twin }) => void twin.traffic.remove(filter),
      revert: ({ twin }) => void twin.traffic.restore(filter),
    }),
  );
}
