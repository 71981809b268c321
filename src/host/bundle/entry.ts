import type { CaptureSpec, CommandResult, ConnectOutcome, ConnectRequest, HostErrorCode } from '../host.ts';

/** What a host was asked. */
export type Question =
  | { readonly op: 'readFile' | 'listDirectory'; readonly path: string }
  | { readonly op: 'run'; readonly argv: readonly string[]; readonly input?: string }
  | { readonly op: 'stream'; readonly argv: readonly string[] }
  | ({ readonly op: 'capture' } & CaptureSpec)
  | ({ readonly op: 'connect' } & ConnectRequest)
  | { readonly op: 'now' };

/** What it answered. */
export type Answer =
  /** Of `readFile`, and of `stream` all that was written. */
  | { readonly text: string }
  /** Of `listDirectory`. */
  | { readonly names: readonly string[] }
  /** Of `run`. */
  | CommandResult
  /** Of `capture`: records of a pcap stream (LINKTYPE_LINUX_SLL2, nanoseconds, little endian), without its file header. */
  | { readonly packets: Uint8Array; readonly lost: number; readonly cut?: true }
  /** Of `connect`. */
  | { readonly outcome: ConnectOutcome }
  /** Of `now`: nanoseconds since 1970. */
  | { readonly ns: bigint };

/** Why it did not answer. */
export interface Refusal {
  readonly code: HostErrorCode;
  readonly message: string;
  readonly hint?: string;
}

/**
 * One question with its answer. `watching` tells whether a watch had begun: what was asked before that is the state before it.
 */
export interface Entry {
  readonly question: Question;
  readonly watching: boolean;
  readonly answer?: Answer;
  /** Of a stream beside its answer: how it ended. */
  readonly refusal?: Refusal;
}

/** What is known of a recording as a whole. */
export interface BundleHeader {
  readonly format: 'synscope-bundle';
  readonly version: number;
  /** Version of synscope that wrote it. */
  readonly synscope: string;
  /** ISO 8601. */
  readonly recordedAt: string;
  /** What was recorded, as `--on` names it. */
  readonly on: string;
  /** Ports that were asked about. */
  readonly ports: readonly number[];
  /** What was left out or replaced, in words. */
  readonly redacted: readonly string[];
  readonly anonymized: boolean;
}

/** A recording of a host. */
export interface Bundle {
  readonly header: BundleHeader;
  readonly entries: readonly Entry[];
}

/** Identifies equal questions; how long one is willing to wait for the answer makes no difference. */
export function keyOf(question: Question): string {
  switch (question.op) {
    case 'run':
      return JSON.stringify(['run', question.argv, question.input]);
    case 'stream':
      return JSON.stringify(['stream', question.argv]);
    case 'capture':
      return JSON.stringify(['capture', question.port, question.peer]);
    case 'connect':
      return JSON.stringify(['connect', question.address, question.port, question.ttl]);
    case 'now':
      return 'now';
    default:
      return JSON.stringify([question.op, question.path]);
  }
}
