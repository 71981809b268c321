import type { CaptureReport, Diagnosis } from '../../model/diagnosis.ts';
import { compareMiddlebox, mixed } from './samples.ts';

/** Text as an attacker would put it into a comment, a file name or an interface name. */
const HOSTILE_TEXT =
  '\x1b[2J\x1b]0;owned\x07\x9b31m<script>alert(1)</script>"\'&\u202eexe.pcap\u2066\u200b\u00ad\0\r\n\ttail\u2028';

/** Keys whose values come from fixed lists or are addresses. */
const KEPT: ReadonlySet<string> = new Set([
  'command',
  'format',
  'compression',
  'kind',
  'direction',
  'outcome',
  'stage',
  'status',
  'bearing',
  'weight',
  'risk',
  'address',
  'from',
  'seen',
  'location',
  'confidence',
  'fastOpen',
]);

/** Findings have ids from a fixed list; causes, remedies and notes do not. */
function isKept(key: string, holder: object): boolean {
  return KEPT.has(key) || (key === 'id' && 'frames' in holder);
}

function poison<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item) => (typeof item === 'string' ? HOSTILE_TEXT : poison(item))) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, part]) => [
    key,
    typeof part === 'string' && !isKept(key, value) ? HOSTILE_TEXT : poison(part),
  ]);
  return Object.fromEntries(entries) as T;
}

/** A report in which every string that does not come from a fixed list is hostile. */
export const hostile: CaptureReport = {
  ...poison({ ...mixed, clocks: [] as const }),
  clocks: [
    {
      capture: HOSTILE_TEXT,
      offsetNs: 1n,
      uncertaintyNs: 1n,
      samples: 1,
      confidence: 'guess',
      statement: HOSTILE_TEXT,
    },
  ],
  groups: [...poison(mixed.groups), ...poison(compareMiddlebox.groups)],
  diagnoses: [...poison(mixed.diagnoses), ...poison(compareMiddlebox.diagnoses)].map(
    (diagnosis): Diagnosis => ({ ...diagnosis, capture: HOSTILE_TEXT }),
  ),
};
