import type { RepairPlan, RepairRecord, RepairStep } from '../model/repair.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import type { Recovery } from '../remedy/recover.ts';
import type { RepairResult } from '../remedy/repair.ts';
import { encodeJson } from '../report/json.ts';
import type { JsonValue } from '../report/json-values.ts';
import type { InterruptedRepair } from '../service/fix-recover.ts';

/** What one run of `fix` has to tell. */
export interface FixReport {
  readonly host: string;
  /** Repairs that had been interrupted, and are at an end now. */
  readonly recovered: readonly Recovery[];
  /** Repairs that were interrupted, and are brought to an end by the next one: a plan changes nothing. */
  readonly interrupted?: readonly InterruptedRepair[];
  /** Why nothing can be done. */
  readonly cannot?: { readonly reason: string; readonly hint?: string };
  /** Nothing is wrong; says with what that was seen. */
  readonly nothingWrong?: string;
  readonly plan?: RepairPlan;
  readonly result?: RepairResult;
  readonly journal?: readonly RepairRecord[];
}

/** Renders it as one JSON object; docs/schema/fix.schema.json describes it. */
export function renderFixJson(report: FixReport): string {
  const { host, recovered, interrupted, cannot, nothingWrong, plan, result, journal } = report;
  const fields: [name: string, value: JsonValue | undefined][] = [
    ['schemaVersion', 1],
    ['command', 'fix'],
    ['host', host],
    ['recovered', recovered.map(({ id, title, outcome, statement }) => ({ id, title, outcome, statement }))],
    ['interrupted', interrupted?.map(({ id, title, startedAt, statement }) => ({ id, title, startedAt, statement }))],
    ['cannot', cannot === undefined ? undefined : { reason: cannot.reason, hint: cannot.hint }],
    ['nothingWrong', nothingWrong],
    ['plan', plan === undefined ? undefined : planValue(plan)],
    ['result', result === undefined ? undefined : { ...result }],
    ['journal', journal?.map(recordValue)],
  ];
  const lines = fields.flatMap(([name, value]) => (value === undefined ? [] : [`  "${name}": ${encodeJson(value)}`]));
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** A plan as the JSON contract spells it. */
function planValue(plan: RepairPlan): JsonValue {
  const { persistent } = plan;
  return {
    cause: { ...plan.cause },
    sentence: plan.sentence,
    remedy: { ...plan.remedy },
    steps: plan.steps.map(stepValue),
    advice: plan.advice,
    reasons: plan.reasons,
    checks: plan.checks.map(({ ok, statement }) => ({ ok, statement })),
    blocked: plan.blocked.map(({ reason, hint }) => ({ reason, hint })),
    verification: plan.verification,
    persistent: persistent && {
      system: persistent.system,
      path: persistent.path,
      added: persistent.added,
      statement: persistent.statement,
    },
    persistentNote: plan.persistentNote,
    alternatives: plan.alternatives.map(({ id, title, applicable }) => ({ id, title, applicable })),
    twin: plan.twin && { helped: plan.twin.helped, statement: plan.twin.statement },
  };
}

function stepValue(step: RepairStep): JsonValue {
  return {
    text: step.text,
    change: step.change as unknown as JsonValue,
    command: step.do.length === 0 ? undefined : quoteCommand(step.do),
    undo: step.undo.map((words) => quoteCommand(words)),
    before: step.before,
    dangers: step.dangers,
    alreadySo: step.alreadySo,
    cannotUndo: step.cannotUndo,
    policy: step.policy,
  };
}

function recordValue(record: RepairRecord): JsonValue {
  const { id, host, by, causeId, remedyId, title, startedAt, endedAt, outcome, statement, undoable } = record;
  return {
    id,
    host,
    by,
    causeId,
    remedyId,
    title,
    startedAt,
    endedAt,
    outcome,
    statement,
    undoable,
    steps: record.steps.map(stepValue),
  };
}
