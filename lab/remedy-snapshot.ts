import type { Host } from '../src/host/host.ts';
import type { RepairStep } from '../src/model/repair.ts';
import type { LabNode } from '../src/model/scenario.ts';
import { quoteCommand } from '../src/model/shell-quote.ts';
import { kindOf } from '../src/remedy/kinds/index.ts';
import type { Lab } from './lab.ts';

/** What a repair could change in a namespace, each command with what of its output is momentary. */
const LISTINGS: readonly (readonly [argv: readonly string[], momentary: RegExp | undefined])[] = [
  [['ip', '-o', '-d', 'route', 'show', 'table', 'all'], / (?:linkdown|dead)\b/g],
  [['ip', '-o', '-6', '-d', 'route', 'show', 'table', 'all'], / (?:expires \d+sec|linkdown|dead)\b/g],
  [['ip', 'rule'], undefined],
  [['ip', '-6', 'rule'], undefined],
  [['ip', '-o', 'addr'], /(?:valid|preferred)_lft \S+/g],
  [['ip', 'neigh', 'show', 'nud', 'permanent'], undefined],
  [['ip', '-o', 'link'], /state \S+|,LOWER_UP|qlen \d+/g],
  [['nft', '-s', 'list', 'ruleset'], undefined],
  [['iptables-save'], /^[#:].*$|\[\d+:\d+\]/gm],
  [['ip6tables-save'], /^[#:].*$|\[\d+:\d+\]/gm],
  [
    ['sysctl', '-a', '--pattern', '^net\\.(core|ipv4|ipv6|netfilter)\\.'],
    /^.*(?:conntrack_count|route\/flush|neigh.*base_reachable|stable_secret|random|tcp_fastopen_key|dirty).*$/gm,
  ],
];

const MARK = '=== end of listing ===\n';
/** One shell for all: a state is taken before and after each kill. */
const ALL_LISTINGS: string = LISTINGS.map(([argv]) => `${quoteCommand(argv)} 2>/dev/null; printf '%s' '${MARK}'`).join(
  '\n',
);

/** The state of a namespace as far as repairs change it; two are equal when nothing is left of one. */
export async function snapshot(lab: Lab, node: LabNode): Promise<string> {
  const { stdout } = await lab.run(node, ['sh', '-c', ALL_LISTINGS]);
  const texts = stdout.split(MARK);
  return LISTINGS.map(([argv, momentary], index) => {
    const text = texts[index] ?? '';
    const lines = (momentary === undefined ? text : text.replace(momentary, ''))
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .sort();
    return `# ${argv.join(' ')}\n${lines.join('\n')}`;
  }).join('\n');
}

/** The state of what the steps are about, for what no namespace shows: limits of processes, whether they are stopped. */
export async function stepStates(host: Host, steps: readonly RepairStep[]): Promise<string> {
  const states = [];
  for (const { change } of steps) states.push(await kindOf(change).read(host, change));
  return states.join('\n');
}

/** The first lines in which two states differ, for a message. */
export function difference(before: string, after: string): string {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const gone = old.filter((line) => !now.includes(line)).slice(0, 2);
  const come = now.filter((line) => !old.includes(line)).slice(0, 2);
  return [...gone.map((line) => `- ${line}`), ...come.map((line) => `+ ${line}`)].join(' ');
}
