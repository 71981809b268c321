import type { VerdictStatus } from './diagnosis.ts';
import type { Outcome } from './handshake.ts';

/** Whose attempts: those that come to a listener of the host, or those that the host makes. */
export type IncidentDirection = 'inbound' | 'outbound';

/** Which service an incident is about. */
export interface IncidentService {
  readonly direction: IncidentDirection;
  /** Network namespace as `--on` would name it: `local`, `netns:web`, `pid:4711`. */
  readonly namespace: string;
  /** Address of the server; absent for a listener on every address. */
  readonly address?: string;
  readonly port?: number;
  /** Name of the process that listens or connects, where known. */
  readonly process?: string;
}

/** Something that changed on the host shortly before the first failure. */
export interface IncidentChange {
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly atNs: bigint;
  /** For example `default via fe80::1 dev eth0 deleted`. */
  readonly text: string;
}

/** What a policy or a person did about an incident. */
export interface IncidentRepair {
  readonly atNs: bigint;
  readonly remedyId: string;
  readonly title: string;
  readonly by: 'policy' | 'person';
  readonly outcome: 'suggested' | 'verified' | 'rolled-back' | 'failed' | 'dry-run' | 'held-back';
  /** Why it was held back or failed, or how it was verified. */
  readonly statement: string;
  /** Identity in the journal of repairs; `synscope fix --undo` takes it. */
  readonly journalId?: string;
}

/** Like failures of one service, from the first to the last. */
export interface Incident {
  /** Grows by one with each incident; `synscope show` takes it. */
  readonly id: number;
  readonly state: 'open' | 'closed';
  /** `noise` is a flood or a scan; `warning` is danger without a failure. */
  readonly kind: 'failure' | 'noise' | 'warning';
  readonly service: IncidentService;
  /** Null when none stands out. */
  readonly cause: { readonly id: string; readonly status: VerdictStatus; readonly title: string } | null;
  /** The verdict in one sentence. */
  readonly sentence: string;
  readonly outcome?: Outcome;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  readonly closedNs?: bigint;
  /** Why it was closed. */
  readonly closedBecause?: string;
  /** Attempts that failed alike. */
  readonly attempts: number;
  /** Clients, as networks (/24, /48) with their attempts, most first, bounded. */
  readonly clientNetworks: readonly { readonly network: string; readonly attempts: number }[];
  /** Clients in all, as far as counted. */
  readonly clients: number;
  /** Diagnoses of a few attempts in the shape of `--json` (docs/json.md); the first is the clearest. */
  readonly samples: readonly unknown[];
  readonly changes: readonly IncidentChange[];
  readonly repairs: readonly IncidentRepair[];
}

/** Handshakes of one service in one interval, for the time line. */
export interface HandshakeCounts {
  /** Begin of the interval. */
  readonly atNs: bigint;
  readonly intervalMs: number;
  readonly service: IncidentService;
  readonly answered: number;
  readonly refused: number;
  readonly failed: number;
}

/** How a listener is. */
export interface ListenerHealth {
  readonly service: IncidentService;
  readonly acceptQueue: { readonly waiting: number; readonly limit: number };
  readonly synQueue?: number;
  /** Drops counted by the socket since it was made. */
  readonly drops: number;
  /** Handshakes of the last minute. */
  readonly lastMinute: { readonly answered: number; readonly refused: number; readonly failed: number };
  readonly openIncidents: readonly number[];
}
