import { type Host, HostError } from '../host/host.ts';
import { openHost } from '../host/open-host.ts';
import { InputError } from '../model/errors.ts';
import type { Journal } from '../remedy/journal/journal.ts';
import type { RepairStory } from '../remedy/journal/records.ts';
import { isAlive } from '../remedy/owner.ts';
import { endRepair, nothingLeft, type Recovery, recoverRepairs, unfinishedRepairs } from '../remedy/recover.ts';
import { leftoversOf } from '../remedy/undo-steps.ts';

/** A repair that was interrupted, and is not at its end yet. */
export interface InterruptedRepair {
  readonly id: string;
  readonly title: string;
  readonly startedAt: string;
  /** What of it is there now, one sentence without a full stop. */
  readonly statement: string;
}

/** Looks at the interrupted repairs of a host, and changes nothing. @throws InputError for a journal that cannot be read */
export async function interruptedRepairs(host: Host, journal: Journal): Promise<InterruptedRepair[]> {
  const found: InterruptedRepair[] = [];
  for (const story of unfinishedRepairs(journal)) {
    if (story.beginning.host !== host.spec) continue;
    const { id, startedAt, beginning } = story;
    const by =
      isAlive(beginning.owner) === undefined
        ? `it was interrupted, or ${beginning.owner.hostname} makes it at this moment`
        : 'it was interrupted';
    found.push({ id, title: beginning.title, startedAt, statement: `${by}; ${await whatStands(host, story)}` });
  }
  return found;
}

async function whatStands(host: Host, { beginning: { steps }, begun, verified }: RepairStory): Promise<string> {
  const made = steps.filter((step, index) => begun.has(index) && !step.alreadySo);
  if (made.length === 0) return 'nothing had been changed';
  if (verified !== undefined) return `it had been verified before: ${verified}`;
  try {
    const left = await leftoversOf(host, made);
    if (left.length === 0) return 'nothing of it is left';
    return `what it did stands still, not verified: ${left.map(({ step }) => step.text).join(', ')}`;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return `what of it stands cannot be seen: ${error.message}`;
  }
}

/** What became of the interrupted repairs of one host. */
export interface HostRecovery {
  readonly host: string;
  readonly recoveries: readonly Recovery[];
  /** Why they could not be brought to an end. */
  readonly problem?: string;
}

/** Brings all interrupted repairs of this machine and of its network namespaces to an end. @throws InputError */
export async function recoverHere(journal: Journal): Promise<HostRecovery[]> {
  const stories = unfinishedRepairs(journal).filter(({ beginning }) => /^(?:local$|netns:)/.test(beginning.host));
  const hosts = [...new Set(stories.map(({ beginning }) => beginning.host))];
  const found: HostRecovery[] = [];
  for (const spec of hosts) {
    const own = stories.filter(({ beginning }) => beginning.host === spec);
    found.push(await recoverOne(journal, spec, own));
  }
  return found;
}

async function recoverOne(journal: Journal, spec: string, stories: readonly RepairStory[]): Promise<HostRecovery> {
  let host: Host | undefined;
  try {
    host = await openHost(spec);
    return { host: spec, recoveries: await recoverRepairs(host, journal) };
  } catch (error) {
    if (error instanceof HostError) return { host: spec, recoveries: [], problem: error.message };
    // A namespace that is not there any more cannot be opened.
    if (host !== undefined || !(error instanceof InputError)) throw error;
    return { host: spec, recoveries: await endGone(journal, stories) };
  } finally {
    await host?.close();
  }
}

async function endGone(journal: Journal, stories: readonly RepairStory[]): Promise<Recovery[]> {
  const machine = await openHost('local');
  const recoveries = stories.map((story) => nothingLeft(story, 'its network namespace is gone'));
  for (const recovery of recoveries) await endRepair(machine, journal, recovery);
  await machine.close();
  return recoveries;
}
