import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimestamp } from './format.ts';
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

describe('formatTimestamp', () => {
  it('writes times with nanoseconds, also those that RFC 3339 cannot write', () => {
    expect(formatTimestamp(1n)).toBe('1970-01-01T00:00:00.000000001Z');
    expect(formatTimestamp(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
    expect(formatTimestamp(2n ** 64n * 1_000_000_000n)).toBe('9999-12-31T23:59:59.999999999Z');
    expect(formatTimestamp(-(2n ** 70n))).toBe('0000-01-01T00:00:00.000000000Z');
  });
});
