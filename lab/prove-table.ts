import type { ProveOutcome } from './prove-outcome.ts';

/** Totals and one row for each scenario, as Markdown. */
export function proveTable(all: readonly ProveOutcome[]): string {
  const ran = all.filter(({ error, skipped }) => error === undefined && skipped === undefined);
  const server = ran.filter(({ kind }) => kind === 'server');
  const innocent = ran.filter(({ kind }) => kind === 'innocent');
  const beyond = ran.filter(({ kind }) => kind === 'beyond');
  const share = (ones: readonly ProveOutcome[], is: (one: ProveOutcome) => boolean): string =>
    `${ones.filter(is).length} of ${ones.length}`;
  const times = ran.map(({ elapsedMs }) => elapsedMs).sort((a, b) => a - b);
  return [
    `${ran.length} runs, ${all.filter(({ skipped }) => skipped !== undefined).length} skipped, ${all.filter(({ error }) => error !== undefined).length} went wrong.`,
    '',
    '| | |',
    '| --- | --- |',
    `| faults of the server that a namespace can hold: drop reproduced | ${share(server, ({ isReproduced }) => isReproduced)} |`,
    `| what was broken is what is proven | ${share(server, ({ outcome, isInjected }) => outcome === 'proven' && isInjected)} |`,
    `| and the cause of the catalogue is right | ${share(server, ({ outcome, isCauseRight }) => outcome === 'proven' && isCauseRight)} |`,
    `| faults that no copy has: nothing blamed on it | ${share(beyond, ({ outcome }) => outcome !== 'proven')} |`,
    `| hosts that are not guilty: acquitted | ${share(innocent, ({ outcome }) => outcome === 'acquitted')} |`,
    `| elements blamed wrongly | ${ran.filter(({ isWrong }) => isWrong).length} |`,
    `| median time of a proof, copies included | ${Math.round(times[times.length >> 1] ?? 0)} ms |`,
    '',
    '| scenario | outcome | proven |',
    '| --- | --- | --- |',
    ...all.map(row),
    '',
  ].join('\n');
}

function row({ scenario, variant, family, outcome, guilty, error, skipped, isWrong }: ProveOutcome): string {
  const name = `${scenario}${variant === undefined ? '' : ` (${variant})`} IPv${family}`;
  if (error !== undefined || skipped !== undefined)
    return `| ${name} | ${skipped === undefined ? 'error' : 'skipped'} | |`;
  const what = guilty
    .map(({ kind, element, change }) => `${kind} \`${element.replaceAll('|', '\\|')}\` ${change}`)
    .join(' and ');
  return `| ${name} | ${outcome}${isWrong ? ', **wrong**' : ''} | ${what} |`;
}
