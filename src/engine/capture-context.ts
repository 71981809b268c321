/** What the rest of a capture says of the server of one attempt. */
export interface ServerHistory {
  /** Attempts to this address and port that have ended so far, and how many of them were established. */
  readonly attempts: number;
  readonly established: number;
  /** TTL of its SYN-ACKs, when they all agree. */
  readonly answerTtl?: number;
  /** TTL of the SYN-ACKs of any port of its address, when they all agree. */
  readonly hostTtl?: number;
  /** Shortest time from a SYN to its SYN-ACK. */
  readonly fastestAnswerNs?: number;
}

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
