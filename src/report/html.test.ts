import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renderHtml } from './html.ts';
import { SCRIPT, SCRIPT_HASH } from './html-script.ts';
import { STYLE, STYLE_HASH } from './html-style.ts';
import { report } from './testing/build.ts';
import { hostile } from './testing/hostile.ts';
import { allFine, compareAnswerLost, mixed, noReply, samples } from './testing/samples.ts';

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** The page without the style sheet and the script, which are ours. */
function content(page: string): string {
  return page.replace(STYLE, '').replace(SCRIPT, '');
}

describe('renderHtml', () => {
  it('allows its own style sheet and script by their hashes, and nothing else', () => {
    expect(STYLE_HASH).toBe(hash(STYLE));
    expect(SCRIPT_HASH).toBe(hash(SCRIPT));
    const page = renderHtml(noReply);
    expect(page).toContain(`default-src 'none'; style-src '${STYLE_HASH}'; script-src '${SCRIPT_HASH}'`);
    expect(page).toContain(`<style>${STYLE}</style>`);
    expect(page).toContain(`<script>${SCRIPT}</script>`);
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<title>'));
  });

  it('refers to nothing outside itself and has no inline style or handler', () => {
    for (const sample of Object.values(samples)) {
      const page = content(renderHtml(sample));
      expect(page).not.toMatch(/https?:|\b(?:src|href|action)=|url\(|@import/);
      expect(page).not.toMatch(/\sstyle=|\son[a-z]+=/);
    }
  });

  it('closes every element that it opens', () => {
    const empty = new Set(['meta', 'line', 'path', 'input', 'br']);
    for (const sample of [...Object.values(samples), hostile]) {
      const open: string[] = [];
      for (const [, slash, name = ''] of content(renderHtml(sample)).matchAll(/<(\/?)([a-z0-9]+)[^>]*>/g)) {
        if (empty.has(name)) continue;
        if (slash === '') open.push(name);
        else expect(open.pop()).toBe(name);
      }
      expect(open).toEqual([]);
    }
  });

  it('lets no foreign markup or control character through', () => {
    const page = renderHtml(hostile);
    expect(content(page)).not.toMatch(/<script>[^<]|alert\(1\)<|[^\n\P{Cc}]|[\p{Cf}\u2028\u2029]/u);
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).toContain('&lt;script&gt;alert(1)');
  });

  it('shows the headline as the only first heading, and the groups below it', () => {
    const page = renderHtml(mixed);
    expect(page.match(/<h1/g)).toHaveLength(1);
    expect(page.match(/<details class="card">/g)).toHaveLength(mixed.groups.length - 1);
    expect(page.match(/<svg class="ladder" role="img"/g)).toHaveLength(mixed.groups.length);
  });

  it('describes the ladder in words', () => {
    expect(renderHtml(compareAnswerLost)).toContain('0.005 s SYN-ACK to the client, lost on the way;');
  });

  it('names the columns of the table and bounds its rows, and says so', () => {
    const [one] = noReply.diagnoses;
    if (one === undefined) throw new Error('the sample has no diagnosis');
    const page = renderHtml({ ...noReply, diagnoses: Array.from({ length: 2500 }, () => one), omittedDiagnoses: 7 });
    expect(page.match(/<tr>/g)).toHaveLength(2001);
    expect(page).toContain('The first 2,000 are listed; 507 more are left out.');
    expect(page.match(/<th scope="col">/g)).toHaveLength(5);
  });

  it('is calm when nothing failed, and neutral when nothing was there', () => {
    expect(renderHtml(allFine)).toContain('<main class="fine">');
    expect(renderHtml(allFine)).not.toContain('<table');
    expect(renderHtml(report({ headline: 'No TCP handshake was found.', groups: [] }))).toContain(
      '<main class="empty">',
    );
  });
});
