import type { Chance, RuleWorld } from './random-rules.ts';

type Family = 'ip' | 'ip6' | 'inet' | 'netdev';

/** A table that is being made. */
interface Draft {
  readonly chance: Chance;
  readonly world: RuleWorld;
  readonly family: Family;
  /** Hooks from which its rules are reached. */
  readonly hooks: readonly string[];
  /** Chains that rules may jump to. */
  readonly targets: readonly string[];
  readonly raw: boolean;
}

/** Makes a rule set of one to three tables that nft takes. */
export function randomNft(chance: Chance, world: RuleWorld): string {
  const hooks = ['prerouting', 'input', 'input', 'output', 'postrouting'];
  if (chance.often(0.5)) return focusedTables(chance, world, hooks);
  return Array.from({ length: 1 + chance.below(3) }, (_, index) => randomTable(chance, world, `t${index}`, hooks)).join(
    '\n',
  );
}

/** Makes a rule set for a host that sends the SYN on; translation of the destination comes on top. */
export function randomNftForward(chance: Chance, world: RuleWorld): string {
  const hooks = ['prerouting', 'forward', 'forward', 'postrouting', 'input', 'output'];
  if (chance.often(0.5)) return focusedTables(chance, world, hooks, false);
  return Array.from({ length: 1 + chance.below(2) }, (_, index) =>
    randomTable(chance, world, `t${index}`, hooks, false),
  ).join('\n');
}

/** One rule that drops by one or two matches, and little else: what these matches say decides. */
function focusedTables(chance: Chance, world: RuleWorld, hookPool: readonly string[], mayTranslate = true): string {
  const family = chance.pick<Family>(['inet', 'inet', 'inet', 'ip', 'ip6', 'netdev']);
  const hook = family === 'netdev' ? 'ingress' : chance.pick(hookPool);
  const priority = family === 'netdev' ? 0 : randomPriority(chance, hook);
  const draft: Draft = { chance, world, family, hooks: [hook], targets: [], raw: false };
  const matches = Array.from({ length: 1 + chance.below(2) }, () => randomMatch(draft)).join(' ');
  const device = family === 'netdev' ? ' device eth0' : '';
  const nat = mayTranslate && chance.often(0.3) ? randomNat(chance, world, 'inet') : '';
  const before = [
    ...(chance.often(0.3)
      ? [
          '  chain raw {',
          `    type filter hook ${chance.pick(['prerouting', 'output'])} priority -300;`,
          '    notrack',
          '  }',
        ]
      : []),
    ...(chance.often(0.3)
      ? [
          '  chain marks {',
          `    type filter hook ${chance.pick(['prerouting', 'output'])} priority -160;`,
          '    meta mark set 0x1',
          '    ct mark set 0x1',
          '  }',
        ]
      : []),
  ];
  return `table inet before {
${before.join('\n')}
${nat}
}
table ${family} t0 {
${sets(world, family)}
  chain focus {
    type filter hook ${hook}${device} priority ${priority}; policy accept;
    ${matches} counter drop
  }
}
`;
}

function randomTable(
  chance: Chance,
  world: RuleWorld,
  name: string,
  hookPool: readonly string[],
  mayTranslate = true,
): string {
  const family = chance.pick<Family>(['inet', 'inet', 'ip', 'ip6', 'netdev']);
  const bases =
    family === 'netdev'
      ? [{ hook: 'ingress', priority: 0, device: ' device eth0' }]
      : chance.some(hookPool, 3).map((hook) => ({ hook, priority: randomPriority(chance, hook), device: '' }));
  const hooks = bases.map(({ hook }) => hook);
  const chains = ['c1', 'c2', 'c3'];
  const raw = bases.every(({ priority, hook }) => priority < -200 && hook !== 'input' && hook !== 'postrouting');
  const user = chains.map((chain, index) => {
    const draft = { chance, world, family, hooks, targets: chains.slice(index + 1), raw };
    return `  chain ${chain} {\n${randomRules(draft, 3)}  }`;
  });
  const base = bases.map(({ hook, priority, device }, index) => {
    const draft = { chance, world, family, hooks: [hook], targets: chains, raw: priority < -200 && hook !== 'input' };
    const policy = chance.often(0.2) ? 'drop' : 'accept';
    const head = `type filter hook ${hook}${device} priority ${priority}; policy ${policy};`;
    return `  chain b${index} {\n    ${head}\n${randomRules(draft, 6)}  }`;
  });
  const nat = mayTranslate && family !== 'netdev' && chance.often(0.2) ? [randomNat(chance, world, family)] : [];
  return `table ${family} ${name} {\n${sets(world, family)}\n${[...user, ...base, ...nat].join('\n')}\n}\n`;
}

