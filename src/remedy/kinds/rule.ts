import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { changeCommands } from '../../model/change-commands.ts';
import type { RepairStep } from '../../model/repair.ts';
import { cannot, defineKind, type Kind, mustRun } from './kind.ts';

type RuleChange = Extract<Change, { kind: 'rule' }>;

/** One rule of policy routing (ip-rule(8)). */
export const rule: Kind = defineKind<'rule'>({
  kind: 'rule',
  async prepare(host, change) {
    const rules = await listRules(host, change.family);
    return change.action === 'add' ? prepareAdd(change, rules) : prepareDelete(change, rules);
  },
  read: async (host, change) => stateAt(await listRules(host, change.family), change.priority ?? -1),
});

interface ListedRule {
  readonly priority: number;
  /** As ip prints it, without the priority. */
  readonly text: string;
}

function prepareAdd(change: RuleChange, rules: readonly ListedRule[]): RepairStep {
  const priority = change.priority ?? freePriority(rules);
  const placed: RuleChange = { ...change, priority };
  const [command = []] = changeCommands(placed);
  const [back = []] = changeCommands({ ...placed, action: 'delete' });
  const words = ruleArguments(change.selector.join(' ')).join(' ');
  const same = rules.some((one) => one.priority === priority && ruleArguments(one.text).join(' ') === words);
  return {
    change: placed,
    text: `add the rule ${priority}: ${change.selector.join(' ')}`,
    do: command,
    undo: [back],
    before: stateAt(rules, priority),
    dangers: ['Every packet that the rule matches is routed by its table from then on'],
    ...(same ? { alreadySo: true as const } : {}),
  };
}

function prepareDelete(change: RuleChange, rules: readonly ListedRule[]): RepairStep {
  const { family, priority } = change;
  if (priority === undefined) throw cannot('a rule without its priority cannot be told from others');
  const there = rules.filter((one) => one.priority === priority);
  if (there.length > 1) {
    throw cannot(`${there.length} rules have the priority ${priority}: it cannot be told which of them is meant`);
  }
  const [found] = there;
  const [command = []] = changeCommands(change);
  const again =
    found === undefined
      ? []
      : [
          [
            'ip',
            ...(family === 6 ? ['-6'] : []),
            'rule',
            'add',
            'pref',
            String(priority),
            ...ruleArguments(found.text),
          ],
        ];
  const refuses = /\b(unreachable|prohibit|blackhole)\b/.exec(found?.text ?? '')?.[1];
  return {
    change,
    text: `delete the rule ${priority}: ${found?.text ?? '(none)'}`,
    do: command,
    undo: again,
    before: stateAt(rules, priority),
    dangers: ['Packets that the rule matched are routed by the rules behind it from then on'],
    ...(found === undefined ? { alreadySo: true as const } : {}),
    policy:
      refuses === undefined
        ? 'it takes away how somebody wanted packets to be routed'
        : `it lets out what a rule of type ${refuses} refuses`,
  };
}

/** The rules of a family. @throws HostError */
async function listRules(host: Host, family: 4 | 6): Promise<ListedRule[]> {
  const printed = await mustRun(host, ['ip', ...(family === 6 ? ['-6'] : []), 'rule', 'show']);
  return printed.split('\n').flatMap((line) => {
    const [, priority, text] = /^(\d+):\s+(.*?)\s*$/.exec(line) ?? [];
    return priority === undefined || text === undefined ? [] : [{ priority: Number(priority), text }];
  });
}

function stateAt(rules: readonly ListedRule[], priority: number): string {
  return rules
    .filter((one) => one.priority === priority)
    .map(({ text }) => ruleArguments(text).join(' '))
    .sort()
    .join('\n');
}

/** The words of a rule as `ip rule add` takes them. */
function ruleArguments(text: string): string[] {
  const words = text
    .replace('lookup [l3mdev-table]', 'l3mdev')
    .split(/\s+/)
    // An interface that is not there at the moment is taken all the same.
    .filter((word) => word !== '' && !/^\[.*\]$/.test(word));
  // `from all` is what is meant when nothing is said.
  return words[0] === 'from' && words[1] === 'all' && words.length > 2 ? words.slice(2) : words;
}

/** As the kernel chooses: in front of the first one behind the local table. */
function freePriority(rules: readonly ListedRule[]): number {
  const first =
    rules
      .map(({ priority }) => priority)
      .filter((priority) => priority > 0)
      .sort((a, b) => a - b)[0] ?? 32_766;
  return first > 1 ? first - 1 : 32_765;
}
