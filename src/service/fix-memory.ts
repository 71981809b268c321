import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { isSystemError } from '../host/system-error.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { InputError } from '../model/errors.ts';
import { makeStateDirectory, stateDirectory } from '../remedy/state-directory.ts';
import { type Fault, faultsOf } from './fix-fault.ts';

/** Faults that are kept of one diagnosis. */
const MAX_FAULTS = 5;
/** What was found so long ago may be something else by now. */
const MAX_AGE_MS = 60 * 60 * 1000;

/** What the state directory holds of the last diagnosis of a host. */
interface Memory {
  readonly v: 1;
  readonly at: string;
  readonly host: string;
  readonly faults: readonly Fault[];
}

/** Keeps the faults that a report names, for `fix --last`; where nothing can be kept, nothing is. */
export function rememberFaults(report: CaptureReport, side: Fault['side']): void {
  const host = report.host ?? 'local';
  const faults = faultsOf(report, side).slice(0, MAX_FAULTS);
  if (faults.length === 0) return;
  const memory: Memory = { v: 1, at: new Date().toISOString(), host, faults };
  try {
    const directory = join(makeStateDirectory(), 'last');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = pathOf(host);
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(memory), { mode: 0o600 });
    renameSync(`${path}.${process.pid}`, path);
  } catch (error) {
    if (!isSystemError(error) && !(error instanceof InputError)) throw error;
  }
}

/** The faults that were found last on a host, surest first. @throws InputError when there are none, or they are too old. */
export function lastFaults(host: string): readonly Fault[] {
  const hint = 'Make a diagnosis first: synscope listen PORT, or synscope connect TARGET.';
  let memory: Memory;
  try {
    memory = JSON.parse(readFileSync(pathOf(host), 'utf8')) as Memory;
  } catch (error) {
    if (!isSystemError(error) && !(error instanceof SyntaxError)) throw error;
    throw new InputError({ code: 'not-found', message: `No diagnosis of ${host} is remembered.`, hint });
  }
  const ageMs = Date.now() - Date.parse(memory.at);
  if (memory.v !== 1 || memory.host !== host || !(ageMs < MAX_AGE_MS)) {
    throw new InputError({
      code: 'too-old',
      message: `The last diagnosis of ${host} is of ${memory.at}: too old to act on.`,
      hint,
    });
  }
  return memory.faults.map((fault) => ({ ...fault, at: memory.at }));
}

function pathOf(host: string): string {
  // Taken late: most diagnoses have nothing to remember, and loading it takes as long as asking the host three questions.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return join(stateDirectory(), 'last', `${createHash('sha256').update(host).digest('hex').slice(0, 16)}.json`);
}
