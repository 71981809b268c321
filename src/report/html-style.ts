/** The style sheet of the HTML report: light and dark, wide and narrow, screen and paper. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --text: #1c1f24; --muted: #5a616c; --line: #dedfda; --soft: #f0f0ec;
  --bad: #b3261e; --good: #17663a; --warn: #7d5200; --link: #0b57a4;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131518; --card: #1b1e23; --text: #e4e6ea; --muted: #a3aab5; --line: #31363e; --soft: #24282e;
    --bad: #ff8f85; --good: #7fd8a0; --warn: #eec46a; --link: #8dbbff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-ligatures: no-common-ligatures;
}
main { max-width: 70rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1, h2, h3 { line-height: 1.3; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: .25rem 0 1.25rem; font-weight: 650; }
h2 { font-size: 1.2rem; margin: 0; font-weight: 600; }
h2.part { margin: 3rem 0 .75rem; }
h3 { font-size: .8125rem; margin: 1.75rem 0 .5rem; color: var(--muted); font-weight: 600; letter-spacing: .03em; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
code, pre, .mono { font-family: var(--mono); font-size: .875em; }
.muted, .meta { color: var(--muted); }
.meta { font-size: .875rem; overflow-wrap: anywhere; }
.hidden { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
.over { margin: 0; font-size: .875rem; color: var(--muted); font-family: var(--mono); overflow-wrap: anywhere; }
.failed h1::before { content: "✗"; color: var(--bad); margin-right: .6rem; }
.fine h1::before { content: "✓"; color: var(--good); margin-right: .6rem; }
.numbers { display: flex; flex-wrap: wrap; gap: .75rem 2.25rem; margin: 0 0 2rem; }
.numbers div { display: flex; flex-direction: column-reverse; }
.numbers dt { font-size: .8125rem; color: var(--muted); }
.numbers dd { margin: 0; font-size: 1.375rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.numbers .bad dd { color: var(--bad); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.5rem; margin: 0 0 1rem; }
details.card { padding: 0; }
details.card > summary { padding: 1rem 1.5rem 1rem 2.75rem; cursor: pointer; list-style: none; position: relative; }
details.card > summary::-webkit-details-marker { display: none; }
details.card > summary::before { content: ""; position: absolute; left: 1.35rem; top: 1.45rem; width: .5rem; height: .5rem; border: solid var(--muted); border-width: 0 2px 2px 0; transform: rotate(-45deg); }
details.card[open] > summary::before { transform: rotate(45deg); top: 1.3rem; }
details.card > summary:hover h2 { color: var(--link); }
details.card > summary h2 { display: inline; font-size: 1rem; }
details.card > summary .meta { display: block; }
details.card > div { padding: 0 1.5rem 1.5rem; border-top: 1px solid var(--line); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
figure { margin: 1.5rem 0 0; padding: 1rem; background: var(--soft); border-radius: 8px; }
.ends { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1.5rem; font-size: .875rem; }
.ends span { overflow-wrap: anywhere; }
.ends b { font-family: var(--mono); font-weight: 600; font-size: .875em; }
.legend { list-style: none; margin: .5rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1.5rem; font-size: .8125rem; color: var(--muted); overflow-wrap: anywhere; }
.drawing { margin-top: .75rem; padding: 0 1.75rem 0 5.5rem; }
.ladder { display: block; overflow: visible; font-family: inherit; font-size: 12px; }
.ladder text { paint-order: stroke; stroke: var(--soft); stroke-width: 3px; fill: var(--muted); font-variant-numeric: tabular-nums; }
.ladder .label { fill: var(--text); font-weight: 600; }
.ladder .lane { font-weight: 600; }
.ladder .frame { font-size: 11px; }
.ladder .rail { stroke: var(--muted); stroke-opacity: .45; }
.ladder .rail.capture { stroke-dasharray: 3 4; }
.ladder .arrow { stroke: var(--text); stroke-width: 1.5; }
.ladder .fill { fill: var(--text); }
.ladder .cross { stroke: var(--bad); stroke-width: 2.25; fill: none; stroke-linecap: round; }
.ladder .lost, .ladder .remark { fill: var(--bad); }
.ladder .remark { font-size: 11px; }
.ladder .bad .arrow { stroke: var(--bad); }
.ladder .bad .fill, .ladder .bad .label { fill: var(--bad); }
.ladder .good .arrow { stroke: var(--good); }
.ladder .good .fill, .ladder .good .label { fill: var(--good); }
figcaption { margin-top: .5rem; font-size: .8125rem; color: var(--muted); overflow-wrap: anywhere; }
figcaption p { margin: .15rem 0; }
ul.evidence, ul.plain { list-style: none; margin: 0; padding: 0; }
.evidence li { display: flex; flex-wrap: wrap; gap: 0 1.5rem; justify-content: space-between; padding: .4rem 0 .4rem 1.25rem; position: relative; border-top: 1px solid var(--line); }
.evidence li:first-child { border-top: 0; }
.evidence li::before { content: ""; position: absolute; left: 0; top: .95rem; width: .5rem; height: .5rem; border-radius: 50%; border: 1.5px solid var(--muted); }
.evidence li.heavy::before { background: var(--bad); border-color: var(--bad); }
.evidence li.against::before { border-color: var(--warn); background: none; }
.evidence .source { color: var(--muted); font-family: var(--mono); font-size: .8125rem; margin-left: auto; text-align: right; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .35rem 1.25rem; margin: 0; }
.facts dt { font-weight: 500; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.verdict { margin-top: 1.25rem; }
.steps { margin: 0; padding-left: 1.25rem; }
.steps li { padding: .15rem 0; }
pre { margin: .35rem 0 .6rem; padding: .6rem .85rem; background: var(--soft); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
.tools { display: flex; align-items: center; gap: .75rem; font-size: .875rem; margin: 0 0 .5rem; }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--muted); border-radius: 6px; padding: .3rem .6rem; width: min(18rem, 50vw); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--muted); font-weight: 600; white-space: nowrap; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th button::after { content: "↕"; opacity: .5; margin-left: .35rem; }
th[aria-sort=ascending] button::after { content: "↑"; opacity: 1; }
th[aria-sort=descending] button::after { content: "↓"; opacity: 1; }
td.mono { overflow-wrap: anywhere; min-width: 11.25rem; }
td:last-child { min-width: 17rem; }
td.short { white-space: nowrap; }
td.bad { color: var(--bad); }
td.good { color: var(--good); }
tr[hidden] { display: none; }
footer { margin-top: 3rem; font-size: .875rem; color: var(--muted); }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  main { padding: 1.25rem .875rem 3rem; }
  h1 { font-size: 1.3rem; }
  .card, details.card > summary { padding: 1rem; }
  details.card > summary { padding-left: 2.25rem; }
  details.card > summary::before { left: .95rem; top: 1.4rem; }
  details.card > div { padding: 0 1rem 1rem; }
  figure { margin-left: -.5rem; margin-right: -.5rem; padding: .75rem .5rem; }
  .ends { flex-direction: column; }
  .drawing { padding: 0 1.25rem 0 5rem; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dt { font-weight: 600; }
  .facts dd { margin-bottom: .5rem; }
  .scroll { border: 0; background: none; overflow: visible; }
  .attempts, .attempts tbody, .attempts tr, .attempts td { display: block; }
  .attempts thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .attempts tr { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .6rem .875rem; margin-bottom: .6rem; }
  .attempts td { border: 0; padding: .1rem 0 .1rem 4.75rem; position: relative; min-width: 0; white-space: normal; }
  .attempts td::before { content: attr(data-name); position: absolute; left: 0; color: var(--muted); font: .8125rem/1.6 system-ui, sans-serif; }
}
@media print {
  :root { --page: #fff; --card: #fff; --soft: #fff; --text: #000; --muted: #444; --line: #bbb; --bad: #9b1c14; --good: #17663a; --warn: #7d5200; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  figure, tr, li { break-inside: avoid; }
  figure { border: 1px solid var(--line); }
  h2, h3 { break-after: avoid; }
  details.card::details-content { content-visibility: visible; block-size: auto; }
  details.card > summary::before { display: none; }
  .tools { display: none; }
  th button::after { content: none; }
}
`;

/** SHA-256 of {@link STYLE} for the page's content security policy; a test holds it to the text. */
export const STYLE_HASH: string = 'sha256-9cak2cgVqBgyY2WnZB2Y9GYqdbWm+1NS7UNwjuaFMq0=';
