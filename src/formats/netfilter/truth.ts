/** What an undecided outcome hangs on. */
export type Condition =
  | 'rate-limit'
  | 'connection-limit'
  | 'ct-invalid'
  | 'ct-new'
  | 'ct-state'
  | 'set'
  | 'reverse-path'
  | 'owner'
  | 'ecn'
  | 'options'
  | 'mark'
  | 'time'
  | 'random';

/**
 * Why an expression is neither surely true nor surely false. `depends`: it is understood, and hangs on a state that was not seen.
 * `unknown`: it is not understood, or asks for something that nobody knows.
 */
export interface Doubt {
  readonly level: 'depends' | 'unknown';
  readonly conditions: readonly Condition[];
}

/** Three-valued logic. */
export type Truth = boolean | Doubt;

/** Not understood. */
export const UNKNOWN: Doubt = { level: 'unknown', conditions: [] };

/** Understood, and decided by states of these kinds, which were not seen. */
export function depends(...conditions: readonly Condition[]): Doubt {
  return { level: 'depends', conditions };
}

/** Both doubts at once: the graver level, all conditions. Absent is no doubt. */
export function join(a: Doubt | undefined, b: Doubt | undefined): Doubt | undefined {
  if (a === undefined || b === undefined || a === b) return a ?? b;
  const level = a.level === 'unknown' || b.level === 'unknown' ? 'unknown' : 'depends';
  const more = b.conditions.filter((condition) => !a.conditions.includes(condition));
  if (more.length === 0 && level === a.level) return a;
  return { level, conditions: [...a.conditions, ...more] };
}

/** Whether it is surely true or surely false. */
export function isSure(truth: Truth): truth is boolean {
  return typeof truth === 'boolean';
}

/** Negates. */
export function not(truth: Truth): Truth {
  return isSure(truth) ? !truth : truth;
}

/** Surely false when one is; surely true when all are. */
export function allOf(truths: Iterable<Truth>): Truth {
  let doubt: Doubt | undefined;
  for (const truth of truths) {
    if (truth === false) return false;
    if (truth !== true) doubt = join(doubt, truth);
  }
  return doubt ?? true;
}

/** Surely true when one is; surely false when all are. */
export function anyOf(truths: Iterable<Truth>): Truth {
  let doubt: Doubt | undefined;
  for (const truth of truths) {
    if (truth === true) return true;
    if (truth !== false) doubt = join(doubt, truth);
  }
  return doubt ?? false;
}

/** `truth` when `expected`, otherwise its opposite. */
export function xor(truth: Truth, negated: boolean): Truth {
  return negated ? not(truth) : truth;
}
