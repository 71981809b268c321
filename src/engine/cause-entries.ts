import { CAUSES } from '../causes/index.ts';
import type { Cause } from '../model/cause.ts';
import type { GlossaryEntry } from '../model/glossary/entry.ts';

/** The causes of the catalogue as words that can be explained. */
export function causeEntries(): GlossaryEntry[] {
  return CAUSES.map(causeEntry);
}

function causeEntry({ id, title, explanation, confusedWith = [], references }: Cause): GlossaryEntry {
  const [meaning = title, ...details] = paragraphs(explanation);
  return {
    kind: 'cause',
    word: id,
    title,
    meaning,
    details,
    lookalikes: confusedWith.map((other) => `${other.id}: ${plainText(other.toldApartBy)}`),
    references: references.map(plainText),
    seeAlso: confusedWith.map((other) => other.id),
  };
}

/** The paragraphs of a Markdown text as plain text: lines joined, but for items of lists. */
function paragraphs(markdown: string): string[] {
  return markdown
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) =>
      plainText(
        paragraph
          .split('\n')
          .map((line) => line.trim())
          .reduce((text, line) => (text === '' ? line : `${text}${/^[-*] /.test(line) ? '\n' : ' '}${line}`), '')
          .replace(/^\* /gm, '- '),
      ),
    );
}

function plainText(markdown: string): string {
  return markdown
    .replace(/\[([^\]]+)\]\(([^)]+)\)/g, '$1 ($2)')
    .replace(/(\*\*|`)/g, '')
    .replace(/^#+ /gm, '');
}
