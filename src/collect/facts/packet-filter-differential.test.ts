import { execFileSync, spawnSync } from 'node:child_process';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetnsHost } from '../../host/netns-host.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../../host/testing/namespaces.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import { isUnavailable } from '../../model/facts/fact.ts';
import type { FilterHit, PacketFilter } from '../../model/facts/packet-filter.ts';
import type { Facts } from './gather.ts';
import { gatherFacts, readBaseline } from './gather.ts';
import { packetFilter } from './packet-filter.ts';
import { type Actor, LISTEN, startActor } from './testing/actors.ts';
import { serverFacts } from './testing/filter-scope.ts';
import { randomIptables } from './testing/random-iptables.ts';
import { randomNft } from './testing/random-nft.ts';
import { Chance, type RuleWorld } from './testing/random-rules.ts';

// Random rule sets are loaded into a namespace; what is predicted for a SYN and its SYN-ACK is held against what the kernel does with
// them. SYNSCOPE_FILTER_RUNS: how many of each kind; SYNSCOPE_FILTER_SEED: the first seed, each run counts on from it.

const WORLD: RuleWorld = {
  client: { 4: CLIENT_V4, 6: CLIENT_V6 },
  server: { 4: SERVER_V4, 6: SERVER_V6 },
  port: 8443,
  otherPort: 8080,
};
const RUNS = Number(process.env.SYNSCOPE_FILTER_RUNS ?? 25);
const SEED = Number(process.env.SYNSCOPE_FILTER_SEED ?? 1);

/** Rules behind and before all others that remember the ports of clients whose packets came so far. */
const PROBE = `
table inet probe {
  set seen { type inet_service; flags dynamic; size 65535; }
  set made { type inet_service; flags dynamic; size 65535; }
  set sent { type inet_service; flags dynamic; size 65535; }
  chain input { type filter hook input priority 30000; tcp flags & (syn|ack) == syn add @seen { tcp sport }; }
  chain output { type filter hook output priority -30000; tcp flags & (syn|ack) == (syn|ack) add @made { tcp dport }; }
  chain postrouting { type filter hook postrouting priority 30000; tcp flags & (syn|ack) == (syn|ack) add @sent { tcp dport }; }
}`;

const missing = namespacesMissing() ?? missingProgram('nft');
if (missing !== undefined) console.log(`skipped: rule sets against the kernel (${missing})`);

function missingProgram(name: string): string | undefined {
  return spawnSync(name, ['--version']).error === undefined ? undefined : `needs ${name}`;
}

/** One variant of rule sets: how one is made, and loaded into a namespace. */
interface Variant {
  readonly name: string;
  readonly needs?: string;
  make(chance: Chance): string;
  load(namespace: string, text: string): void;
}

const VARIANTS: readonly Variant[] = [
  {
    name: 'nft',
    make: (chance) => randomNft(chance, WORLD),
    load: loadNft,
  },
  ...(['nft', 'legacy'] as const).map(
    (backend): Variant => ({
      name: `iptables-${backend}`,
      needs: `iptables-${backend}-restore`,
      make: (chance) => randomIptables(chance, WORLD),
      load(namespace, text) {
        within(namespace, [`iptables-${backend}-restore`], text);
      },
    }),
  ),
];

/** nft refuses rules whose matches cannot go together; such rules are left out. */
function loadNft(namespace: string, text: string): void {
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

function within(namespace: string, argv: readonly string[], input?: string): string {
  return execFileSync('ip', ['netns', 'exec', namespace, ...argv], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  });
}

function knowNeighbours(namespace: string, of: string, addresses: readonly string[]): void {
  const linkAddress = within(of, ['cat', '/sys/class/net/eth0/address']).trim();
  for (const address of addresses) {
    within(namespace, ['ip', 'neigh', 'replace', address, 'lladdr', linkAddress, 'dev', 'eth0', 'nud', 'permanent']);
  }
}

