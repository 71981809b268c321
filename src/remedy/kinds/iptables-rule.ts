import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { changeCommands } from '../../model/change-commands.ts';
import type { RepairStep } from '../../model/repair.ts';
import { quoteCommand } from '../../model/shell-quote.ts';
import { cannot, defineKind, type Kind, mustRun } from './kind.ts';

type IptablesChange = Extract<Change, { kind: 'iptables-rule' }>;

const TOOLS: RegExp = /^ip6?tables(-legacy|-nft)?$/;

/** A rule of iptables or ip6tables. */
export const iptablesRule: Kind = defineKind<'iptables-rule'>({
  kind: 'iptables-rule',
  async prepare(host, change) {
    const rules = await listRules(host, change);
    return change.action === 'insert' ? prepareInsert(change, rules) : prepareDelete(change, rules);
  },
  read: async (host, change) => (await listRules(host, change)).map(withoutCounters).join('\n'),
});

function prepareInsert(change: IptablesChange, rules: readonly string[]): RepairStep {
  const { tool, table, chain, rule = [], number } = change;
  const before = number === undefined ? undefined : rules[number - 1];
  if (number !== undefined && before === undefined) {
    throw cannot(`${chain} of ${tool} has no rule number ${number} any more`, 'make the diagnosis anew');
  }
  const [command = []] = changeCommands(change);
  return {
    change,
    text: `insert "${rule.join(' ')}" into ${chain} of ${tool}${before === undefined ? '' : `, before "${withoutCounters(before)}"`}`,
    do: command,
    // The first rule that reads so is this one: it stands before all others that read the same.
    undo: [[tool, '-t', table, '-D', chain, ...rule]],
    before: rules.map(withoutCounters).join('\n'),
    dangers: ['A firewall manager (firewalld, ufw, Docker) that loads its rules again removes it'],
    policy: `it lets through what ${before === undefined ? `the policy of ${chain}` : `"${withoutCounters(before)}"`} refuses`,
  };
}

function prepareDelete(change: IptablesChange, rules: readonly string[]): RepairStep {
  const { tool, table, chain, number, rule } = change;
  if (number === undefined)
    throw cannot(`which rule of ${chain} "${(rule ?? []).join(' ')}" is cannot be told without its number`);
  const found = rules[number - 1];
  const [command = []] = changeCommands(change);
  const words = found === undefined ? [] : splitWords(found);
  return {
    change,
    text: `delete rule ${number}${found === undefined ? '' : `, "${withoutCounters(found)}",`} from ${chain} of ${tool}`,
    do: command,
    undo: found === undefined ? [] : [[tool, '-t', table, '-I', chain, String(number), ...words]],
    before: rules.map(withoutCounters).join('\n'),
    dangers: ['Everything that only this rule kept out comes in'],
    ...(found === undefined ? { alreadySo: true as const } : {}),
    policy: `it takes away "${found === undefined ? `rule ${number}` : withoutCounters(found)}", for all traffic`,
  };
}

/** The rules of a chain, without `-A CHAIN`, with their counters as `-c PACKETS BYTES`. @throws HostError */
async function listRules(host: Host, { tool, table, chain }: IptablesChange): Promise<string[]> {
  if (!TOOLS.test(tool)) throw cannot(`${quoteCommand([tool])} is no tool for packet filters that synscope knows`);
  const printed = await mustRun(host, [tool, '-t', table, '-S', chain, '-v']);
  return printed.split('\n').flatMap((line) => (line.startsWith(`-A ${chain} `) ? [line.slice(chain.length + 4)] : []));
}

function withoutCounters(rule: string): string {
  return rule.replace(/ ?-c \d+ \d+/, '');
}

/** Splits a line of `iptables -S` as iptables-restore does: double quotes hold words together, a backslash takes the next character as it is. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1'),
  );
}
