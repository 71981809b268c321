import { COUNTERS } from './counters.ts';
import { DROP_REASONS } from './dropreasons.ts';
import type { EntryKind, Explanation, GlossaryEntry } from './entry.ts';
import { ERRNOS } from './errnos.ts';
import { FINDINGS } from './findings.ts';
import { icmpEntries } from './icmp.ts';
import { LOCATIONS } from './locations.ts';
import { GlossaryIndex } from './lookup.ts';
import { OUTCOME_EXPLANATIONS } from './outcomes.ts';
import { STAGES } from './stages.ts';
import { TERMS } from './terms.ts';

/** Every word that can be explained, group by group. */
export const GLOSSARY: readonly GlossaryEntry[] = [
  ...group('outcome', OUTCOME_EXPLANATIONS),
  ...group('location', LOCATIONS),
  ...group('stage', STAGES),
  ...group('finding', FINDINGS),
  ...group('errno', ERRNOS),
  ...group('counter', COUNTERS),
  ...group('drop-reason', DROP_REASONS),
  ...icmpEntries(),
  ...group('term', TERMS),
];

/** Finds words in {@link GLOSSARY}. */
export const glossaryIndex: GlossaryIndex = new GlossaryIndex(GLOSSARY);

function group(kind: EntryKind, explanations: Readonly<Record<string, Explanation>>): GlossaryEntry[] {
  return Object.entries(explanations).map(([word, explanation]) => ({ kind, word, ...explanation }));
}
