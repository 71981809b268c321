import process from 'node:process';
import type { JournalEvent } from './entry.ts';

/** The number of the dead-man timer that runs for this process. */
let timer: number | undefined;

/**
 * Only for tests, and nothing where the variable is not set: `SYNSCOPE_TEST_KILL_AFTER=3` ends this process by SIGKILL right after the
 * third entry of its journal, `3,late` right before the fourth one, and `timer` behind either the dead-man timer before that. What
 * happens between two entries is at its beginning in the first case, and over in the second.
 * @param written entries that are on the disk.
 * @param next the entry that is about to be written; absent right after one was.
 */
export function stopForTest(written: number, last: JournalEvent | undefined, next?: JournalEvent): void {
  const { SYNSCOPE_TEST_KILL_AFTER: point } = process.env;
  if (point === undefined) return;
  if (last?.entry === 'armed') timer = last.pid;
  const [count, ...how] = point.split(',');
  if (Number(count) !== written || how.includes('late') !== (next !== undefined)) return;
  if (how.includes('timer') && timer !== undefined) process.kill(timer, 'SIGKILL');
  process.kill(process.pid, 'SIGKILL');
}
