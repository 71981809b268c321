import type { Chance, RuleWorld } from './random-rules.ts';

const HOOKS: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'OUTPUT'],
};

/** Makes a rule set for iptables-restore: IPv4, one to three tables. */
export function randomIptables(chance: Chance, world: RuleWorld): string {
  if (chance.often(0.5)) return focusedTables(chance, world);
  const tables = chance
    .some(['filter', 'filter', 'mangle', 'raw'], 3)
    .map((table) => randomTable(chance, world, table));
  if (chance.often(0.2)) tables.push(randomNat(chance, world));
  return tables.join('');
}

/** One rule that drops by one or two matches, and little else: what these matches say decides. */
function focusedTables(chance: Chance, world: RuleWorld): string {
  const table = chance.pick(['filter', 'filter', 'mangle', 'raw']);
  const hook = chance.pick(HOOKS[table]!);
  const draft: Draft = { table, chain: hook, targets: [], hook };
  const tables = [
    `*${table}\n:${hook} ACCEPT [0:0]\n-A ${hook} -p tcp ${matchesOf(chance, world, draft, 2)} -j DROP\nCOMMIT\n`,
  ];
  if (table !== 'raw' && chance.often(0.3)) {
    const from = chance.pick(['PREROUTING', 'OUTPUT']);
    tables.push(`*raw\n:${from} ACCEPT [0:0]\n-A ${from} -p tcp -j CT --notrack\nCOMMIT\n`);
  }
  if (table === 'filter' && chance.often(0.3)) {
    const from = chance.pick(['PREROUTING', 'OUTPUT']);
    const rule = chance.pick(['MARK --set-xmark 0x1/0xffffffff', 'CONNMARK --set-xmark 0x1/0xffffffff']);
    tables.push(`*mangle\n:${from} ACCEPT [0:0]\n-A ${from} -p tcp -j ${rule}\nCOMMIT\n`);
  }
  if (chance.often(0.3)) tables.push(randomNat(chance, world));
  return tables.join('');
}

function matchesOf(chance: Chance, world: RuleWorld, draft: Draft, count: number): string {
  return Array.from({ length: count }, () => randomMatch(chance, world, draft))
    .filter((match, index, all) => all.findIndex((other) => kindOf(other) === kindOf(match)) === index)
    .join(' ');
}

function randomTable(chance: Chance, world: RuleWorld, table: string): string {
  const bases = HOOKS[table]!;
  const chains = ['C1', 'C2', 'C3'];
  const lines = bases.map((chain) => `:${chain} ${chance.often(0.15) ? 'DROP' : 'ACCEPT'} [0:0]`);
  lines.push(...chains.map((chain) => `:${chain} - [0:0]`));
  for (const [index, chain] of chains.entries()) {
    // Rules of such a chain must suit every hook from which they are reached.
    lines.push(...rules(chance, world, { table, chain, targets: chains.slice(index + 1), hook: '' }, 3));
  }
  for (const chain of bases) lines.push(...rules(chance, world, { table, chain, targets: chains, hook: chain }, 6));
  return `*${table}\n${lines.join('\n')}\nCOMMIT\n`;
}

function randomNat(chance: Chance, { port, otherPort, server }: RuleWorld): string {
  const to = chance.pick([port, otherPort, 9999]);
  const rule = chance.pick([
    `-p tcp -m tcp --dport ${otherPort} -j REDIRECT --to-ports ${to}`,
    `-p tcp -m tcp --dport ${port} -j REDIRECT --to-ports ${to}`,
    `-p tcp -m multiport --dports 22,${otherPort} -j DNAT --to-destination ${server[4]}:${to}`,
  ]);
  const hook = chance.pick(['PREROUTING', 'OUTPUT']);
  return `*nat\n:${hook} ACCEPT [0:0]\n-A ${hook} ${rule}\nCOMMIT\n`;
}

interface Draft {
  readonly table: string;
  readonly chain: string;
  readonly targets: readonly string[];
  /** Empty in a chain of users. */
  readonly hook: string;
}

function rules(chance: Chance, world: RuleWorld, draft: Draft, most: number): string[] {
  return Array.from({ length: chance.below(most + 1) }, () => {
    const matches = matchesOf(chance, world, draft, chance.below(3));
    return `-A ${draft.chain} -p tcp ${matches} ${randomTarget(chance, draft)}`;
  });
}

