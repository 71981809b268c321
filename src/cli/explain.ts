import type { GlossaryEntry } from '../model/glossary/entry.ts';
import { type Command, EXIT_NOTHING_WRONG, UsageError } from './command.ts';
import { OutputBuffer, outputStyle } from './output.ts';

interface ExplainOptions {
  readonly json?: boolean;
  readonly list?: boolean;
}

export const command: Command = {
  name: 'explain',
  argument: '[word...]',
  argumentDescription: 'cause, outcome, counter, drop reason, errno, ICMP error or term, as some tool printed it',
  summary: 'what a word means: a cause, an outcome, a counter, a drop reason, an errno, an ICMP error',
  examples: [
    ['synscope explain ListenDrops', 'what moves this counter, and what does not'],
    ['synscope explain no-return-route', 'a cause: what happens, how to be sure, what it is taken for'],
    ['synscope explain ECONNREFUSED', 'who may have refused, and how to tell'],
    ['synscope explain icmp 3/13', 'an ICMP error by type and code; icmp6 1/1 for ICMPv6'],
    ['synscope explain location:late', 'this meaning of a word that has several'],
    ['synscope explain --list', 'every word, by group'],
  ],
  options: [
    { flags: '--list', description: 'print every word that can be explained' },
    { flags: '--json', description: 'print one JSON object' },
  ],
  async run(words, given) {
    const { json = false, list = false } = given as ExplainOptions;
    const { GLOSSARY } = await import('../model/glossary/glossary.ts');
    const { GlossaryIndex } = await import('../model/glossary/lookup.ts');
    const { causeEntries } = await import('../engine/cause-entries.ts');
    const { renderExplanation, renderWordList } = await import('../report/explanation.ts');
    const entries = [...causeEntries(), ...GLOSSARY];
    const output = new OutputBuffer();
    if (list) {
      if (words.length > 0) throw new UsageError('--list prints every word; leave the word out');
      output.write(json ? listAsJson(entries) : renderWordList(entries, outputStyle()));
    } else {
      const text = words.join(' ');
      if (text.trim() === '') throw new UsageError('explain takes a word; for all of them: synscope explain --list');
      const index = new GlossaryIndex(entries);
      const found = index.find(text);
      if (found === undefined) throw new UsageError(unknownWord(text, index.nearest(text)));
      output.write(
        json ? asJson(found.entry, found.others) : renderExplanation(found.entry, found.others, outputStyle()),
      );
    }
    output.flush();
    return EXIT_NOTHING_WRONG;
  },
};

function unknownWord(text: string, nearest: readonly string[]): string {
  const all = 'every word: synscope explain --list';
  if (nearest.length === 0) return `there is no explanation of "${text}"; ${all}`;
  const last = nearest.at(-1);
  const guess = nearest.length === 1 ? last : `${nearest.slice(0, -1).join(', ')} or ${last}`;
  return `there is no explanation of "${text}"; did you mean ${guess}? ${all}`;
}

function asJson(entry: GlossaryEntry, others: readonly GlossaryEntry[]): string {
  const { word, kind, ...explanation } = entry;
  const otherMeanings = others.map((other) => ({ word: other.word, kind: other.kind }));
  return toJson({ schemaVersion: 1, command: 'explain', word, kind, ...explanation, otherMeanings });
}

function listAsJson(entries: readonly GlossaryEntry[]): string {
  const words = entries.map(({ word, kind, title }) => ({ word, kind, title }));
  return toJson({ schemaVersion: 1, command: 'explain', words });
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
