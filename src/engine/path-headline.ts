import type { Comparison } from '../handshake/compare/comparison.ts';
import type { CaptureReport, Group } from '../model/diagnosis.ts';
import { formatHost } from '../model/flow.ts';
import { formatCount, formatList, formatQuantity } from '../model/text.ts';
import { fateOf } from './path-groups.ts';

/** The verdict over all captures in one sentence: where most of the failures died, and how many others there are. */
export function pathHeadline(
  { columns, matches }: Comparison,
  { handshakes, failed, late }: CaptureReport['summary'],
  groups: readonly Group[],
): string {
  const names = formatList(columns.map(({ capture }) => capture.name));
  if (handshakes === 0) return `${names} hold no TCP handshake to compare.`;
  const first = groups.find(({ location }) => location !== 'late');
  if (failed === 0 && first !== undefined)
    return `No attempt had failed for good when the captures ended. ${first.sentence}`;
  if (first === undefined) {
    const worked = `No failed attempt among the ${formatCount(handshakes)} that ${names} show`;
    return late === 0 ? `${worked}.` : `${worked}; ${formatCount(late)} worked late because packets were lost.`;
  }
  if (failed === 1 || first.count === failed) return first.sentence;
  const location = first.location as Parameters<typeof fateOf>[0];
  const here = groups.filter((group) => group.location === location);
  const count = here.reduce((sum, group) => sum + group.count, 0);
  const servers = new Set(here.map(({ server }) => `${formatHost(server.address)}:${server.port}`));
  const to = servers.size === 1 ? [...servers][0]! : formatQuantity(servers.size, 'server');
  const fate = fateOf(location, first.examples[0]?.path?.between);
  const matched = matches.reduce((sum, match) => sum + match.matched, 0);
  const apart = matched === 0 ? ` ${names} have no attempt in common.` : '';
  if (count === failed) return `All ${formatCount(failed)} failed attempts to ${to} ${fate}.${apart}`;
  const rest = failed - count;
  return `${formatCount(count)} of ${formatCount(failed)} failed attempts ${fate} (${to}); ${formatCount(rest)} ${rest === 1 ? 'other died' : 'others died'} elsewhere.${apart}`;
}
