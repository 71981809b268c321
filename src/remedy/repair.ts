import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, HostError } from '../host/host.ts';
import type { PersistentChange, RepairStep } from '../model/repair.ts';
import { DeadManTimer } from './dead-man.ts';
import type { RepairBeginning } from './journal/entry.ts';
import type { Journal } from './journal/journal.ts';
import { kindOf } from './kinds/index.ts';
import { commandFailure } from './kinds/kind.ts';
import { TargetLock } from './lock.ts';
import { cutsOwnPath, type OwnPath, readOwnPath, whyPathIsLost } from './own-path.ts';
import { identityOf, thisOwner } from './owner.ts';
import { takeBackPersistent, writePersistent } from './persist/write.ts';
import { leftoversOf, leftoverText, undoSteps } from './undo-steps.ts';

/** What a verification found. */
export interface Verification {
  readonly helped: boolean;
  /** With what it was seen, one sentence without a full stop. */
  readonly statement: string;
}

/** A repair that is to be made. */
export interface RepairRequest {
  readonly host: Host;
  readonly journal: Journal;
  readonly id: string;
  readonly by: RepairBeginning['by'];
  readonly causeId: string;
  readonly remedyId: string;
  readonly title: string;
  readonly undoes?: string;
  readonly target: RepairBeginning['target'];
  readonly steps: readonly RepairStep[];
  /** Sees whether it helped. */
  readonly verify: () => Promise<Verification>;
  /** How the verification is done, for the journal. */
  readonly how: string;
  /** The longest time that `verify` takes. */
  readonly verifySeconds: number;
  readonly persist?: PersistentChange;
  /** Of an undo: the lasting form of what it undoes. */
  readonly takeBack?: PersistentChange;
  readonly signal?: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/** How a repair ended. */
export interface RepairResult {
  readonly id: string;
  readonly outcome: 'verified' | 'rolled-back' | 'failed';
  readonly statement: string;
  /** Where the lasting form was written. */
  readonly persisted?: string;
  /** The repair that was taken back, of an undo. */
  readonly undid?: string;
}

/** What commands and undoing may take, besides the verification. */
const MARGIN_SECONDS = 45;
/** How often a timer on another machine hears from us. */
const BEAT_MS = 4000;

/** A name for a new repair: the day, so that people find it, and a few letters. */
export function newRepairId(): string {
  return `${new Date().toISOString().slice(0, 10).replaceAll('-', '')}-${randomBytes(3).toString('hex')}`;
}

/**
 * Makes a repair: under a lock, with a timer on the target that takes it back, each step in the journal before it is done. What did
 * not help is undone.
 * @throws HostError when nothing was changed: no lock, no privilege, another state than the plan was made for.
 */
export async function makeRepair(request: RepairRequest): Promise<RepairResult> {
  const { host, id, journal, steps } = request;
  const identity = await identityOf(host);
  const owner = thisOwner();
  const seconds = request.verifySeconds + MARGIN_SECONDS;
  const lock = await TargetLock.take(host, identity.namespace, id, owner, 2 * seconds);
  let timer: DeadManTimer | undefined;
  let beating: NodeJS.Timeout | undefined;
  try {
    const path = await readOwnPath(host);
    refuseToCut(steps, path);
    await refuseIfChanged(host, steps);
    const { by, causeId, remedyId, title, undoes, target } = request;
    journal.append(id, {
      entry: 'begin',
      host: host.spec,
      namespace: identity.namespace,
      targetBootId: identity.bootId,
      ...{ by, owner, causeId, remedyId, title },
      ...(undoes === undefined ? {} : { undoes }),
      ...{ target, steps },
      ...(request.persist === undefined ? {} : { persist: request.persist.path }),
    });
    timer = await DeadManTimer.start(host, id, steps, seconds, isHere(host) ? process.pid : undefined);
    journal.append(id, { entry: 'armed', directory: timer.directory, pid: timer.pid, seconds });
    if (!isHere(host)) beating = beat(timer);
    const failure = (await doSteps(request, timer, path)) ?? (await verify(request));
    return typeof failure === 'string' ? await rollBack(request, timer, failure) : await keep(request, timer, failure);
  } finally {
    clearInterval(beating);
    await lock.release();
  }
}

/** Lets the timer on another machine hear that the connection stands. */
function beat(timer: DeadManTimer): NodeJS.Timeout {
  // When it fails the connection is lost, and whatever comes next says so.
  return setInterval(() => void timer.beat().catch(() => {}), BEAT_MS);
}

/** Makes the changes. @returns why they must be taken back; undefined when all were made. */
async function doSteps(
  { host, id, journal, steps, signal, onProgress }: RepairRequest,
  timer: DeadManTimer,
  path: OwnPath | undefined,
): Promise<string | undefined> {
  for (const [index, step] of steps.entries()) {
    if (step.do.length === 0 || step.alreadySo) continue;
    if (signal?.aborted) return 'it was interrupted';
    onProgress?.(step.text);
    journal.append(id, { entry: 'step', step: index });
    try {
      const result = await timer.run(index, step.do);
      if (result.exitCode === 76) return 'the timer has ended it';
      if (result.exitCode !== 0) return commandFailure(step.do, result).message;
      const after = await stateAfter(host, step);
      journal.append(id, { entry: 'step-done', step: index, after });
      if (after === step.before && step.undo.length > 0) return `"${step.do.join(' ')}" changed nothing`;
      const lost = path === undefined ? undefined : await whyPathIsLost(host, path);
      if (lost !== undefined) return lost;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return error.message;
    }
  }
  return undefined;
}

/** The state after a change; what a command sets in motion (a signal) may take a moment. */
async function stateAfter(host: Host, { change, before }: RepairStep): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const after = await kindOf(change).read(host, change);
    if (after !== before || tries === 5) return after;
    await sleep(100);
  }
}

