import { execFileSync, spawnSync } from 'node:child_process';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetnsHost } from '../../host/netns-host.ts';
import {
  CLIENT_V4,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
} from '../../host/testing/namespaces.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import { isUnavailable } from '../../model/facts/fact.ts';
import type { Route } from '../../model/facts/routing.ts';
import { type Facts, gatherFacts, readBaseline } from './gather.ts';
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
  WORLD,
  within,
} from './testing/filter-lab.ts';
import { plainFacts } from './testing/filter-scope.ts';
import { randomNftForward } from './testing/random-nft.ts';
import { Chance } from './testing/random-rules.ts';

// A server that sends a port on to another namespace, as containers have it: the SYN and its answer are forwarded, translated on the way.
// Random rules lie in that way. SYNSCOPE_FILTER_RUNS and SYNSCOPE_FILTER_SEED as for packet-filter-differential.test.ts.

const RUNS = Number(process.env.SYNSCOPE_FILTER_RUNS ?? 12);
const SEED = Number(process.env.SYNSCOPE_FILTER_SEED ?? 1);
const BACKEND = '10.78.0.2';

const PROBE = probe(
  // What is not tracked is not translated either, and stays here.
  'type filter hook input priority 30000; tcp flags & (syn|ack) == syn add @first { tcp sport };',
  'type filter hook postrouting priority 30000; oifname "eth1" tcp flags & (syn|ack) == syn add @first { tcp sport };',
  'type filter hook ingress device eth1 priority -30000; tcp flags & (syn|ack) == (syn|ack) add @made { tcp dport };',
  'type filter hook postrouting priority 30000; oifname "eth0" tcp flags & (syn|ack) == (syn|ack) add @second { tcp dport };',
);

const missing = namespacesMissing() ?? missingProgram('nft');
if (missing !== undefined) console.log(`skipped: forwarding against the kernel (${missing})`);

function routedFacts(attempt: Attempt): Facts {
  const route = (destination: string, device: string): Route => ({
    family: 4,
    table: 'main',
    type: 'unicast',
    destination,
    nextHops: [{ device, flags: [] }],
  });
  return {
    ...plainFacts(attempt, WORLD),
    routes: { value: [route('10.77.0.0/24', 'eth0'), route('10.78.0.0/24', 'eth1')], source: '' },
  };
}

describe.skipIf(missing !== undefined)('a SYN that is sent on', () => {
  const backend = `skd-b-${process.pid}`;
  let pair: NamespacePair;
  let server: NetnsHost;
  let client: NetnsHost;
  let listener: Actor;

  beforeAll(async () => {
    pair = makeNamespacePair('skd');
    const ip = (...argv: string[]): void => void execFileSync('ip', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    ip('netns', 'add', backend);
    ip('-n', pair.server, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', backend);
    ip('-n', pair.server, 'addr', 'add', '10.78.0.1/24', 'dev', 'eth1');
    ip('-n', backend, 'addr', 'add', `${BACKEND}/24`, 'dev', 'eth0');
    ip('-n', pair.server, 'link', 'set', 'eth1', 'up');
    ip('-n', backend, 'link', 'set', 'eth0', 'up');
    ip('-n', backend, 'route', 'add', 'default', 'via', '10.78.0.1');
    within(pair.server, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    knowNeighbours(pair.server, pair.client, [CLIENT_V4]);
    knowNeighbours(pair.client, pair.server, [SERVER_V4]);
    knowNeighbours(pair.server, backend, [BACKEND], 'eth1');
    server = new NetnsHost(pair.server);
    client = new NetnsHost(pair.client);
    listener = await startActor(backend, LISTEN, '0.0.0.0', String(WORLD.port), '128');
    // The backend learns its gateway once, before rules may stop that.
    await client.connect({ address: BACKEND, port: WORLD.port, timeoutMs: 200, holdMs: 0 });
    within(backend, ['ping', '-c1', '-W1', '10.78.0.1']);
  });
  afterAll(async () => {
    await listener?.end();
    await server?.close();
    await client?.close();
    spawnSync('ip', ['netns', 'del', backend]);
    pair?.remove();
  });

  test(`${RUNS} random rule sets in the way`, { timeout: 60_000 + RUNS * 3000 }, async () => {
    const counts = { attempts: 0, sure: 0, first: 0, made: 0, second: 0 };
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      const chance = new Chance(seed);
      const masquerade = chance.often(0.4) ? '    oifname "eth1" masquerade\n' : '';
      const nat = `table ip nat {
  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport ${WORLD.otherPort} dnat to ${BACKEND}:${WORLD.port}
  }
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
${masquerade}  }
}
`;
      const text = nat + randomNftForward(chance, WORLD);
      clearRules(pair.server);
      loadNft(pair.server, text);
      within(pair.server, ['nft', '-f', '-'], PROBE);
      const scope = { side: 'server' as const, port: WORLD.otherPort };
      const before = await readBaseline(server, [packetFilter], scope);
      const outcome = await client.connect({ address: SERVER_V4, port: WORLD.otherPort, timeoutMs: 60, holdMs: 0 });
      const local = outcome.local?.port ?? 0;
      const attempt = plainAttempt('server', 4, local, WORLD.otherPort);
      const facts = await gatherFacts(
        server,
        [packetFilter],
        { ...scope, attempt, known: routedFacts(attempt) },
        before,
      );
      const fact = facts.packetFilter;
      if (fact === undefined || isUnavailable(fact)) throw new Error(`no packetFilter: ${fact?.reason}`);
      const [first, made, second] = (['first', 'made', 'second'] as const).map((set) =>
        remembers(pair.server, set, local),
      );
      const wrong = [
        ...judged(fact.value, 'syn-in', first!),
        ...(made ? judged(fact.value, 'syn-ack-out', second!) : []),
      ];
      const context = JSON.stringify({ first, made, second, errno: outcome.errno, filter: fact.value }, null, 1);
      expect(wrong, `seed ${seed}\n${text}\n${context}`).toEqual([]);
      counts.attempts++;
      counts.sure += Number(fact.value.passes.includes('syn-in') || fact.value.blocked?.includes('syn-in'));
      counts.first += Number(first);
      counts.made += Number(made);
      counts.second += Number(second);
    }
    console.log(`forwarded: ${JSON.stringify(counts)}`);
    expect(counts.sure / counts.attempts).toBeGreaterThan(0.6);
  });
});
