import { describe, expect, it } from 'vitest';
import { isUnsafe } from '../model/unsafe-text.ts';
import { forHtml, forTerminal } from './escape.ts';

describe('forTerminal', () => {
  it('makes controls visible', () => {
    expect(forTerminal('\x1b[31m\0\x7f\x9b')).toBe('\\x1b[31m\\x00\\x7f\\x9b');
    expect(forTerminal('a\nb\tc\r')).toBe('a\\nb\\tc\\r');
  });

  it('makes bidirectional overrides, zero-width and invisible characters visible', () => {
    expect(forTerminal('a\u202ecod.pcap\u2066\u200b\u200d\u00ad\ufeff\u3164')).toBe(
      'a\\u{202e}cod.pcap\\u{2066}\\u{200b}\\u{200d}\\xad\\u{feff}\\u{3164}',
    );
    expect(forTerminal('\u{e0041}\ud800')).toBe('\\u{e0041}\\u{d800}');
  });

  it('leaves the letters of every script alone, and its own output', () => {
    for (const text of ['plain #12', 'Müller', '客户端.pcap', 'אבג', 'e\u0301', forTerminal('\x1b')]) {
      expect(forTerminal(text)).toBe(text);
      expect(isUnsafe(text)).toBe(false);
    }
  });
});

describe('forHtml', () => {
  it('replaces what HTML reads as markup, in content and in attributes', () => {
    expect(forHtml(`<b a="1" c='2'>&amp;`)).toBe('&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;');
    expect(forHtml('\x1b\u202e')).toBe('\\x1b\\u{202e}');
  });
});
