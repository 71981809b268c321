import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCount, formatDuration, formatList, formatTimestamp } from './format.ts';
import { createTheme } from './style.ts';
import { displayWidth, shortenMiddle, splitGraphemes, takeColumns } from './width.ts';
import { wrapHanging, wrapSpans } from './wrap.ts';

const theme = createTheme({ color: false, unicode: true });

describe('displayWidth', () => {
  it('counts wide characters twice and combining ones not at all', () => {
    expect(displayWidth('abc #12')).toBe(7);
    expect(displayWidth('客户端')).toBe(6);
    expect(displayWidth('한글')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('🚀')).toBe(2);
    expect(displayWidth('│▶✗●…')).toBe(5);
  });
});

describe('takeColumns and shortenMiddle', () => {
  it('cut between characters and never exceed the room', () => {
    expect(takeColumns('客户端', 5)).toBe('客户');
    expect(shortenMiddle('firewall-inside.pcapng', 11, '…')).toBe('firew…capng');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(30), (text, columns) => {
        expect(displayWidth(takeColumns(text, columns))).toBeLessThanOrEqual(columns);
        const shown = theme.span(text).text;
        expect(displayWidth(shortenMiddle(shown, columns, '…'))).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it('keep a base and its marks together', () => {
    expect(splitGraphemes('ae\u0301')).toEqual(['a', 'e\u0301']);
  });
});

describe('wrapSpans', () => {
  it('breaks between words and indents what follows', () => {
    const lines = wrapHanging([theme.span('  ● ')], [theme.span('one two three')], 11);
    expect(lines.map((line) => theme.paint(line))).toEqual(['  ● one two', '    three']);
  });

  it('keeps a number and its unit together', () => {
    const lines = wrapSpans([theme.span('it came after 12.4 ms')], 18);
    expect(lines.map((line) => theme.paint(line))).toEqual(['it came after', '12.4 ms']);
  });

  it('breaks a word that is longer than the line', () => {
    expect(wrapSpans([theme.span('aaaaaaa')], 3).map((line) => theme.paint(line))).toEqual(['aaa', 'aaa', 'a']);
  });

  it('never exceeds the room and loses no character', () => {
    const styles = ['plain', 'bad', 'dim'] as const;
    const spans = fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.constantFrom(...styles)));
    fc.assert(
      fc.property(spans, fc.integer({ min: 2, max: 30 }), (parts, columns) => {
        const given = parts.map(([text, style]) => theme.span(text, style));
        const lines = wrapSpans(given, columns).map((line) => line.map(({ text }) => text).join(''));
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
        const before = given.map(({ text }) => text).join('');
        expect(lines.join('').replaceAll(' ', '')).toBe(before.replaceAll(' ', ''));
      }),
    );
  });
});

describe('formats', () => {
  it('write durations with about three digits', () => {
    expect([0, 999, 81_400, 12_400_000, 7_080_000_000, 185e9, 7620e9].map(formatDuration)).toEqual([
      '0 ns',
      '999 ns',
      '81.4 µs',
      '12.4 ms',
      '7.08 s',
      '3 min 5 s',
      '2 h 7 min',
    ]);
    expect(formatDuration(999_999_999)).toBe('1 s');
    expect(formatDuration(-1500)).toBe('-1.5 µs');
  });

  it('write times with nanoseconds, also those that RFC 3339 cannot write', () => {
    expect(formatTimestamp(1n)).toBe('1970-01-01T00:00:00.000000001Z');
    expect(formatTimestamp(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
    expect(formatTimestamp(2n ** 64n * 1_000_000_000n)).toBe('9999-12-31T23:59:59.999999999Z');
    expect(formatTimestamp(-(2n ** 70n))).toBe('0000-01-01T00:00:00.000000000Z');
  });

  it('write counts and lists', () => {
    expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
    expect(formatList(['a', 'b', 'c'])).toBe('a, b and c');
    expect(formatList(['a'])).toBe('a');
  });
});
