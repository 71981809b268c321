import { type Host, HostError } from '../host/host.ts';
import { DeadManTimer, removeTimer, timerState } from './dead-man.ts';
import type { Journal } from './journal/journal.ts';
import { type RepairStory, storiesOf } from './journal/records.ts';
import { TargetLock } from './lock.ts';
import { identityOf, isAlive, thisOwner } from './owner.ts';
import { readIfAny } from './persist/write.ts';
import { takeBackLasting } from './repair.ts';
import { type Leftover, leftoversOf, leftoverText, undoSteps } from './undo-steps.ts';

/** What became of a repair that was interrupted. */
export interface Recovery {
  readonly id: string;
  readonly title: string;
  readonly outcome: 'verified' | 'rolled-back' | 'failed';
  readonly statement: string;
}

const HOLD_SECONDS = 120;

/** Repairs that nobody brought to an end, and whose process does not run any more, as far as that can be known from here. */
export function unfinishedRepairs(journal: Journal): RepairStory[] {
  return storiesOf(journal.read()).filter(
    ({ beginning, end }) => end === undefined && isAlive(beginning.owner) !== true,
  );
}

/** Brings interrupted repairs of a host to an end: what was verified stays, everything else is undone. @throws HostError */
export async function recoverRepairs(host: Host, journal: Journal): Promise<Recovery[]> {
  const unfinished = unfinishedRepairs(journal).filter(({ beginning }) => beginning.host === host.spec);
  if (unfinished.length === 0) return [];
  const { namespace, bootId } = await identityOf(host);
  const undoneBy = ({ beginning: { undoes } }: RepairStory): RepairStory | undefined =>
    undoes === undefined ? undefined : storiesOf(journal.read()).find(({ id }) => id === undoes);
  const lock = await TargetLock.take(host, namespace, 'recovery', thisOwner(), HOLD_SECONDS);
  try {
    const recovered: Recovery[] = [];
    for (const story of unfinished) {
      const isGone = story.beginning.targetBootId !== bootId || story.beginning.namespace !== namespace;
      const recovery = isGone
        ? nothingLeft(story, 'the host has been restarted since')
        : await recover(host, story, undoneBy(story));
      await endRepair(host, journal, recovery);
      recovered.push(recovery);
    }
    return recovered;
  } finally {
    await lock.release();
  }
}

/** Writes down how an interrupted repair ended, and removes what is left of its timer. @throws HostError */
export async function endRepair(host: Host, journal: Journal, { id, outcome, statement }: Recovery): Promise<void> {
  journal.append(id, { entry: 'end', outcome, statement });
  await removeTimer(host, DeadManTimer.directoryOf(id));
}

/** Of a repair whose kernel, or whose network namespace, is there no more. @param why as it stands behind "and". */
export function nothingLeft({ id, beginning: { title }, persisting }: RepairStory, why: string): Recovery {
  const file = persisting === undefined ? '' : `; ${persisting.file.path} may have been written`;
  return {
    id,
    title,
    outcome: 'rolled-back',
    statement: `it was interrupted, and ${why}: nothing of it is left in the kernel${file}`,
  };
}

/** Whether the lasting form of a repair that was interrupted afterwards is there, as the end of a sentence. @throws HostError */
async function lasting(host: Host, { beginning: { persist }, persisting }: RepairStory): Promise<string> {
  if (persist === undefined) return '';
  const isThere = persisting !== undefined && (await readIfAny(host, persist)) === persisting.file.content;
  return isThere ? `; ${persist} is written` : `; ${persist} was not written any more, so it will not last`;
}

async function recover(host: Host, story: RepairStory, original: RepairStory | undefined): Promise<Recovery> {
  const { id, beginning, begun, verified } = story;
  const { title } = beginning;
  const directory = DeadManTimer.directoryOf(id);
  const state = await timerState(host, directory);
  const done = beginning.steps.filter((step, index) => begun.has(index) && !step.alreadySo);
  const undone = (how: string, left: readonly Leftover[]): Recovery => {
    const rest = left.length === 0 ? '' : `; ${leftoverText(left)}`;
    return { id, title, outcome: left.length === 0 ? 'rolled-back' : 'failed', statement: `${how}${rest}` };
  };
  if (state?.names.includes('rolled-back')) {
    return undone(`it was interrupted, and the timer on the host has taken it back`, await leftoversOf(host, done));
  }
  const runs = await timerRuns(host, directory);
  if (verified !== undefined && !state?.names.includes('firing')) {
    if (!runs || state?.names.includes('disarmed') || (await claim(host, directory))) {
      const file = original?.persisting?.file;
      const last = file === undefined ? await lasting(host, story) : `; ${await takeBackLasting(host, file)}`;
      return {
        id,
        title,
        outcome: 'verified',
        statement: `it was interrupted after it had been verified, and stays: ${verified}${last}`,
      };
    }
  }
  if (runs) {
    await host.run(['sh', '-c', 'mv "$1/armed" "$1/fire" 2>/dev/null', 'sh', directory]);
    await timerEnds(host, directory);
    return undone(
      'it was interrupted before it was verified, and the timer on the host took it back',
      await leftoversOf(host, done),
    );
  }
  if (done.length === 0) return undone('it was interrupted before anything was changed', []);
  const failed = await undoSteps(host, done);
  const left = failed.length > 0 ? failed : await leftoversOf(host, done);
  return undone('it was interrupted before it was verified, and is undone now', left);
}

async function timerRuns(host: Host, directory: string): Promise<boolean> {
  // The number alone could be another process by now.
  const script = 'p=$(cat "$1/pid" 2>/dev/null) && kill -0 "$p" 2>/dev/null && grep -qF "$1" "/proc/$p/cmdline"';
  return (await host.run(['sh', '-c', script, 'sh', directory])).exitCode === 0;
}

async function claim(host: Host, directory: string): Promise<boolean> {
  return (await host.run(['sh', '-c', 'mv "$1/armed" "$1/disarmed" 2>/dev/null', 'sh', directory])).exitCode === 0;
}

async function timerEnds(host: Host, directory: string): Promise<void> {
  const script =
    'i=0; while [ ! -e "$1/rolled-back" ] && [ "$i" -lt 300 ]; do i=$((i + 1)); sleep 0.2 2>/dev/null || sleep 1; done; [ -e "$1/rolled-back" ]';
  const { exitCode } = await host.run(['sh', '-c', script, 'sh', directory], { timeoutMs: 70_000 });
  if (exitCode !== 0)
    throw new HostError('timed-out', 'the timer that undoes an interrupted repair does not come to an end');
}
