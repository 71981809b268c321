/** A file that an installation makes. */
export interface FileStep {
  readonly kind: 'file';
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** The group that may read it; that of root when absent. */
  readonly group?: string;
  /** Stays as it is when it is there: it is the user's. */
  readonly isOfUser: boolean;
}

/** A file or folder that an uninstallation removes. */
export interface RemoveStep {
  readonly kind: 'remove';
  readonly path: string;
  /** Only a file that we made is removed. */
  readonly onlyIfOurs: boolean;
}

/** A command that an installation runs. */
export interface CommandStep {
  readonly kind: 'command';
  readonly argv: readonly string[];
  readonly why: string;
  /** The next steps are done even when it fails. */
  readonly mayFail?: boolean;
}

/** One thing that is done to the machine. */
export type Step = FileStep | RemoveStep | CommandStep;

/** What became of a step. */
export type StepOutcome =
  | 'made'
  | 'changed'
  | 'unchanged'
  | 'kept'
  | 'removed'
  | 'absent'
  | 'ran'
  | 'failed'
  | 'planned';

/** A step that was done, or would be. */
export interface DoneStep {
  readonly step: Step;
  readonly outcome: StepOutcome;
  /** What a command that failed said. */
  readonly said?: string;
}
