import type { Group } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatCount, formatQuantity } from '../model/text.ts';
import { formatOutcome } from './format.ts';
import type { Span, Theme } from './style.ts';
import { section } from './terminal-section.ts';
import { displayWidth, shortenMiddle } from './width.ts';
import { wrapHanging } from './wrap.ts';

const MAX_GROUPS = 12;

/** From this width on, a group is one row; below, its sentence stands under it. */
const WIDE = 110;

/** Renders the groups after the first as rows. */
export function renderGroupRows(groups: readonly Group[], theme: Theme, columns: number): Span[][] {
  const shown = groups.slice(0, MAX_GROUPS);
  const countWidth = Math.max(0, ...shown.map((group) => countText(group, theme).length));
  const kindWidth = Math.max(0, ...shown.map((group) => kindText(group).length));
  const serverLimit = columns >= WIDE ? 28 : columns - countWidth - kindWidth - 6;
  const servers = shown.map((group) =>
    theme.span(shortenMiddle(serverText(group), serverLimit, theme.glyphs.ellipsis), 'strong'),
  );
  const serverWidth = Math.max(0, ...servers.map(({ text }) => displayWidth(text)));
  const lines = shown.flatMap((group, index) => {
    const server = servers[index] ?? theme.span('');
    const count = theme.span(`  ${countText(group, theme).padStart(countWidth)}  `);
    const kind = theme.span(`${kindText(group).padEnd(kindWidth)}  `, 'bad');
    const sentence = [theme.span(group.sentence), ...exampleText(group, theme)];
    if (columns >= WIDE) {
      const padding = theme.span(' '.repeat(serverWidth - displayWidth(server.text) + 2));
      return wrapHanging([count, kind, server, padding], sentence, columns);
    }
    return [[count, kind, server], ...wrapHanging([theme.span(' '.repeat(countWidth + 4))], sentence, columns)];
  });
  const more = groups.length - shown.length;
  if (more > 0)
    lines.push([theme.span(`  ${theme.glyphs.ellipsis} ${formatQuantity(more, 'more group')}, with -v`, 'dim')]);
  return section('Also failed', lines, theme);
}

function countText({ count }: Group, theme: Theme): string {
  return `${formatCount(count)}${theme.glyphs.times}`;
}

function kindText({ kind, outcome }: Group): string {
  if (kind === 'alike') return formatOutcome(outcome);
  return kind === 'syn-flood' ? 'SYN flood' : 'port scan';
}

function serverText({ server: { address, port } }: Group): string {
  return port === undefined ? address : formatEndpoint({ address, port });
}

function exampleText({ examples: [example] }: Group, theme: Theme): Span[] {
  return example === undefined ? [] : [theme.span(` e.g.\u00a0${formatEndpoint(example.handshake.client)}`, 'dim')];
}
