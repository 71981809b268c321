import type { TracedFree, TracedLookup, TracedNeighbour, TracedTcp } from '../formats/tracefs/trace-arguments.ts';

/** When and where something happened. */
export interface Moment {
  readonly cpu: number;
  readonly timeUs: number;
}

/** A packet that ended, next to the event that tells whose it was. */
export interface TracedEnd extends Moment {
  readonly free: TracedFree;
}

/** A route lookup, with what followed on its CPU until the SYN that caused it was done with. */
export interface LookupRecord extends Moment {
  readonly kind: 'lookup';
  readonly lookup: TracedLookup;
  /** Packets that were dropped before the SYN was done with: its answer. */
  readonly dropped: TracedEnd[];
  /** The SYN was taken, or refused without a drop. */
  consumed?: TracedEnd;
}

/** An event of one connection, with the end of its packet. */
export interface TcpRecord extends Moment {
  readonly kind: 'tcp';
  readonly event: string;
  readonly text: string;
  readonly tcp: TracedTcp;
  dropped?: TracedEnd;
}

/** A neighbour that did not answer. */
export interface NeighbourRecord extends Moment {
  readonly kind: 'neighbour';
  readonly neighbour: TracedNeighbour;
}

/** One thing that the trace told of somebody. */
export type TraceRecord = LookupRecord | TcpRecord | NeighbourRecord;
