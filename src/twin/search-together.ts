import type { Intervention } from './interventions/intervention.ts';
import { minimise } from './search-minimal.ts';

/** What a table holds; with the table asleep none of it counts. */
const IN_TABLES: ReadonlySet<string> = new Set([
  'nft-rule',
  'nft-policy',
  'nft-element',
  'iptables-rule',
  'iptables-policy',
]);

/**
 * The smallest set of changes that bring the answer only together. First among what is there; then with what could be missing.
 * @param does whether a set brings the answer.
 */
export function searchTogether(
  all: readonly Intervention[],
  does: (set: readonly Intervention[]) => boolean,
): readonly Intervention[] | undefined {
  const useful = all.filter((change) => change.rank !== 'packet' && !isHarmful(change));
  const broad = useful.filter((change) => !isInTable(change));
  for (const pool of [broad.filter(({ rank }) => rank !== 'addition'), withOneRoute(broad)]) {
    if (pool.length < 2 || !does(pool)) continue;
    return refine(minimise(pool, does), all, does);
  }
  return undefined;
}

/** A whole table is too much to blame when some of it is enough. */
function refine(
  found: readonly Intervention[],
  all: readonly Intervention[],
  does: (set: readonly Intervention[]) => boolean,
): readonly Intervention[] {
  let best = found;
  for (const table of found.filter(({ element }) => element.kind === 'nft-table')) {
    const others = best.filter((change) => change !== table);
    const parts = all.filter(
      (change) => isInTable(change) && change.element.element.startsWith(`${table.element.element} `),
    );
    if (parts.length === 0 || !does([...others, ...parts])) continue;
    const needed = minimise(parts, (some) => does([...others, ...some]));
    best = [...others, ...needed];
  }
  return best;
}

/** Rules of iptables-legacy are in no table of nftables. */
function isInTable({ element }: Intervention): boolean {
  return IN_TABLES.has(element.kind) && !element.element.includes('-legacy ');
}

/** Together with all others, taking away a route that leads somewhere would only hide what the others bring. */
function isHarmful({ element, breadth }: Intervention): boolean {
  return (element.kind === 'route' && element.change === 'removed' && breadth > 0) || element.change === 'closed';
}

/** Of several routes that could be added, the first is the best guess; the others would be in its way. */
function withOneRoute(changes: readonly Intervention[]): Intervention[] {
  const routes = changes.filter(({ isDetour }) => isDetour === true);
  return changes.filter((change) => change.isDetour !== true || change === routes[0]);
}
