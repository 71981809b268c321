import type { ProofElement } from '../../model/proof.ts';
import type { Bench } from './bench.ts';

/**
 * What kind of change it is, best first: something that is there is taken away or set otherwise; what it waits for is gone;
 * the world outside behaves otherwise; the packet is another one; something is there that was not.
 */
export const RANKS = ['existing', 'state', 'world', 'packet', 'addition'] as const;

/** One of {@link RANKS}. */
export type Rank = (typeof RANKS)[number];

/** One change that can be made to a twin and taken back. */
export interface Intervention {
  readonly element: ProofElement;
  readonly rank: Rank;
  /** How much else it changes, from 0 (one entry) on: of two that bring the answer, the narrower one is to blame. */
  readonly breadth: number;
  /** A detour: it brings an answer past many faults, and is to blame for none as long as anything else is. */
  readonly isDetour?: true;
  /** Changes routes and addresses beyond what {@link revert} can know: they are compared afterwards. */
  readonly disturbs?: true;
  /** Words that the trace of a replay may hold when this is to blame. */
  readonly hints?: readonly string[];
  apply(bench: Bench): void;
  revert(bench: Bench): void;
}

/** What tells an intervention from all others of its twin, and of another twin of the same host. */
export function keyOf({ kind, element, change }: ProofElement): string {
  return `${kind}\n${element}\n${change}`;
}
