import { type Host, HostError } from '../host/host.ts';
import { InputError } from '../model/errors.ts';
import type { RepairPlan, RepairRecord, RepairStep } from '../model/repair.ts';
import type { Journal } from '../remedy/journal/journal.ts';
import { type RepairStory, recordOf, storiesOf } from '../remedy/journal/records.ts';
import { kindOf } from '../remedy/kinds/index.ts';
import { isAlive } from '../remedy/owner.ts';
import { makeRepair, newRepairId, type RepairResult } from '../remedy/repair.ts';
import { leftoversOf } from '../remedy/undo-steps.ts';
import type { Fault } from './fix-fault.ts';
import type { Verifier } from './fix-verify.ts';

/** How a plan is carried out. */
export interface ApplyOptions {
  readonly host: Host;
  readonly journal: Journal;
  readonly plan: RepairPlan;
  readonly fault: Fault;
  /** Identity for which the plan was made. */
  readonly id: string;
  readonly by: 'person' | 'policy';
  readonly verifier: Verifier;
  readonly persist?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/** Carries a plan out: makes the changes, sees whether they helped, and takes them back if they did not. @throws HostError */
export async function applyPlan(options: ApplyOptions): Promise<RepairResult> {
  const { plan, fault, verifier, host, persist = false } = options;
  const [blocked] = plan.blocked;
  if (blocked !== undefined) {
    throw new HostError('failed', blocked.reason, blocked.hint === undefined ? {} : { hint: blocked.hint });
  }
  if (plan.steps.every(({ alreadySo }) => alreadySo)) {
    throw new HostError(
      'failed',
      'everything that this remedy would change is so already, and the fault is still there',
    );
  }
  await verifier.start();
  try {
    const { journal, id, by, signal, onProgress } = options;
    return await makeRepair({
      host,
      ...{ journal, id, by },
      causeId: plan.cause.id,
      remedyId: plan.remedy.id,
      title: plan.remedy.title,
      target: {
        side: fault.side,
        port: fault.server.port,
        server: fault.server.address,
        ...(fault.client === undefined ? {} : { client: fault.client }),
      },
      steps: plan.steps,
      verify: () => verifier.verify(),
      how: verifier.how,
      verifySeconds: verifier.seconds,
      ...(persist && plan.persistent !== undefined ? { persist: plan.persistent } : {}),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  } finally {
    await verifier.stop();
  }
}

/** Repairs of the journal, newest first. @throws InputError */
export function listRepairs(journal: Journal): RepairRecord[] {
  return storiesOf(journal.read())
    .toReversed()
    .map((story) => recordOf(story, isAlive(story.beginning.owner) === true));
}

const WHY_NOT_UNDONE: Readonly<Partial<Record<RepairRecord['outcome'], string>>> = {
  undone: 'it has been undone already',
  'rolled-back': 'it did not help, and was taken back by itself',
  failed: 'it needed a hand; the journal says for what',
  interrupted: 'it was interrupted, and the next repair of its host brings it to an end',
  running: 'it is being made at this moment',
};

/** A repair of the journal that can be undone. @throws InputError when there is none of that name, or it cannot be. */
export function undoableRepair(journal: Journal, id: string): RepairStory {
  const story = storiesOf(journal.read()).find((one) => one.id === id);
  if (story === undefined) {
    throw new InputError({
      code: 'not-found',
      message: `The journal has no repair ${id}.`,
      hint: 'See: synscope fix --journal',
    });
  }
  const record = recordOf(story, isAlive(story.beginning.owner) === true);
  if (!record.undoable) {
    const why = WHY_NOT_UNDONE[record.outcome] ?? 'nothing of it can be undone';
    throw new InputError({ code: 'cannot-undo', message: `Repair ${id} cannot be undone: ${why}.` });
  }
  return story;
}

/** Undoes a repair: every element is again as it was before. What somebody has changed since is left alone. @throws HostError */
export async function undoRepair(
  host: Host,
  journal: Journal,
  story: RepairStory,
  {
    by = 'person',
    onProgress,
  }: { readonly by?: 'person' | 'policy'; readonly onProgress?: (text: string) => void } = {},
): Promise<RepairResult> {
  const { id, beginning, after, persisting } = story;
  const done = beginning.steps.flatMap((step, index) => {
    const state = after.get(index);
    return step.alreadySo || step.undo.length === 0 || state === undefined ? [] : [{ step, state }];
  });
  const standing: typeof done = [];
  for (const { step, state } of done) {
    const now = await kindOf(step.change).read(host, step.change);
    // What is as it was before needs no hand.
    if (now === step.before) continue;
    standing.push({ step, state });
    if (now !== state) {
      throw new HostError('failed', `"${step.text}" cannot be undone: somebody has changed it since (it is "${now}")`, {
        hint: 'look at it, and decide by hand',
      });
    }
  }
  const steps = standing.toReversed().map(({ step, state }) => inverse(step, state));
  const result = await makeRepair({
    host,
    journal,
    id: newRepairId(),
    by,
    causeId: beginning.causeId,
    remedyId: beginning.remedyId,
    title: `Undo: ${beginning.title}`,
    undoes: id,
    target: beginning.target,
    steps,
    verify: async () => {
      const left = await leftoversOf(
        host,
        done.map(({ step }) => step),
      );
      const [first] = left;
      return first === undefined
        ? { helped: true, statement: 'everything is as it was before the repair' }
        : { helped: false, statement: `"${first.step.text}": ${first.reason}` };
    },
    how: 'every element must be as it was before the repair',
    verifySeconds: 15,
    ...(persisting === undefined ? {} : { takeBack: persisting.file }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return result.outcome === 'verified' ? { ...result, undid: id } : result;
}

/** The step that takes a step back, as a step that can itself be taken back. */
function inverse(step: RepairStep, state: string): RepairStep {
  return {
    change: step.change,
    text: `undo: ${step.text}`,
    do: inOne(step.undo),
    undo: [step.redo ?? step.do],
    before: state,
    dangers: [],
  };
}

/** Runs several commands one after the other: count of words, words, and so on; only numbers are ever put together. */
const ALL = [
  'while [ "$#" -gt 1 ]; do',
  '  c=$1; shift',
  '  words=""; i=1',
  '  while [ "$i" -le "$c" ]; do words="$words \\"\\$$OPEN$i}\\""; i=$((i + 1)); done',
  '  eval "$words" || exit 1',
  '  shift "$c"',
  'done',
]
  .join('\n')
  .replace('$OPEN', '{');

function inOne(commands: RepairStep['undo']): readonly string[] {
  const [only] = commands;
  if (commands.length === 1 && only !== undefined) return only;
  return ['sh', '-c', ALL, 'sh', ...commands.flatMap((words) => [String(words.length), ...words])];
}
