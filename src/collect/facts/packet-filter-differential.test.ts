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
import type { Side } from '../../model/facts/attempt.ts';
import { isUnavailable } from '../../model/facts/fact.ts';
import type { PacketFilter } from '../../model/facts/packet-filter.ts';
import { gatherFacts, readBaseline } from './gather.ts';
import { packetFilter } from './packet-filter.ts';
import { type Actor, LISTEN, startActor } from './testing/actors.ts';
import {
  clearRules,
  judged,
  knowNeighbours,
  loadNft,
  missingProgram,
  plainAttempt,
  probe,
  remembers,
  sureEnd,
  WORLD,
  within,
} from './testing/filter-lab.ts';
import { plainFacts } from './testing/filter-scope.ts';
import { randomIptables } from './testing/random-iptables.ts';
import { randomNft } from './testing/random-nft.ts';
import { Chance } from './testing/random-rules.ts';

// Random rule sets are loaded into a namespace; what is predicted for a SYN and its SYN-ACK is held against what the kernel does with
// them. SYNSCOPE_FILTER_RUNS: how many of each kind; SYNSCOPE_FILTER_SEED: the first seed, each run counts on from it.

const RUNS = Number(process.env.SYNSCOPE_FILTER_RUNS ?? 12);
const SEED = Number(process.env.SYNSCOPE_FILTER_SEED ?? 1);

/**
 * Rules behind and before all others that remember the ports of clients whose packets came so far: the one that this side gets or
 * makes first, and its answer.
 */
const PROBES: Readonly<Record<Side, string>> = {
  server: probe(
    'type filter hook input priority 30000; tcp flags & (syn|ack) == syn add @first { tcp sport };',
    'type filter hook output priority -30000; tcp flags & (syn|ack) == (syn|ack) add @made { tcp dport };',
    'type filter hook postrouting priority 30000; tcp flags & (syn|ack) == (syn|ack) add @second { tcp dport };',
  ),
  client: probe(
    'type filter hook postrouting priority 30000; tcp flags & (syn|ack) == syn add @first { tcp sport };',
    'type filter hook ingress device eth0 priority -30000; tcp flags & (syn|ack) == (syn|ack) add @made { tcp dport };',
    'type filter hook input priority 30000; tcp flags & (syn|ack) == (syn|ack) add @second { tcp dport };',
  ),
};

/** The packets of each side: the first one, and the answer to it. */
const PACKETS = { server: ['syn-in', 'syn-ack-out'], client: ['syn-out', 'syn-ack-in'] } as const;

const missing = namespacesMissing() ?? missingProgram('nft');
if (missing !== undefined) console.log(`skipped: rule sets against the kernel (${missing})`);

/** One variant of rule sets. */
interface Variant {
  readonly name: string;
  /** The program that loads the rules of iptables. */
  readonly needs?: string;
  /** Rules for nft and for iptables. */
  make(chance: Chance): readonly [nft: string, iptables: string];
}

const VARIANTS: readonly Variant[] = [
  { name: 'nft', make: (chance) => [randomNft(chance, WORLD), ''] },
  { name: 'iptables-nft', needs: 'iptables-nft-restore', make: (chance) => ['', randomIptables(chance, WORLD)] },
  { name: 'iptables-legacy', needs: 'iptables-legacy-restore', make: (chance) => ['', randomIptables(chance, WORLD)] },
  {
    name: 'nft and iptables-nft',
    needs: 'iptables-nft-restore',
    make: (chance) => [randomNft(chance, WORLD), randomIptables(chance, WORLD)],
  },
];

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
    for (const namespace of [pair.server, pair.client]) clearRules(namespace);
  }

  interface Run {
    readonly filter: PacketFilter;
    /** The first packet came behind all rules; its answer came before them, and behind them. */
    readonly first: boolean;
    readonly made: boolean;
    readonly second: boolean;
    readonly errno: string | undefined;
  }

  async function attemptThrough(side: Side, family: 4 | 6, port: number): Promise<Run> {
    const scope = { side, port };
    const host = side === 'server' ? server : client;
    const before = await readBaseline(host, [packetFilter], scope);
    const outcome = await client.connect({ address: WORLD.server[family], port, timeoutMs: 60, holdMs: 0 });
    const local = outcome.local?.port ?? 0;
    const attempt = plainAttempt(side, family, local, port);
    const facts = await gatherFacts(
      host,
      [packetFilter],
      { ...scope, attempt, known: plainFacts(attempt, WORLD) },
      before,
    );
    const fact = facts.packetFilter;
    if (fact === undefined || isUnavailable(fact)) throw new Error(`no packetFilter: ${fact?.reason}`);
    return {
      filter: fact.value,
      first: remembers(pair[side], 'first', local),
      made: remembers(pair[side], 'made', local),
      second: remembers(pair[side], 'second', local),
      errno: outcome.errno,
    };
  }

  /** What contradicts the kernel, as text; empty when nothing does. */
  function contradictions({ filter, first, made, second, errno }: Run, side: Side): string[] {
    const [syn, answer] = PACKETS[side];
    const wrong = [...judged(filter, syn, first), ...(made ? judged(filter, answer, second) : [])];
    const end = sureEnd(filter, syn);
    if (end?.verdict === 'drop' && errno !== 'TIMEDOUT-LOCAL')
      wrong.push(`the SYN is dropped, and connect() says ${errno}`);
    return wrong;
  }

  for (const variant of VARIANTS) {
    const lacking = variant.needs === undefined ? undefined : missingProgram(variant.needs);
    if (missing === undefined && lacking !== undefined) {
      console.log(`skipped: ${variant.name} against the kernel (${lacking})`);
    }
    test.skipIf(lacking !== undefined).each(['server', 'client'] as const)(
      `${variant.name}, %s: ${RUNS} random rule sets`,
      { timeout: 60_000 + RUNS * 3000 },
      async (side) => {
        const counts = { attempts: 0, sure: 0, first: 0, made: 0, second: 0 };
        for (let seed = SEED; seed < SEED + RUNS; seed++) {
          const chance = new Chance(seed);
          const [nft, iptables] = variant.make(chance);
          const text = nft + iptables;
          clear();
          try {
            if (nft !== '') loadNft(pair[side], nft);
            if (variant.needs !== undefined) within(pair[side], [variant.needs], iptables);
          } catch (error) {
            throw new Error(`seed ${seed} was not loaded: ${error instanceof Error ? error.message : error}\n${text}`);
          }
          within(pair[side], ['nft', '-f', '-'], PROBES[side]);
          const families: readonly (4 | 6)[] = variant.name.startsWith('nft') ? [4, 6] : [4];
          for (const family of families) {
            const port = chance.often(0.8) ? WORLD.port : WORLD.otherPort;
            const run = await attemptThrough(side, family, port);
            const context = `seed ${seed}, IPv${family}, port ${port}\n${text}\n${JSON.stringify(run, null, 1)}`;
            expect(contradictions(run, side), context).toEqual([]);
            const { filter, first, made, second } = run;
            const [packet] = PACKETS[side];
            counts.attempts++;
            counts.sure += Number(filter.passes.includes(packet) || filter.blocked?.includes(packet));
            counts.first += Number(first);
            counts.made += Number(made);
            counts.second += Number(second);
          }
        }
        console.log(`${variant.name}, ${side}: ${JSON.stringify(counts)}`);
        expect(counts.sure / counts.attempts).toBeGreaterThan(0.6);
      },
    );
  }
});