function randomPriority(chance: Chance, hook: string): number {
  if (hook === 'prerouting' || hook === 'output') return chance.pick([-400, -300, -150, -50, 0, 10, 150]);
  return chance.pick([-150, -10, 0, 10, 150]);
}

function sets(world: RuleWorld, family: Family): string {
  const six = family === 'ip6';
  const type = six ? 'ipv6_addr' : 'ipv4_addr';
  const key = six ? 6 : 4;
  const other = six ? '2001:db8::1' : '192.0.2.9';
  const network = six ? '2001:db8:1::/48' : '198.51.100.0/24';
  return `
  set addrs { type ${type}; elements = { ${world.client[key]}, ${other} } }
  set nets { type ${type}; flags interval; elements = { ${network}, ${world.server[key]} } }
  set ports { type inet_service; flags interval; elements = { 22, 80-90, ${world.port} } }
  set both { type ${type} . inet_service; elements = { ${world.client[key]} . ${world.port}, ${other} . 22 } }
  set none { type inet_service; }
  map verdicts { type inet_service : verdict; flags interval; elements = { 22 : drop, ${world.otherPort} : accept, 1-10 : drop } }`;
}

function randomNat(chance: Chance, world: RuleWorld, family: Family): string {
  const to = chance.pick([world.port, world.otherPort, 9999]);
  const address = family === 'ip6' ? `[${world.server[6]}]` : world.server[4];
  const statement = chance.pick([
    `tcp dport ${world.otherPort} redirect to :${to}`,
    `tcp dport ${world.port} redirect to :${to}`,
    `tcp dport { ${world.otherPort}, 22 } dnat ${family === 'inet' ? 'ip ' : ''}to ${address}:${to}`,
  ]);
  const hook = chance.pick(['prerouting', 'output']);
  return `  chain nat {\n    type nat hook ${hook} priority -100; policy accept;\n    ${statement}\n  }`;
}

function randomRules(draft: Draft, most: number): string {
  return Array.from({ length: draft.chance.below(most + 1) }, () => `    ${randomRule(draft)}\n`).join('');
}

function randomRule(draft: Draft): string {
  const { chance } = draft;
  const matches = Array.from({ length: chance.below(4) }, () => randomMatch(draft));
  if (chance.often(0.1)) return `${matches.join(' ')} ${randomMap(draft)}`;
  const changes = chance.often(0.15) ? [randomChange(draft)] : [];
  return [...matches, ...changes, 'counter', randomVerdict(draft)].join(' ');
}

function randomMap({ chance, family, hooks }: Draft): string {
  const tracked = family !== 'netdev' && !hooks.includes('ingress');
  const states = 'ct state vmap { established : accept, related : accept, invalid : drop }';
  return chance.pick([
    'tcp dport vmap @verdicts',
    'tcp dport vmap { 1-100 : drop, 8000-9000 : continue, 443 : return }',
    tracked ? states : 'tcp dport vmap @verdicts',
  ]);
}

function randomChange({ chance, family, raw }: Draft): string {
  const all = ['meta mark set 0x1', 'meta mark set meta mark | 0x2', 'meta mark set meta mark & 0x1'];
  if (raw && family !== 'netdev') all.push('notrack', 'notrack');
  if (family !== 'netdev') all.push('ct mark set 0x1', 'ct mark set meta mark');
  return chance.pick(all);
}

