import type { FilteredPacket } from './packet-filter.ts';

/** What the kernel itself said of the way of the attempt's packets through the chains of nftables (`meta nftrace`). */
export interface RuleTrace {
  /** Packets of the attempt that were traced, in order. */
  readonly packets: readonly {
    readonly packet: FilteredPacket;
    /** Absent when every chain of nftables that it met let it pass. */
    readonly end?: {
      readonly family: string;
      readonly table: string;
      readonly chain: string;
      readonly handle?: number;
      readonly text: string;
      readonly verdict: 'drop' | 'queue' | 'other';
    };
  }[];
}