/** @returns the verification that it helped, or why it did not. */
async function verify(request: RepairRequest): Promise<Verification | string> {
  const { id, journal, how, onProgress, signal } = request;
  journal.append(id, { entry: 'verifying', how });
  onProgress?.('verifying');
  try {
    const verification = await request.verify();
    if (signal?.aborted) return 'it was interrupted before it was verified';
    return verification.helped ? verification : `it did not help: ${verification.statement}`;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return `it could not be verified: ${error.message}`;
  }
}

async function keep(request: RepairRequest, timer: DeadManTimer, { statement }: Verification): Promise<RepairResult> {
  const { host, id, journal, persist, takeBack } = request;
  journal.append(id, { entry: 'verified', statement });
  if (!(await timer.disarm())) return rollBack(request, timer, 'it took too long to verify it');
  journal.append(id, { entry: 'disarmed' });
  const unwritten = persist === undefined ? undefined : await makeLast(request, persist);
  const back = takeBack === undefined ? '' : `; ${await takeBackLasting(host, takeBack)}`;
  // Before the end: nobody looks for the directory of a repair that is over.
  await timer.remove();
  const told = `${statement}${unwritten === undefined ? '' : `; but it will not last: ${unwritten}`}${back}`;
  journal.append(id, { entry: 'end', outcome: 'verified', statement: told });
  const isWritten = persist !== undefined && unwritten === undefined;
  return { id, outcome: 'verified', statement: told, ...(isWritten ? { persisted: persist.path } : {}) };
}

/** Writes the lasting form. @returns why it could not be written. */
async function makeLast({ host, id, journal }: RepairRequest, file: PersistentChange): Promise<string | undefined> {
  try {
    await writePersistent(host, file, id, (backup) =>
      journal.append(id, { entry: 'persisting', file, ...(backup === undefined ? {} : { backup }) }),
    );
    journal.append(id, { entry: 'persisted' });
    return undefined;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return error.message;
  }
}

/** Takes the lasting form of a repair back that was undone. @returns what became of it, as the end of a sentence. */
export async function takeBackLasting(host: Host, file: PersistentChange): Promise<string> {
  try {
    return (await takeBackPersistent(host, file)) ?? `${file.path} is as it was as well`;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return `but ${error.message}`;
  }
}

async function rollBack(request: RepairRequest, timer: DeadManTimer, why: string): Promise<RepairResult> {
  const { host, id, journal, steps, onProgress } = request;
  onProgress?.('taking it back');
  journal.append(id, { entry: 'rolling-back', why });
  let left: Awaited<ReturnType<typeof undoSteps>>;
  try {
    const byTimer = await timer.rollBack();
    const undoable = steps.filter(({ alreadySo, undo }) => !alreadySo && undo.length > 0);
    // The timer knows which steps were done; without it their state tells.
    left = byTimer === undefined ? await undoSteps(host, undoable) : await leftoversOf(host, undoable);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const statement = `${why}. Whether the timer on the host has taken it back cannot be seen: ${error.message}; it does so within ${request.verifySeconds + MARGIN_SECONDS} s`;
    return { id, outcome: 'failed', statement };
  }
  const final = steps.filter(({ alreadySo, cannotUndo }) => !alreadySo && cannotUndo !== undefined);
  const cannot = final.map(({ text, cannotUndo }) => `Of "${text}" something stays: ${cannotUndo}`);
  const outcome = left.length === 0 ? 'rolled-back' : 'failed';
  const statement = [why, ...cannot, ...(left.length === 0 ? [] : [leftoverText(left)])].join('. ');
  await timer.remove();
  journal.append(id, { entry: 'end', outcome, statement });
  return { id, outcome, statement };
}

function refuseToCut(steps: readonly RepairStep[], path: OwnPath | undefined): void {
  for (const { change, text } of path === undefined ? [] : steps) {
    const why = path === undefined ? undefined : cutsOwnPath(change, path);
    if (why !== undefined) {
      throw new HostError('failed', `to ${text} would cut your own connection: ${why}`, {
        hint: 'do it from the console of the machine',
      });
    }
  }
}

/** The plan holds for the state in which it was made. @throws HostError */
async function refuseIfChanged(host: Host, steps: readonly RepairStep[]): Promise<void> {
  for (const { change, before, text } of steps) {
    const now = await kindOf(change).read(host, change);
    if (now !== before) {
      throw new HostError(
        'failed',
        `the host has changed since the plan was made ("${text}": "${before}" is "${now}" now)`,
        {
          hint: 'make the plan anew',
        },
      );
    }
  }
}

function isHere({ spec }: Host): boolean {
  return spec === 'local' || spec.startsWith('netns:');
}