function randomTarget(chance: Chance, { table, targets }: Draft): string {
  const all = ['-j ACCEPT', '-j ACCEPT', '-j DROP', '-j DROP', '-j RETURN', ''];
  if (targets.length > 0)
    all.push(`-j ${chance.pick(targets)}`, `-j ${chance.pick(targets)}`, `-g ${chance.pick(targets)}`);
  if (table === 'filter') {
    all.push('-j REJECT --reject-with icmp-port-unreachable', '-j REJECT --reject-with tcp-reset');
  }
  if (table === 'mangle') all.push('-j MARK --set-xmark 0x1/0xffffffff', '-j MARK --set-xmark 0x2/0x2');
  if (table === 'raw') all.push('-j CT --notrack', '-j CT --notrack');
  return chance.pick(all);
}

/** `-s`, `-m tcp`: what may not stand twice in a rule. */
function kindOf(match: string): string {
  return /(-[sdio]|-m \S+) /.exec(`${match} `)?.[1] ?? match;
}

/** One match of a kind; a rule takes each kind once at most. */
function randomMatch(chance: Chance, { client, server, port, otherPort }: RuleWorld, { table, hook }: Draft): string {
  const not = chance.often(0.3) ? '! ' : '';
  const ports = chance.pick([String(port), String(otherPort), '22', '8000:9000', '1024:65535']);
  const inward = hook === 'PREROUTING' || hook === 'INPUT';
  const outward = hook === 'OUTPUT' || hook === 'POSTROUTING';
  const kinds = [
    `-m tcp ${not}--dport ${ports}`,
    `-m multiport ${not}--dports ${chance.pick(['22', String(port)])},80:90`,
    `-m multiport ${not}--ports ${chance.pick(['22', String(port), String(otherPort)])}`,
    `-m tcp ${not}--tcp-flags ${chance.pick(['FIN,SYN,RST,ACK SYN', 'SYN,ACK SYN,ACK', 'SYN SYN', 'ALL SYN', 'ALL NONE'])}`,
    `-m iprange ${not}--src-range ${chance.pick([`${client[4]}-10.77.0.9`, '192.0.2.1-192.0.2.9'])}`,
    `-m mark ${not}--mark ${chance.pick(['0x0', '0x1', '0x1/0x1', '0x0/0x2'])}`,
    `-m addrtype ${not}--dst-type ${chance.pick(['LOCAL', 'UNICAST', 'BROADCAST,MULTICAST'])}`,
    `-m addrtype ${not}--src-type ${chance.pick(['LOCAL', 'UNICAST'])}`,
    `-m ttl ${chance.pick(['--ttl-eq 64', '--ttl-lt 10', '--ttl-gt 10'])}`,
    '-m comment --comment "a \\"quoted\\" word -j DROP"',
    `-m tcpmss ${not}--mss ${chance.pick(['1:500', '1460', '536:9000'])}`,
    '-m limit --limit 1000/sec',
    `-m statistic --mode nth --every 2 --packet 0`,
    ...(table === 'raw'
      ? []
      : [
          `-m conntrack ${not}--ctstate ${chance.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID', 'UNTRACKED', 'NEW,UNTRACKED', 'DNAT'])}`,
          `-m state ${not}--state ${chance.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID'])}`,
          `-m conntrack --ctdir ${chance.pick(['ORIGINAL', 'REPLY'])}`,
          `-m connmark ${not}--mark ${chance.pick(['0x0', '0x1'])}`,
        ]),
    ...(inward
      ? [`${not}-i ${chance.pick(['eth0', 'eth+', 'lo', 'docker0'])}`, `-m pkttype ${not}--pkt-type unicast`]
      : []),
    ...(outward
      ? [
          `${not}-o ${chance.pick(['eth0', 'eth+', 'lo'])}`,
          `-m owner ${not}--uid-owner ${chance.pick(['0', '1000', '0-10'])}`,
        ]
      : []),
    `${not}-s ${chance.pick([client[4], '10.0.0.0/8', '192.0.2.0/24', server[4]])}`,
    `${not}-d ${chance.pick([client[4], '10.0.0.0/8', '192.0.2.0/24', server[4]])}`,
  ];
  return chance.pick(kinds);
}
