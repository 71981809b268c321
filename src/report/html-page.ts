import { SCRIPT, SCRIPT_HASH } from './html-script.ts';
import { STYLE, STYLE_HASH } from './html-style.ts';
import { type HtmlPart, html, SafeHtml } from './html-template.ts';

const POLICY = `default-src 'none'; style-src '${STYLE_HASH}'; script-src '${SCRIPT_HASH}'; base-uri 'none'; form-action 'none'`;

/** What a page of a report holds. */
export interface HtmlPage {
  /** Its first line, and the name of the page. */
  readonly headline: string;
  /** What made it, in small letters above the headline. */
  readonly over: string;
  readonly state: 'failed' | 'fine' | 'empty';
  readonly content: HtmlPart;
}

/**
 * Renders a page as one HTML file that needs nothing else: no network, no other file, and no script to be read. Its
 * content security policy allows the style sheet and the script of this file by their hashes, and nothing more.
 */
export function renderHtmlPage({ headline, over, state, content }: HtmlPage): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new SafeHtml(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${headline}</title>
<style>${new SafeHtml(STYLE)}</style>
</head>
<body>
<main class="${state}">
<p class="over">${over}</p>
<h1>${headline}</h1>
${content}
</main>
<script>${new SafeHtml(SCRIPT)}</script>
</body>
</html>
`.text;
}

/** A part of a page: a list under a heading; nothing when it is empty. */
export function renderHtmlList(title: string, items: readonly SafeHtml[]): SafeHtml | undefined {
  if (items.length === 0) return undefined;
  const id = title.toLowerCase().replaceAll(' ', '-');
  return html`<section aria-labelledby="${id}">
<h2 class="part" id="${id}">${title}</h2>
<ul class="steps">
${items}</ul>
</section>`;
}
