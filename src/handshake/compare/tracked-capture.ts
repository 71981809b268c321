import type { AttemptTable } from '../attempt-table.ts';

/** One capture with all its attempts, established ones too: what a comparison works on. */
export interface TrackedCapture {
  /** Short name, for sentences. */
  readonly name: string;
  /** Path, for commands; the name when absent. */
  readonly path?: string;
  readonly table: AttemptTable;
  /** What the float times of the table count from. */
  readonly baseNs: bigint;
  /** Times of the first and the last packet of the capture, of any kind. */
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  /** Bytes of each packet that were kept; 0 or absent when unlimited. */
  readonly snapLength?: number;
  /**
   * It ran on every interface of its host, from before the attempts until after them, and lost nothing: what it does not show did
   * not come by. `likely` where the host need not lie on the way of each packet.
   */
  readonly complete?: 'certain' | 'likely';
}
