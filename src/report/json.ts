import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { OUTCOMES } from '../model/handshake.ts';
import { captureValue, clockValue, diagnosisValue, groupValue, type JsonValue } from './json-values.ts';

/** Version of the JSON contract; it grows when a field is removed or changes its meaning. */
const SCHEMA_VERSION = 1;

/** Everything of a report but its diagnoses, which went ahead. */
type ReportEnd = Omit<CaptureReport, 'diagnoses'>;

/** Writes one report piece by piece, so that its diagnoses never lie in memory together. */
export interface JsonStream {
  /** Starts the object. Called once, first. */
  begin(command: CaptureReport['command']): void;
  /** Writes one diagnosis. */
  diagnosis(diagnosis: Diagnosis): void;
  /** Writes what is known only at the end, and closes the object. Called once, last. */
  end(rest: ReportEnd): void;
}

/**
 * Makes a stream that hands the report's JSON to `write`, some text at a time. The text is that of {@link renderJson}:
 * one field per line, and in arrays one element per line.
 */
export function jsonStream(write: (text: string) => void): JsonStream {
  let count = 0;
  return {
    begin(command) {
      write(`{\n  "schemaVersion": ${SCHEMA_VERSION},\n  "command": ${encodeJson(command)},\n  "diagnoses": [`);
    },
    diagnosis(diagnosis) {
      write(`${count === 0 ? '' : ','}\n    ${encodeJson(diagnosisValue(diagnosis))}`);
      count += 1;
    },
    end(rest) {
      write(`${count === 0 ? '' : '\n  '}],\n`);
      if (rest.host !== undefined) write(`  "host": ${encodeJson(rest.host)},\n`);
      write(`  "omittedDiagnoses": ${encodeJson(rest.omittedDiagnoses)},\n`);
      write(`  "headline": ${encodeJson(rest.headline)},\n`);
      write(`  "summary": ${encodeJson(summaryValue(rest.summary))},\n`);
      write(`  "groups": ${encodeList(rest.groups.map(groupValue))},\n`);
      write(`  "captures": ${encodeList(rest.captures.map(captureValue))},\n`);
      if (rest.clocks !== undefined) write(`  "clocks": ${encodeList(rest.clocks.map(clockValue))},\n`);
      if (rest.notSeen !== undefined) {
        write(`  "notSeen": ${encodeList(rest.notSeen.map(({ reason, hint }) => ({ reason, hint })))},\n`);
      }
      write(
        `  "notes": ${encodeList(rest.notes.map(({ code, statement, hint }) => ({ code, statement, hint })))}\n}\n`,
      );
    },
  };
}

/** Renders a whole report as JSON; `docs/json.md` describes it. */
export function renderJson(report: CaptureReport): string {
  const parts: string[] = [];
  const stream = jsonStream((text) => parts.push(text));
  stream.begin(report.command);
  for (const diagnosis of report.diagnoses) stream.diagnosis(diagnosis);
  stream.end(report);
  return parts.join('');
}

function summaryValue({ handshakes, failed, outcomes, late }: CaptureReport['summary']): JsonValue {
  const counts = OUTCOMES.flatMap((outcome) => {
    const count = outcomes[outcome];
    return count === undefined ? [] : [[outcome, count] as const];
  });
  return { handshakes, failed, outcomes: Object.fromEntries(counts), late };
}

function encodeList(values: readonly JsonValue[]): string {
  if (values.length === 0) return '[]';
  return `[\n    ${values.map(encodeJson).join(',\n    ')}\n  ]`;
}

/** Controls and invisible characters stand in strings only, where JSON can escape them without loss. */
const UNSAFE: RegExp = /[\p{Cf}\u007f-\u009f\u2028\u2029]/gu;

/** Writes a value as JSON on one line, safe to print. */
export function encodeJson(value: JsonValue): string {
  return stringify(value).replace(UNSAFE, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** As JSON.stringify, but for bigints, which few values have: only for these each part is looked at, which takes several times as long. */
function stringify(value: JsonValue): string {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? Number(part) : part));
  }
}
