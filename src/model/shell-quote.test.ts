import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteCommand, quoteWord } from './shell-quote.ts';
import { isUnsafe } from './unsafe-text.ts';

function readBack(shell: string, words: readonly string[]): string[] {
  const script = quoteCommand(['printf', '%s\\0', ...words]);
  return execFileSync(shell, ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

const word = fc
  .string({ unit: 'grapheme', maxLength: 20 })
  .filter((text) => !text.includes('\0') && text.isWellFormed());

describe('quoteCommand', () => {
  it('leaves plain words alone and quotes the others', () => {
    expect(quoteCommand(['tcpdump', '-i', 'any', '-w', 'a.pcap', 'tcp port 443'])).toBe(
      "tcpdump -i any -w a.pcap 'tcp port 443'",
    );
    expect(quoteWord('')).toBe("''");
    expect(quoteWord("it's")).toBe("'it'\\''s'");
    expect(quoteCommand(['A=b', 'c=d'])).toBe("'A=b' c=d");
  });

  it('shows control characters as escapes', () => {
    expect(quoteWord('\x1b[2J a')).toBe("$'\\033\\1332J a'");
    expect(quoteWord('é', true)).toBe("$'\\303\\251'");
  });

  it('is read back by sh as it was', () => {
    fc.assert(
      fc.property(
        fc.array(
          word.filter((text) => !isUnsafe(text)),
          { minLength: 1, maxLength: 8 },
        ),
        (words) => {
          expect(readBack('sh', words)).toEqual(words);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('is read back by bash as it was, whatever it holds, and never shows a hostile character', () => {
    const any = fc
      .string({ unit: 'binary', maxLength: 12 })
      .filter((text) => !text.includes('\0') && text.isWellFormed());
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 8 }), (words) => {
        expect(isUnsafe(quoteCommand(words))).toBe(false);
        expect(readBack('bash', words)).toEqual(words);
      }),
      { numRuns: 25 },
    );
  });
});
