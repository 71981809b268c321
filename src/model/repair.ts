import type { Change } from './cause.ts';

/** One change of a repair, made ready: what is there now, how it is made, and how it is undone. */
export interface RepairStep {
  /** As the remedy proposed it, completed by what is on the host (the number of a rule, the name of a mark). */
  readonly change: Change;
  /** What is done, as the beginning of a sentence: `add the route default via fe80::1 dev eth0`. */
  readonly text: string;
  /** The command that makes it. */
  readonly do: readonly string[];
  /** The commands that bring back what was there, in their order. */
  readonly undo: readonly (readonly string[])[];
  /** How it is undone in words, where the commands are a script of synscope. */
  readonly undoText?: string;
  /** The command that makes it again once it was undone, where that is another one. */
  readonly redo?: readonly string[];
  /** What is there now; equal text means equal state. */
  readonly before: string;
  /** What can go wrong, one sentence each. */
  readonly dangers: readonly string[];
  /** It is so already: nothing has to be done. */
  readonly alreadySo?: true;
  /** Why undoing cannot bring back everything. */
  readonly cannotUndo?: string;
  /** It would let through or answer what somebody may refuse on purpose; says what. */
  readonly policy?: string;
}

/** The lasting form of a repair, in the configuration of the host. */
export interface PersistentChange {
  /** `netplan`, `systemd-networkd`, `NetworkManager`, `ifupdown`, `sysctl.d`. */
  readonly system: string;
  readonly path: string;
  /** What the file will hold; the whole of it. */
  readonly content: string;
  /** What it holds now; absent when there is no such file. */
  readonly current?: string;
  /** Lines that are new, for people. */
  readonly added: readonly string[];
  readonly statement: string;
}

/** Where knowledge about a gateway comes from. */
export interface GatewayEvidence {
  readonly gateway: string;
  readonly device?: string;
  readonly metric?: number;
  /** `known`: the host's own configuration, lease, history, or the router itself says so. `hint`: nothing but likely. */
  readonly strength: 'known' | 'hint';
  /** One sentence without a full stop: `/etc/netplan/50-cloud-init.yaml names it for eth0`. */
  readonly statement: string;
  /** Where it was read. */
  readonly source: string;
}

/** Something that was looked at before a repair, or is missing for it. */
export interface RepairCheck {
  readonly ok: boolean;
  readonly statement: string;
}

/** What a repair would do, and everything that a person needs to decide about it. */
export interface RepairPlan {
  readonly cause: { readonly id: string; readonly status: string; readonly title: string };
  /** The verdict in one sentence. */
  readonly sentence: string;
  /** As `--on` names it. */
  readonly host: string;
  readonly remedy: {
    readonly id: string;
    readonly title: string;
    readonly risk: 'low' | 'medium' | 'high';
    readonly auto: 'safe' | 'with-consent' | 'never';
  };
  readonly steps: readonly RepairStep[];
  /** What a person must do besides. */
  readonly advice: readonly string[];
  /** What supports just this change, for example where the gateway is known from. */
  readonly reasons: readonly string[];
  readonly checks: readonly RepairCheck[];
  /** Why it cannot be applied as it stands; each with what would help. */
  readonly blocked: readonly {
    readonly reason: string;
    readonly hint?: string;
    /** What the command line lacks so that it can be applied. */
    readonly option?: readonly string[];
  }[];
  readonly verification: string;
  readonly persistent?: PersistentChange;
  /** What is to be said about the lasting form where there is none to be written. */
  readonly persistentNote?: string;
  /** The other remedies of the cause, by id. */
  readonly alternatives: readonly { readonly id: string; readonly title: string; readonly applicable: boolean }[];
  /** What a copy of the host showed. */
  readonly twin?: { readonly helped: boolean; readonly statement: string };
}

/** How a repair ended. */
export type RepairOutcome =
  | 'verified'
  | 'nothing-to-do'
  | 'rolled-back'
  | 'failed'
  | 'undone'
  | 'interrupted'
  | 'running';

/** A repair as the journal tells it. */
export interface RepairRecord {
  readonly id: string;
  readonly host: string;
  readonly by: 'person' | 'policy';
  readonly causeId: string;
  readonly remedyId: string;
  readonly title: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly outcome: RepairOutcome;
  readonly statement: string;
  readonly steps: readonly RepairStep[];
  /** Whether it can be undone now. */
  readonly undoable: boolean;
}
