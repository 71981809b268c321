import { execFileSync, spawnSync } from 'node:child_process';
import { CLIENT_V4, CLIENT_V6, SERVER_V4, SERVER_V6 } from '../../../host/testing/namespaces.ts';
import type { Attempt, Side } from '../../../model/facts/attempt.ts';
import type { FilterHit, PacketFilter } from '../../../model/facts/packet-filter.ts';
import type { RuleWorld } from './random-rules.ts';

/** Addresses and ports of the attempts that rules are tried with. */
export const WORLD: RuleWorld = {
  client: { 4: CLIENT_V4, 6: CLIENT_V6 },
  server: { 4: SERVER_V4, 6: SERVER_V6 },
  port: 8443,
  otherPort: 8080,
};

/** Why a program cannot be used; undefined when it can. */
export function missingProgram(name: string): string | undefined {
  return spawnSync(name, ['--version']).error === undefined ? undefined : `needs ${name}`;
}

/** nft refuses rules whose matches cannot go together; such rules are left out. */
export function loadNft(namespace: string, text: string): void {
  const lines = text.split('\n');
  for (;;) {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], {
      encoding: 'utf8',
      input: lines.join('\n'),
    });
    if (status === 0) return;
    const refused = [...stderr.matchAll(/stdin:(\d+):/g)].map(([, line]) => Number(line) - 1);
    if (refused.length === 0 || refused.some((line) => !/^ {4}\S/.test(lines[line] ?? ''))) throw new Error(stderr);
    for (const line of refused) lines[line] = '';
  }
}

/** A table that remembers ports in three sets: what came first, what was made of it, what came second. */
export function probe(...chains: readonly string[]): string {
  const sets = ['first', 'made', 'second'].map((set) => `set ${set} { type inet_service; flags dynamic; size 65535; }`);
  return `table inet probe {\n${sets.join('\n')}\n${chains.map((text, index) => `chain p${index} { ${text} }`).join('\n')}\n}`;
}

/** Whether a set of the probe remembers a port. */
export function remembers(namespace: string, set: 'first' | 'made' | 'second', port: number): boolean {
  return within(namespace, ['nft', 'list', 'set', 'inet', 'probe', set]).includes(` ${port}`);
}

/** Runs a command in a namespace. */
export function within(namespace: string, argv: readonly string[], input?: string): string {
  return execFileSync('ip', ['netns', 'exec', namespace, ...argv], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  });
}

/** Makes a namespace know the link addresses of another one, so that rules cannot stop their discovery. */
export function knowNeighbours(namespace: string, of: string, addresses: readonly string[], device = 'eth0'): void {
  const linkAddress = within(of, ['cat', '/sys/class/net/eth0/address']).trim();
  for (const address of addresses) {
    within(namespace, ['ip', 'neigh', 'replace', address, 'lladdr', linkAddress, 'dev', device, 'nud', 'permanent']);
  }
}

/** Removes all rules of a namespace. */
export function clearRules(namespace: string): void {
  within(namespace, ['nft', 'flush', 'ruleset']);
  const names = spawnSync('ip', ['netns', 'exec', namespace, 'cat', '/proc/net/ip_tables_names'], { encoding: 'utf8' });
  const tables = names.stdout.split('\n').filter((name) => name !== '');
  if (tables.length === 0) return;
  const bases: Readonly<Record<string, readonly string[]>> = {
    filter: ['INPUT', 'FORWARD', 'OUTPUT'],
    raw: ['PREROUTING', 'OUTPUT'],
    nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  };
  const all = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
  const text = tables.map((table) => {
    const chains = (bases[table] ?? all).map((chain) => `:${chain} ACCEPT [0:0]`);
    return `*${table}\n${chains.join('\n')}\nCOMMIT\n`;
  });
  within(namespace, ['iptables-legacy-restore'], text.join(''));
}

/** An attempt with one SYN that was seen to come. */
export function plainAttempt(side: Side, family: 4 | 6, clientPort: number, port: number): Attempt {
  const options = {
    windowBytes: 64240,
    windowScaleShift: 7,
    sackPermitted: true,
    timestamps: true,
    mptcp: false,
    md5: false,
    ao: false,
    ecnSetup: false,
  };
  const first = { segment: side === 'server' ? 'syn' : 'syn-ack', direction: 'in', device: 'eth0' } as const;
  const client = { address: WORLD.client[family], port: clientPort };
  const server = { address: WORLD.server[family], port };
  return {
    side,
    observed: true,
    captured: true,
    family,
    client,
    server,
    syns: 1,
    synAcks: 0,
    synOptions: { mssBytes: family === 4 ? 1460 : 1440, ...options },
    sightings: [{ ...first, count: 1, linkDestination: 'host' }],
    icmpErrors: [],
    arrivedTtl: 64,
    inDevice: 'eth0',
    ...(side === 'client' ? { connect: { remote: server, local: client, elapsedMs: 1 } } : {}),
    lastedMs: 0,
  };
}

/** What contradicts that a packet came through, or did not; empty when nothing does. */
export function judged(filter: PacketFilter, packet: FilterHit['packet'], came: boolean): string[] {
  const wrong: string[] = [];
  const end = sureEnd(filter, packet);
  if (filter.passes.includes(packet) && !came) wrong.push(`${packet} passes, and did not come through`);
  if (filter.blocked?.includes(packet) && came) wrong.push(`${packet} is blocked, and came through`);
  if (end !== undefined && came) wrong.push(`${packet} is surely stopped, and came through: ${end.text}`);
  if (end?.packetsDelta === 0) wrong.push(`the rule that stops ${packet} counted nothing: ${end.text}`);
  if (!came && !filter.hits.some((hit) => hit.packet === packet && isStop(hit))) {
    wrong.push(`${packet} did not come through, and no rule may stop it`);
  }
  return wrong;
}

/** The rule that surely stops a packet. */
export function sureEnd(filter: PacketFilter, packet: FilterHit['packet']): FilterHit | undefined {
  return filter.hits.find((hit) => hit.packet === packet && hit.certainty === 'certain' && isStop(hit));
}

function isStop({ verdict }: FilterHit): boolean {
  return verdict === 'drop' || verdict === 'reject-icmp' || verdict === 'reject-reset';
}
