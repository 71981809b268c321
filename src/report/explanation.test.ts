import { describe, expect, it } from 'vitest';
import { GLOSSARY, glossaryIndex } from '../model/glossary/glossary.ts';
import { renderExplanation, renderWordList } from './explanation.ts';
import { displayWidth } from './width.ts';

const plain = { color: false, unicode: false };

function widest(text: string): number {
  return Math.max(...text.split('\n').map(displayWidth));
}

describe('renderExplanation', () => {
  it.each([80, 120])('keeps every explanation within %i columns', (columns) => {
    for (const entry of GLOSSARY) {
      const text = renderExplanation(entry, [], { ...plain, columns });
      expect(widest(text), `${entry.kind}:${entry.word}`).toBeLessThanOrEqual(columns);
      expect(text).not.toMatch(/[ \t]\n|\n\n\n/);
    }
  });

  it('never breaks a command', () => {
    for (const entry of GLOSSARY) {
      const text = renderExplanation(entry, [], { ...plain, columns: 80 });
      for (const { command } of entry.checks ?? [])
        if (command !== undefined) expect(text).toContain(`    ${command}\n`);
    }
  });

  it('has the sections in the order of a person who asks', () => {
    const { entry, others } = glossaryIndex.find('no-reply')!;
    const text = renderExplanation(entry, others, { ...plain, columns: 80 });
    const headings = text
      .split('\n')
      .filter((line, index, lines) => index > 0 && lines[index - 1] === '' && line !== '');
    expect(headings.slice(1)).toEqual([
      'On the wire',
      'What the application sees',
      'Usual causes, most likely first',
      'How to be sure',
      'See also (synscope explain WORD)',
      'Reference',
    ]);
  });

  it('names the other meanings of a word', () => {
    const { entry, others } = glossaryIndex.find('established')!;
    const text = renderExplanation(entry, others, { ...plain, columns: 80 });
    expect(text).toContain('location:established, stage:established');
  });

  it('colours with escape sequences only when asked', () => {
    const { entry } = glossaryIndex.find('ListenDrops')!;
    expect(renderExplanation(entry, [], { columns: 80, color: true, unicode: true })).toContain('\x1b[36m');
    expect(renderExplanation(entry, [], { columns: 80, color: false, unicode: true })).not.toContain('\x1b');
  });
});

describe('renderWordList', () => {
  it.each([40, 80, 120])('lists every word within %i columns', (columns) => {
    const text = renderWordList(GLOSSARY, { ...plain, columns });
    expect(widest(text)).toBeLessThanOrEqual(columns);
    for (const { word } of GLOSSARY) expect(text).toContain(`  ${word}`);
  });
});
