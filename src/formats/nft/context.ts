import type { PacketView } from '../netfilter/view.ts';
import type { NftSet } from './sets.ts';

/** What the expressions of a rule may refer to. */
export interface NftContext {
  readonly sets: ReadonlyMap<string, NftSet>;
}

/** One packet at one rule. */
export interface Scene extends NftContext {
  readonly view: PacketView;
}
