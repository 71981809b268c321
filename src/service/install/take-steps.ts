import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HostError } from '../../host/host.ts';
import { runProcess } from '../../host/run-process.ts';
import { isSystemError, systemReason } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';
import { groupId } from './groups.ts';
import type { CommandStep, DoneStep, FileStep, RemoveStep, Step } from './steps.ts';
import { MADE_BY } from './unit.ts';

const COMMAND_TIMEOUT_MS = 120_000;

/** How steps are taken. */
export interface StepOptions {
  /** The folder that is the root of the machine: `/`, or where an image is. */
  readonly root: string;
  /** Only tells what would be done. */
  readonly dryRun: boolean;
  /** Called with each step that was taken. */
  readonly onDone?: (done: DoneStep) => void;
}

/**
 * Takes steps, one after the other, up to the first that fails.
 * @throws InputError when a file cannot be written, or is somebody else's.
 */
export async function takeSteps(steps: readonly Step[], options: StepOptions): Promise<readonly DoneStep[]> {
  const done: DoneStep[] = [];
  for (const step of steps) {
    const one = await takeStep(step, options);
    done.push(one);
    options.onDone?.(one);
    if (one.outcome === 'failed' && !(step.kind === 'command' && step.mayFail === true)) break;
  }
  return done;
}

async function takeStep(step: Step, options: StepOptions): Promise<DoneStep> {
  try {
    if (step.kind === 'file') return { step, outcome: makeFile(step, options) };
    if (step.kind === 'remove') return { step, outcome: removePath(step, options) };
    return await runStep(step, options);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const { path } = step as FileStep | RemoveStep;
    throw new InputError(
      { code: 'not-writable', message: `${join(options.root, path)} cannot be changed: ${systemReason(error)}.` },
      { cause: error },
    );
  }
}

function makeFile({ path, text, mode, group, isOfUser }: FileStep, { root, dryRun }: StepOptions): DoneStep['outcome'] {
  const file = join(root, path);
  const before = textIfAny(file);
  if (before !== undefined && isOfUser) return 'kept';
  if (before === text) return 'unchanged';
  if (before !== undefined && !before.startsWith(MADE_BY)) throw isForeign(file);
  if (dryRun) return 'planned';
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
  if (group !== undefined) chownSync(temporary, 0, groupId(root, group));
  chmodSync(temporary, mode);
  renameSync(temporary, file);
  return before === undefined ? 'made' : 'changed';
}

function removePath({ path, onlyIfOurs }: RemoveStep, { root, dryRun }: StepOptions): DoneStep['outcome'] {
  const file = join(root, path);
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return 'absent';
  if (onlyIfOurs && textIfAny(file)?.startsWith(MADE_BY) !== true) throw isForeign(file);
  if (dryRun) return 'planned';
  rmSync(file, { recursive: true });
  return 'removed';
}

async function runStep(step: CommandStep, { dryRun }: StepOptions): Promise<DoneStep> {
  if (dryRun) return { step, outcome: 'planned' };
  try {
    const { exitCode, stdout, stderr } = await runProcess(step.argv, { timeoutMs: COMMAND_TIMEOUT_MS });
    if (exitCode === 0) return { step, outcome: 'ran' };
    return { step, outcome: 'failed', said: stderr.trim() || stdout.trim() || `exit code ${exitCode}` };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { step, outcome: 'failed', said: error.message };
  }
}

function textIfAny(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isForeign(path: string): InputError {
  return new InputError({
    code: 'exists',
    message: `${path} was not made by install-service, so it is left alone.`,
    hint: 'Move it away first; your own settings belong to a drop-in (systemctl edit synscope.service).',
  });
}
