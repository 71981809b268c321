import type { Host, HostError } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { changeCommands } from '../../model/change-commands.ts';
import type { RepairStep } from '../../model/repair.ts';
import { cannot, defineKind, type Kind, mustRun } from './kind.ts';

type NftChange = Extract<Change, { kind: 'nft-rule' }>;

/** Deletes the rules of a chain that bear a mark; the handle of a rule is known only after it was made. */
const DELETE_MARKED = [
  'nft -a list chain "$1" "$2" "$3" 2>/dev/null |',
  '  sed -n "s/.*comment \\"$4\\".* # handle \\([0-9][0-9]*\\)$/\\1/p" |',
  '  while read -r handle; do nft delete rule "$1" "$2" "$3" handle "$handle" || exit 1; done',
].join('\n');

/** Deletes the first rule of a chain that reads so, whatever it has counted: it has another handle after it was brought back. */
const DELETE_READING = [
  'handle=$(nft -a list chain "$1" "$2" "$3" | WANTED=$4 awk \'match($0, / # handle [0-9]+$/) {',
  '  number = substr($0, RSTART + 10); text = substr($0, 1, RSTART - 1); sub(/^[ \\t]+/, "", text)',
  '  gsub(/packets [0-9]+ bytes [0-9]+/, "packets N bytes N", text)',
  '  if (text == ENVIRON["WANTED"]) { print number; exit }',
  "}')",
  '[ -n "$handle" ] && nft delete rule "$1" "$2" "$3" handle "$handle"',
].join('\n');

/** A rule of nftables. */
export const nftRule: Kind = defineKind<'nft-rule'>({
  kind: 'nft-rule',
  async prepare(host, change, { id }) {
    const rules = await listChain(host, change);
    return change.action === 'insert' ? prepareInsert(change, rules, `synscope-${id}`) : prepareDelete(change, rules);
  },
  read: async (host, change) => stateOf(await listChain(host, change)),
});

interface ListedRule {
  readonly handle: number;
  readonly text: string;
}

function prepareInsert(change: NftChange, rules: readonly ListedRule[], mark: string): RepairStep {
  const { family, table, chain, handle, rule = [] } = change;
  const before = handle === undefined ? undefined : rules.find((one) => one.handle === handle);
  if (handle !== undefined && before === undefined) {
    throw gone(change);
  }
  const marked: NftChange = { ...change, rule: [...rule, 'comment', mark] };
  const [command = []] = changeCommands(marked);
  return {
    change: marked,
    text: `insert "${rule.join(' ')}" into ${family} ${table} ${chain}${before === undefined ? '' : `, before "${before.text}"`}`,
    do: command,
    undo: [['sh', '-c', DELETE_MARKED, 'sh', family, table, chain, mark]],
    undoText: `deleting the rule with the comment "${mark}" from ${family} ${table} ${chain}`,
    before: stateOf(rules),
    dangers: ['A firewall manager (firewalld, ufw, Docker) that loads its rules again removes it'],
    policy: `it lets through what ${before === undefined ? `the policy of ${family} ${table} ${chain}` : `"${before.text}"`} refuses`,
  };
}

function prepareDelete(change: NftChange, rules: readonly ListedRule[]): RepairStep {
  const { family, table, chain, handle } = change;
  const at = rules.findIndex((one) => one.handle === handle);
  const found = rules[at];
  if (found === undefined) throw gone(change);
  const [command = []] = changeCommands(change);
  const following = rules[at + 1];
  const where =
    following === undefined
      ? `add rule ${family} ${table} ${chain}`
      : `insert rule ${family} ${table} ${chain} position ${following.handle}`;
  return {
    change,
    text: `delete the rule "${found.text}" from ${family} ${table} ${chain}`,
    do: command,
    undo: [['nft', `${where} ${found.text}`]],
    redo: ['sh', '-c', DELETE_READING, 'sh', family, table, chain, stateOf([found])],
    before: stateOf(rules),
    dangers: ['Everything that only this rule kept out comes in', 'Undoing it gives the rule a new handle'],
    policy: `it takes away "${found.text}", for all traffic`,
  };
}

/** The rule may have been made anew, with another handle: only a new diagnosis can tell. */
function gone({ family, table, chain, handle }: NftChange): HostError {
  return cannot(
    `the rule with handle ${handle} is not in ${family} ${table} ${chain} any more`,
    'make the diagnosis anew',
  );
}

/** The rules of a chain in their order. @throws HostError */
async function listChain(host: Host, { family, table, chain }: NftChange): Promise<ListedRule[]> {
  const printed = await mustRun(host, ['nft', '-a', 'list', 'chain', family, table, chain]);
  return joinSets(printed.split('\n')).flatMap((line) => {
    const [, text, handle] = /^\s*(.*?)\s*# handle (\d+)$/.exec(line) ?? [];
    return text === undefined || handle === undefined || /^(table|chain) /.test(text)
      ? []
      : [{ handle: Number(handle), text }];
  });
}

/** nft breaks long anonymous sets into several lines. */
function joinSets(lines: readonly string[]): string[] {
  const joined: string[] = [];
  let open = '';
  for (const line of lines) {
    const text = open === '' ? line : `${open} ${line.trim()}`;
    const isChain = /^\s*(table|chain) .*\{/.test(text);
    const depth = isChain ? 0 : text.split('{').length - text.split('}').length;
    if (depth > 0) open = text;
    else {
      joined.push(text);
      open = '';
    }
  }
  return joined;
}

/** Counters grow, and handles are given anew: neither belongs to the state. */
function stateOf(rules: readonly ListedRule[]): string {
  return rules.map(({ text }) => text.replace(/packets \d+ bytes \d+/g, 'packets N bytes N')).join('\n');
}
