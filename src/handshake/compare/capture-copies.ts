import { EVENT, EVENT_TSVAL, ROW, ROW_CLIENT_ISN, ROW_CLIENT_OPTIONS } from '../attempt-layout.ts';
import { type AttemptColumns, firstSyn, hasTsval } from './attempt-columns.ts';
import { addToChain, createHashChains, type HashChains, MAX_CHAIN } from './hash-chains.ts';

/** One host passes a packet on within this time. */
const PASS_ON_NS = 100e6;

/** The rows of a capture by their client ISN; rows that are not in use are left out. */
export function chainByIsn({ rows, count, firstNs }: AttemptColumns): HashChains {
  const chains = createHashChains(count);
  for (let row = 0; row < count; row++) {
    if (!Number.isNaN(firstNs[row]!)) addToChain(chains, rows[row * ROW + ROW_CLIENT_ISN]!, row);
  }
  return chains;
}

/**
 * Links rows of one capture that are the same attempt before and after address translation (`-i any`, both sides of a router):
 * same ISN, same TSval or else the same options, within the time that one host needs to pass a packet on. The row that came
 * first becomes the primary one.
 */
export function linkCopies(columns: AttemptColumns, chains: HashChains): number {
  const { rows, count, firstNs, nextCopy, primary } = columns;
  let linked = 0;
  for (let row = 0; row < count; row++) {
    if (Number.isNaN(firstNs[row]!)) continue;
    const isn = rows[row * ROW + ROW_CLIENT_ISN]!;
    let steps = 0;
    // Chains lead from newer to older rows, and rows are numbered as they begin: the nearest earlier one comes first.
    for (let other = chains.next[row]!; other >= 0 && steps < MAX_CHAIN; other = chains.next[other]!, steps++) {
      if (rows[other * ROW + ROW_CLIENT_ISN] !== isn) continue;
      if (!isCopy(columns, other, row)) continue;
      const first = primary[other]!;
      primary[row] = first;
      nextCopy[row] = nextCopy[first]!;
      nextCopy[first] = row;
      linked++;
      break;
    }
  }
  return linked;
}

function isCopy({ capture: { table }, rows, firstNs }: AttemptColumns, a: number, b: number): boolean {
  if (Math.abs(firstNs[b]! - firstNs[a]!) > PASS_ON_NS) return false;
  const synA = firstSyn(table, a);
  const synB = firstSyn(table, b);
  if (synA === 0 || synB === 0) return false;
  if (hasTsval(table, synA) && hasTsval(table, synB)) {
    return table.events[synA * EVENT + EVENT_TSVAL] === table.events[synB * EVENT + EVENT_TSVAL];
  }
  const optionsA = rows[a * ROW + ROW_CLIENT_OPTIONS]! & 0xffff;
  return optionsA === (rows[b * ROW + ROW_CLIENT_OPTIONS]! & 0xffff);
}
