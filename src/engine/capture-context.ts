import type { ServerHistory } from '../handshake/tally.ts';

/** The capture that one attempt is judged in. */
export interface CaptureContext {
  /** Short name, for sentences. */
  readonly name: string;
  /** Path, for commands; the name when absent. */
  readonly path?: string;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  readonly server: ServerHistory;
}
