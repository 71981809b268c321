import type { CaptureSummary, Note } from './capture.ts';
import type { Handshake, Outcome } from './handshake.ts';
import type { PathVerdict } from './path.ts';
import type { Proof } from './proof.ts';

/** How sure a verdict on one cause is. */
export type VerdictStatus = 'confirmed' | 'likely' | 'possible' | 'not-indicated' | 'ruled-out' | 'undetermined';

/** How much one piece of evidence says about one cause. */
export type EvidenceWeight = 'conclusive' | 'strong' | 'moderate' | 'weak';

/** One observation with its bearing on the verdict, and one sentence with the number. */
export interface Evidence {
  readonly statement: string;
  readonly bearing: 'supports' | 'contradicts';
  readonly weight: EvidenceWeight;
  /** Where it was read, for example `client.pcap #12` or `/proc/net/netstat`. */
  readonly source: string;
}

/** A cause as a diagnosis names it. */
export interface CauseVerdict {
  readonly id: string;
  readonly status: VerdictStatus;
  readonly title: string;
  readonly sentence: string;
}

/** What to do next: one sentence, and the command to paste where there is one. */
export interface NextStep {
  readonly statement: string;
  /** Argument list of the command; reports quote it for a shell. */
  readonly command?: readonly string[];
}

/** A repair as a diagnosis offers it. */
export interface RemedyOffer {
  readonly id: string;
  readonly title: string;
  readonly risk: 'low' | 'medium' | 'high';
  /** Whether a program may do it unattended. */
  readonly auto?: 'safe' | 'with-consent' | 'never';
  readonly changes: readonly unknown[];
  readonly commands: readonly string[];
}

/** Where the fault lies, as far as the host that was asked can tell. */
export type DiagnosisPlace = 'client' | 'path' | 'server' | 'client-or-path' | 'path-or-server' | 'none' | 'unknown';

/** One failed attempt (or, on request, any attempt) with its verdicts. */
export interface Diagnosis {
  readonly handshake: Handshake;
  /** The verdict in one sentence. */
  readonly sentence: string;
  /** Null when none stands out, or when a capture alone cannot tell. */
  readonly cause: CauseVerdict | null;
  readonly evidence: readonly Evidence[];
  readonly ruledOut: readonly { readonly id: string; readonly statement: string }[];
  readonly suspects: readonly { readonly id: string; readonly status: VerdictStatus }[];
  readonly undetermined: readonly { readonly id: string; readonly reason: string; readonly hint?: string }[];
  readonly remedies: readonly RemedyOffer[];
  readonly nextSteps: readonly NextStep[];
  /** Where the fault lies; only when a host was asked. */
  readonly place?: DiagnosisPlace;
  /** Nothing was sent: what would happen to such a SYN. */
  readonly supposed?: true;
  /** No cause stands out, and facts without which a host cannot be said to be well could not be read. */
  readonly incomplete?: true;
  /** Name of the capture to which the frame numbers belong; needed only when several were read without comparing them. */
  readonly capture?: string;
  /** Where between the captures it died; only when several were compared. */
  readonly path?: PathVerdict;
  /** What a copy of the host showed; only of `prove`, and of `listen --prove`. */
  readonly proof?: Proof;
  /** The same attempt at every capture in which it was found, in the order of the captures; only when compared. */
  readonly vantages?: readonly { readonly capture: string; readonly handshake: Handshake | null }[];
}

/** Attempts that failed alike. */
export interface Group {
  /** One sentence for all of them. */
  readonly sentence: string;
  readonly kind: 'alike' | 'syn-flood' | 'port-scan';
  readonly server: { readonly address: string; readonly port?: number };
  readonly outcome: Outcome;
  readonly causeId?: string;
  readonly location?: string;
  readonly count: number;
  readonly clients: number;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  /** A few attempts in full; the first is the clearest. */
  readonly examples: readonly Diagnosis[];
}

/** What could not be seen, and what would help. */
export interface NotSeen {
  readonly reason: string;
  readonly hint?: string;
}

/** What a command found; every report is made from this. */
export interface CaptureReport {
  readonly command: 'read' | 'compare' | 'listen' | 'connect' | 'trace' | 'prove';
  /** The host that was asked, as `--on` names it; only of `listen` and `connect`. */
  readonly host?: string;
  /** What could not be seen on that host. */
  readonly notSeen?: readonly NotSeen[];
  readonly captures: readonly CaptureSummary[];
  /** The verdict over everything, in one sentence. */
  readonly headline: string;
  /** Failed attempts one by one, in the order in which they ended, up to the limit. */
  readonly diagnoses: readonly Diagnosis[];
  /** Failed attempts that the limit left out of `diagnoses`. */
  readonly omittedDiagnoses: number;
  readonly groups: readonly Group[];
  readonly summary: {
    readonly handshakes: number;
    readonly failed: number;
    readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
    /** Established after at least one SYN was repeated. */
    readonly late: number;
  };
  readonly notes: readonly Note[];
  /** Only of `compare`: how the clocks of the captures relate. */
  readonly clocks?: readonly ClockRelation[];
}

/** The clock of one capture against that of the first. */
export interface ClockRelation {
  readonly capture: string;
  /** Add to this capture's time to get the first capture's time. */
  readonly offsetNs: bigint;
  /** Half-width of what the offset could be. */
  readonly uncertaintyNs: bigint;
  /** How much this clock runs fast (positive) or slow, in parts per million; absent when it cannot be told. */
  readonly driftPpm?: number;
  /** Packets that were seen at both points and carried the estimate. */
  readonly samples: number;
  readonly confidence: 'certain' | 'likely' | 'guess' | 'none';
  readonly statement: string;
}
