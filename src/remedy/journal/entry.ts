import type { PersistentChange, RepairStep } from '../../model/repair.ts';

/** Which process makes a repair: another one with the same number is told from it by when it started. */
export interface RepairOwner {
  readonly hostname: string;
  /** Of the boot: processes and everything that a repair changed in the kernel end with it. */
  readonly bootId: string;
  readonly pid: number;
  /** In clock ticks since boot (proc(5), field 22 of stat). */
  readonly pidStart: string;
}

/** What the journal holds of the beginning of a repair. */
export interface RepairBeginning {
  readonly host: string;
  /** Network namespace of the target, `net:[4026531840]`, and the boot of its machine. */
  readonly namespace: string;
  readonly targetBootId: string;
  readonly by: 'person' | 'policy';
  readonly owner: RepairOwner;
  readonly causeId: string;
  readonly remedyId: string;
  readonly title: string;
  /** It takes back the repair of this identity. */
  readonly undoes?: string;
  /** Which service, and the client for whom it failed. */
  readonly target: {
    readonly side: 'server' | 'client';
    readonly port: number;
    readonly server?: string;
    readonly client?: string;
  };
  readonly steps: readonly RepairStep[];
  /** The file into which its lasting form is to be written once it is verified. */
  readonly persist?: string;
}

/** What an entry tells, by its name. Each is written before that which it announces is done. */
export type JournalEvent =
  | ({ readonly entry: 'begin' } & RepairBeginning)
  /** The dead-man timer runs on the target. */
  | { readonly entry: 'armed'; readonly directory: string; readonly pid: number; readonly seconds: number }
  | { readonly entry: 'step'; readonly step: number }
  | { readonly entry: 'step-done'; readonly step: number; readonly after: string }
  | { readonly entry: 'verifying'; readonly how: string }
  | { readonly entry: 'verified'; readonly statement: string }
  | { readonly entry: 'disarmed' }
  | { readonly entry: 'persisting'; readonly file: PersistentChange; readonly backup?: string }
  | { readonly entry: 'persisted' }
  /** Everything that was done is about to be undone, and why. */
  | { readonly entry: 'rolling-back'; readonly why: string }
  /** A person has looked at repairs by policy that did not help: policies may repair again. */
  | { readonly entry: 'reset' }
  /** The repair is over. */
  | {
      readonly entry: 'end';
      readonly outcome: 'verified' | 'rolled-back' | 'failed';
      readonly statement: string;
    };

/** One line of the journal. */
export type JournalEntry = { readonly v: 1; readonly at: string; readonly id: string } & JournalEvent;