function randomVerdict({ chance, targets, hooks, family }: Draft): string {
  const all = ['accept', 'accept', 'drop', 'drop', 'return', 'continue', ''];
  if (targets.length > 0) {
    all.push(`jump ${chance.pick(targets)}`, `jump ${chance.pick(targets)}`, `goto ${chance.pick(targets)}`);
  }
  if (family !== 'netdev' && hooks.every((hook) => hook === 'input' || hook === 'output' || hook === 'forward')) {
    all.push('reject', 'meta l4proto tcp reject with tcp reset');
    if (family === 'inet')
      all.push('reject with icmpx type admin-prohibited', 'reject with icmp type host-unreachable');
  }
  return chance.pick(all);
}

function randomMatch(draft: Draft): string {
  const { chance, world, family, hooks } = draft;
  const is6 = family === 'ip6' || (family !== 'ip' && chance.often(0.3));
  const kinds = [addressMatch, portMatch, portMatch, flagMatch, deviceMatch, protocolMatch, markMatch, rareMatch];
  if (family !== 'netdev') kinds.push(stateMatch, stateMatch);
  if (family !== 'netdev' && !hooks.includes('postrouting')) kinds.push(fibMatch);
  return chance.pick(kinds)(chance, world, is6, draft);
}

type Maker = (chance: Chance, world: RuleWorld, is6: boolean, draft: Draft) => string;

const addressMatch: Maker = (chance, world, is6, { family }) => {
  const key = is6 ? 6 : 4;
  const [client, server] = [world.client[key], world.server[key]];
  const pool = is6
    ? [client, server, 'fd77::/64', 'fd77::2-fd77::9', '2001:db8::1', 'fd00::/8', '2001:db8::/32']
    : [client, server, '10.77.0.0/24', '10.77.0.2-10.77.0.9', '192.0.2.1', '10.0.0.0/8', '198.51.100.0/24'];
  const field = `${is6 ? 'ip6' : 'ip'} ${chance.pick(['saddr', 'daddr'])}`;
  const named = (family === 'ip6') === is6 ? ['@addrs', '@nets'] : [];
  const single = ['{ 192.0.2.1, 10.77.0.0/24 }', '{ 10.77.0.2, 192.0.2.7 }'];
  return chance.pick([
    `${field} ${chance.pick(pool)}`,
    `${field} != ${chance.pick(pool)}`,
    `${field} ${chance.pick(is6 ? [`{ ${client}, 2001:db8::7 }`] : single)}`,
    named.length > 0 ? `${field} ${chance.pick(named)}` : `${field} ${client}`,
    `${is6 ? 'ip6' : 'ip'} saddr . tcp dport { ${client} . ${world.port}, ${client} . 1-100 }`,
    is6 ? `ip6 saddr & ffff:: == fd77::` : `ip saddr & 255.0.0.255 == 10.0.0.${chance.pick([2, 3])}`,
  ]);
};

const portMatch: Maker = (chance, { port, otherPort }) => {
  const field = `tcp ${chance.pick(['dport', 'dport', 'dport', 'sport'])}`;
  const pool = [`${port}`, `${otherPort}`, '22', '8000-9000', '1-1024', '1024-65535', '32768-60999'];
  return chance.pick([
    `${field} ${chance.pick(pool)}`,
    `${field} != ${chance.pick(pool)}`,
    `${field} { ${chance.pick(pool.slice(0, 3))}, 5-6 }`,
    `${field} != { ${chance.pick(pool.slice(0, 3))}, 7 }`,
    `${field} ${chance.pick(['<', '>', '<=', '>='])} ${chance.pick([port, otherPort, 1024])}`,
    `${field} ${chance.pick(['@ports', '@none', '!= @ports'])}`,
    `@th,16,16 ${chance.pick([port, otherPort])}`,
  ]);
};

