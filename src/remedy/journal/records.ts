import type { RepairOutcome, RepairRecord } from '../../model/repair.ts';
import type { JournalEntry, JournalEvent, RepairBeginning } from './entry.ts';

/** Everything that the journal tells of one repair. */
export interface RepairStory {
  readonly id: string;
  readonly beginning: RepairBeginning;
  readonly startedAt: string;
  readonly armed?: Extract<JournalEvent, { entry: 'armed' }>;
  /** Steps that were begun, by their number. */
  readonly begun: ReadonlySet<number>;
  /** State after each step that was done. */
  readonly after: ReadonlyMap<number, string>;
  readonly verified?: string;
  readonly persisting?: Extract<JournalEvent, { entry: 'persisting' }>;
  /** Why it is being undone; absent when nobody began to. */
  readonly undoing?: string;
  /** The repair that has taken this one back. */
  readonly undoneBy?: string;
  readonly end?: Extract<JournalEvent, { entry: 'end' }>;
  readonly endedAt?: string;
  readonly lastAt: string;
}

/** Folds the journal to one story a repair, oldest first. */
export function storiesOf(entries: readonly JournalEntry[]): RepairStory[] {
  const stories = new Map<string, RepairStory>();
  for (const entry of entries) {
    const story = stories.get(entry.id);
    if (entry.entry === 'begin') {
      if (story === undefined) stories.set(entry.id, begin(entry));
    } else if (story !== undefined) {
      const next = { ...goOn(story, entry), lastAt: entry.at };
      stories.set(entry.id, next);
      const undone = stories.get(next.beginning.undoes ?? '');
      if (undone !== undefined && next.end?.outcome === 'verified') {
        stories.set(undone.id, { ...undone, undoneBy: next.id });
      }
    }
  }
  return [...stories.values()];
}

function begin(entry: Extract<JournalEntry, { entry: 'begin' }>): RepairStory {
  const { v: _, at, id, entry: __, ...beginning } = entry;
  return { id, beginning, startedAt: at, begun: new Set(), after: new Map(), lastAt: at };
}

function goOn(story: RepairStory, entry: JournalEntry): RepairStory {
  switch (entry.entry) {
    case 'armed':
      return { ...story, armed: entry };
    case 'step':
      return { ...story, begun: new Set([...story.begun, entry.step]) };
    case 'step-done':
      return { ...story, after: new Map([...story.after, [entry.step, entry.after]]) };
    case 'verified':
      return { ...story, verified: entry.statement };
    case 'persisting':
      return { ...story, persisting: entry };
    case 'rolling-back':
      return { ...story, undoing: entry.why };
    case 'end':
      return { ...story, end: entry, endedAt: entry.at };
    default:
      return story;
  }
}

/** A repair as people and `--json` see it. */
export function recordOf(story: RepairStory, isRunning: boolean): RepairRecord {
  const { id, beginning, startedAt, end, endedAt } = story;
  const outcome: RepairOutcome =
    story.undoneBy === undefined ? (end?.outcome ?? (isRunning ? 'running' : 'interrupted')) : 'undone';
  return {
    id,
    host: beginning.host,
    by: beginning.by,
    causeId: beginning.causeId,
    remedyId: beginning.remedyId,
    title: beginning.title,
    startedAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    outcome,
    statement:
      end?.statement ??
      (isRunning
        ? 'it is being made at this moment'
        : 'it was interrupted; the next repair or undo on this host, or a watch, brings it to an end'),
    steps: beginning.steps,
    undoable:
      outcome === 'verified' && beginning.undoes === undefined && beginning.steps.some(({ undo }) => undo.length > 0),
  };
}
