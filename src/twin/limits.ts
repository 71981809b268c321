import type { Notes } from './notes.ts';
import type { HostState } from './state.ts';

/** From here on a table counts as full: the count moves all the time. */
const NEARLY_FULL = 0.95;

/** Says which limits of the whole machine the host is at. A namespace has a share of them, and a twin uses up nothing. */
export function noteLimits({ conntrack, neighbours, sysctls }: HostState, notes: Notes): void {
  const { count, max } = conntrack;
  if (count !== undefined && max !== undefined && max > 0 && count >= max * NEARLY_FULL) {
    notes.missing(`the table of tracked connections, which holds ${count} of ${max}`);
  }
  for (const family of [4, 6] as const) {
    const limit = Number(sysctls[`ipv${family}/neigh/default/gc_thresh3`]);
    const entries = neighbours.filter(({ address }) => address.includes(':') === (family === 6)).length;
    if (limit > 0 && entries >= limit * NEARLY_FULL) {
      notes.missing(`the table of neighbours of IPv${family}, which holds ${entries} of ${limit}`);
    }
  }
}