describe.skipIf(missing !== undefined)('what rules do is predicted as the kernel does it', () => {
  let pair: NamespacePair;
  let server: NetnsHost;
  let client: NetnsHost;
  let listener: Actor;

  beforeAll(async () => {
    pair = makeNamespacePair('skp');
    // Rules may stop neighbour discovery as well, which is not what is asked.
    knowNeighbours(pair.server, pair.client, [CLIENT_V4, CLIENT_V6]);
    knowNeighbours(pair.client, pair.server, [SERVER_V4, SERVER_V6]);
    server = new NetnsHost(pair.server);
    client = new NetnsHost(pair.client);
    listener = await startActor(pair.server, LISTEN, '::', String(WORLD.port), '128');
  });
  afterAll(async () => {
    await listener?.end();
    await server?.close();
    await client?.close();
    pair?.remove();
  });

  function clear(): void {
    within(pair.server, ['nft', 'flush', 'ruleset']);
    const legacy = spawnSync('ip', ['netns', 'exec', pair.server, 'cat', '/proc/net/ip_tables_names'], {
      encoding: 'utf8',
    });
    if (legacy.stdout.trim() === '') return;
    const empty = legacy.stdout
      .trim()
      .split('\n')
      .map((table) => `*${table}\nCOMMIT\n`)
      .join('');
    within(pair.server, ['iptables-legacy-restore'], empty);
    for (const table of legacy.stdout.trim().split('\n')) {
      for (const chain of ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']) {
        spawnSync('ip', ['netns', 'exec', pair.server, 'iptables-legacy', '-t', table, '-P', chain, 'ACCEPT']);
      }
    }
  }

  interface Run {
    readonly filter: PacketFilter;
    readonly arrived: boolean;
    readonly made: boolean;
    readonly sent: boolean;
    readonly errno: string | undefined;
    readonly port: number;
  }

  async function attemptThrough(family: 4 | 6, port: number): Promise<Run> {
    const scope = { side: 'server' as const, port };
    const before = await readBaseline(server, [packetFilter], scope);
    const outcome = await client.connect({ address: WORLD.server[family], port, timeoutMs: 60, holdMs: 0 });
    const local = outcome.local?.port ?? 0;
    const attempt: Attempt = {
      side: 'server',
      observed: true,
      captured: true,
      family,
      client: { address: WORLD.client[family], port: local },
      server: { address: WORLD.server[family], port },
      syns: 1,
      synAcks: 0,
      synOptions: {
        mssBytes: family === 4 ? 1460 : 1440,
        windowBytes: 64240,
        windowScaleShift: 7,
        sackPermitted: true,
        timestamps: true,
        mptcp: false,
        md5: false,
        ao: false,
        ecnSetup: false,
      },
      sightings: [{ segment: 'syn', direction: 'in', device: 'eth0', count: 1, linkDestination: 'host' }],
      icmpErrors: [],
      arrivedTtl: 64,
      inDevice: 'eth0',
      lastedMs: 0,
    };
    const known: Facts = serverFacts(attempt, WORLD);
    const facts = await gatherFacts(server, [packetFilter], { ...scope, attempt, known }, before);
    const fact = facts.packetFilter;
    if (fact === undefined || isUnavailable(fact)) throw new Error(`no packetFilter: ${fact?.reason}`);
    const remembered = (set: string): boolean =>
      within(pair.server, ['nft', 'list', 'set', 'inet', 'probe', set]).includes(` ${local}`);
    return {
      filter: fact.value,
      arrived: remembered('seen'),
      made: remembered('made'),
      sent: remembered('sent'),
      errno: outcome.errno,
      port: local,
    };
  }

  /** What contradicts the kernel, as text; empty when nothing does. */
  function contradictions(run: Run): string[] {
    const { filter, arrived, made, sent, errno } = run;
    const wrong: string[] = [];
    const say = (text: string): void => void wrong.push(text);
    const end = (packet: string): FilterHit | undefined =>
      filter.hits.find((hit) => hit.packet === packet && hit.certainty === 'certain' && isStop(hit));
    if (filter.passes.includes('syn-in') && !arrived) say('the SYN passes, and did not arrive');
    if (filter.blocked?.includes('syn-in') && arrived) say('the SYN is blocked, and arrived');
    if (!arrived && !filter.hits.some((hit) => hit.packet === 'syn-in' && isStop(hit)))
      say('the SYN did not arrive, and no rule may stop it');
    const first = end('syn-in');
    if (first !== undefined && arrived) say('a rule stops the SYN, and it arrived');
    if (first?.packetsDelta === 0) say(`the rule that stops the SYN counted nothing: ${first.text}`);
    if (first?.verdict === 'drop' && errno !== 'TIMEDOUT-LOCAL') say(`the SYN is dropped, and connect() says ${errno}`);
    if (made) {
      if (filter.passes.includes('syn-ack-out') && !sent) say('the SYN-ACK passes, and was not sent');
      if (filter.blocked?.includes('syn-ack-out') && sent) say('the SYN-ACK is blocked, and was sent');
      if (!sent && !filter.hits.some((hit) => hit.packet === 'syn-ack-out' && isStop(hit)))
        say('the SYN-ACK was not sent, and no rule may stop it');
      const answer = end('syn-ack-out');
      if (answer?.packetsDelta === 0) say(`the rule that stops the SYN-ACK counted nothing: ${answer.text}`);
    }
    return wrong;
  }

  for (const variant of VARIANTS) {
    const lacking = variant.needs === undefined ? undefined : missingProgram(variant.needs);
    if (missing === undefined && lacking !== undefined)
      console.log(`skipped: ${variant.name} against the kernel (${lacking})`);
    test.skipIf(lacking !== undefined)(
      `${variant.name}: ${RUNS} random rule sets`,
      { timeout: 60_000 + RUNS * 3000 },
      async () => {
        let sure = 0;
        let judged = 0;
        const counts = { passed: 0, stopped: 0, answered: 0, silenced: 0 };
        for (let seed = SEED; seed < SEED + RUNS; seed++) {
          const chance = new Chance(seed);
          const text = variant.make(chance);
          clear();
          try {
            variant.load(pair.server, text);
          } catch (error) {
            throw new Error(`seed ${seed} was not loaded: ${error instanceof Error ? error.message : error}\n${text}`);
          }
          within(pair.server, ['nft', '-f', '-'], PROBE);
          const families: readonly (4 | 6)[] = variant.name === 'nft' ? [4, 6] : [4];
          for (const family of families) {
            const port = chance.often(0.8) ? WORLD.port : WORLD.otherPort;
            const run = await attemptThrough(family, port);
            const wrong = contradictions(run);
            expect(wrong, `seed ${seed}, IPv${family}, port ${port}\n${text}\n${JSON.stringify(run, null, 1)}`).toEqual(
              [],
            );
            judged++;
            if (run.filter.passes.includes('syn-in') || run.filter.blocked?.includes('syn-in')) sure++;
            counts[run.arrived ? 'passed' : 'stopped']++;
            if (run.made) counts[run.sent ? 'answered' : 'silenced']++;
          }
        }
        console.log(`${variant.name}: ${judged} SYNs, ${sure} predicted for sure; ${JSON.stringify(counts)}`);
        expect(sure / judged).toBeGreaterThan(0.6);
      },
    );
  }
});

function isStop({ verdict }: FilterHit): boolean {
  return verdict === 'drop' || verdict === 'reject-icmp' || verdict === 'reject-reset';
}