const flagMatch: Maker = (chance) =>
  chance.pick([
    'tcp flags syn',
    'tcp flags == syn',
    'tcp flags != syn',
    'tcp flags & (syn|ack) == syn',
    'tcp flags & (fin|syn|rst|ack) == syn',
    'tcp flags & (syn|ack) == (syn|ack)',
    'tcp flags & (syn|ack) != syn',
    'tcp flags ! ack',
    'tcp flags { syn, syn|ack }',
    'tcp flags syn,ack',
    'tcp flags & (fin|rst) != 0',
  ]);

// Not `ct protocol tcp`: nft does not list it where a port is matched as well, although it fails where nothing is tracked yet.
const stateMatch: Maker = (chance) =>
  chance.pick([
    'ct state new',
    'ct state established,related',
    'ct state established',
    'ct state != established',
    'ct state invalid',
    'ct state { new, untracked }',
    'ct state untracked',
    'ct state ! established,related',
    'ct direction original',
    'ct direction reply',
    'ct mark 0x0',
    'ct mark 0x1',
    'ct mark & 0x1 != 0x1',
    'ct status dnat',
  ]);

const deviceMatch: Maker = (chance) =>
  chance.pick(
    [
      'iifname "eth0"',
      'iifname "eth*"',
      'iifname != "lo"',
      'iifname { "lo", "dock*" }',
      'iifname { "eth*", "br0" }',
      'iif lo',
      'iif != lo',
      'oifname "eth0"',
      'oifname != "eth0"',
      'oifname ""',
      'iifname . tcp dport { "eth0" . 8443, "lo" . 22 }',
    ].filter((text) => text !== 'oifname ""'),
  );

const protocolMatch: Maker = (chance, _world, _is6, { family }) =>
  chance.pick([
    'meta l4proto tcp',
    'meta l4proto { udp, tcp }',
    'meta l4proto != tcp',
    'udp dport 53',
    ...(family === 'inet' ? ['meta nfproto ipv4', 'meta nfproto ipv6', 'icmp type echo-request'] : []),
    ...(family === 'ip6'
      ? ['ip6 nexthdr tcp', 'ip6 hoplimit 64', 'exthdr frag exists', 'exthdr frag missing', 'rt type 0']
      : []),
    ...(family === 'ip'
      ? [
          'ip protocol tcp',
          'ip protocol != tcp',
          'ip ttl 64',
          'ip ttl < 10',
          'ip version 4',
          'ip frag-off & 0x1fff != 0',
          'ip hdrlength 5',
        ]
      : []),
    ...(family === 'netdev' ? ['meta protocol ip', 'meta protocol ip6', 'ether type ip'] : []),
  ]);

const markMatch: Maker = (chance) =>
  chance.pick([
    'meta mark 0x0',
    'meta mark 0x1',
    'meta mark & 0x3 == 0x1',
    'meta mark != 0x1',
    'meta mark & 0x2 == 0x0',
  ]);

const fibMatch: Maker = (chance, _world, _is6, { hooks }) => {
  const inward = hooks.every((hook) => hook === 'prerouting' || hook === 'input');
  return chance.pick([
    'fib daddr type local',
    'fib daddr type != local',
    'fib saddr type unicast',
    'fib saddr type local',
    ...(inward
      ? [
          'fib saddr . iif oif exists',
          'fib saddr . iif oif missing',
          'fib daddr . iif type local',
          'fib saddr oif exists',
        ]
      : []),
  ]);
};

const rareMatch: Maker = (chance, _world, _is6, { hooks }) =>
  chance.pick([
    'tcp option maxseg size > 1000',
    'tcp option timestamp exists',
    'tcp option sack-perm missing',
    'limit rate 1000/second',
    'numgen inc mod 2 0',
    ...(hooks.every((hook) => hook === 'input' || hook === 'prerouting')
      ? ['meta pkttype host', 'meta pkttype broadcast']
      : []),
    ...(hooks.every((hook) => hook === 'output') ? ['meta skuid 0', 'meta skuid != 0', 'meta skuid 1000'] : []),
  ]);
