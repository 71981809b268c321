import { type Host, HostError } from '../host/host.ts';
import { DeadManTimer, removeTimer, timerState } from './dead-man.ts';
import type { Journal } from './journal/journal.ts';
import { type RepairStory, storiesOf } from './journal/records.ts';
import { TargetLock } from './lock.ts';
import { identityOf, isAlive, thisOwner } from './owner.ts';
import { type Leftover, leftoversOf, leftoverText, undoSteps } from './undo-steps.ts';

/** What became of a repair that was interrupted. */
export interface Recovery {
  readonly id: string;
  readonly title: string;
  readonly outcome: 'verified' | 'rolled-back' | 'failed';
  readonly statement: string;
}

const HOLD_SECONDS = 120;

/** Repairs of a host that nobody brought to an end. */
function unfinishedRepairs(journal: Journal, host: string): RepairStory[] {
  return storiesOf(journal.read()).filter(
    ({ beginning, end }) => end === undefined && beginning.host === host && isAlive(beginning.owner) !== true,
  );
}

/** Brings interrupted repairs of a host to an end: what was verified stays, everything else is undone. @throws HostError */
export async function recoverRepairs(host: Host, journal: Journal): Promise<Recovery[]> {
  const unfinished = unfinishedRepairs(journal, host.spec);
  if (unfinished.length === 0) return [];
  const { namespace, bootId } = await identityOf(host);
  const lock = await TargetLock.take(host, namespace, 'recovery', thisOwner(), HOLD_SECONDS);
  try {
    const recovered: Recovery[] = [];
    for (const story of unfinished) {
      const isGone = story.beginning.targetBootId !== bootId || story.beginning.namespace !== namespace;
      const recovery = isGone ? restarted(story) : await recover(host, story);
      journal.append(story.id, { entry: 'end', outcome: recovery.outcome, statement: recovery.statement });
      await removeTimer(host, DeadManTimer.directoryOf(story.id));
      recovered.push(recovery);
    }
    return recovered;
  } finally {
    await lock.release();
  }
}

function restarted({ id, beginning: { title }, persisting }: RepairStory): Recovery {
  const file = persisting === undefined ? '' : `; ${persisting.file.path} may have been written`;
  return {
    id,
    title,
    outcome: 'rolled-back',
    statement: `it was interrupted, and the host has been restarted since: nothing of it is left in the kernel${file}`,
  };
}

async function recover(host: Host, story: RepairStory): Promise<Recovery> {
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
      return {
        id,
        title,
        outcome: 'verified',
        statement: `it was interrupted after it had been verified, and stays: ${verified}`,
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
    'i=0; while [ ! -e "$1/rolled-back" ] && [ "$i" -lt 60 ]; do i=$((i + 1)); sleep 1; done; [ -e "$1/rolled-back" ]';
  const { exitCode } = await host.run(['sh', '-c', script, 'sh', directory], { timeoutMs: 70_000 });
  if (exitCode !== 0)
    throw new HostError('timed-out', 'the timer that undoes an interrupted repair does not come to an end');
}
