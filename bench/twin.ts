/**
 * Measures how long a copy of a host takes, and a whole proof from the reading of the host to the verified verdict:
 * `node bench/twin.ts [RUNS]`, as root. Prints rows for docs/benchmarks.md.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import process from 'node:process';
import { NetnsHost } from '../src/host/netns-host.ts';
import { proveInTwin } from '../src/service/prove-twin.ts';
import { snapshotHost } from '../src/twin/snapshot.ts';
import type { SynSpec } from '../src/twin/syn.ts';
import { listenIn } from '../src/twin/testing/real-server.ts';
import { TwinProcess } from '../src/twin/twin-process.ts';
import { median } from './measure.ts';

const PORT = 8080;
const REPLAYS = 200;
const SYN: SynSpec = {
  family: 4,
  source: '10.65.0.1',
  sourcePort: 40_000,
  destination: '10.65.0.2',
  destinationPort: PORT,
  device: 's0',
};

/** Of a client behind the gateway. */
const FAR_SYN: SynSpec = { ...SYN, source: '203.0.113.7' };

interface Shape {
  readonly name: string;
  readonly goal: string;
  /** Adds to a small host: an address, a gateway, a listener. */
  readonly fill: (run: Run) => void;
  /** Keeps it from answering a client behind the gateway. */
  readonly damage: (run: Run) => void;
  /** The kind of element that is to blame then. */
  readonly guilty: string;
}

type Run = (argv: readonly string[], input: string) => void;

const SHAPES: readonly Shape[] = [
  {
    name: 'small host',
    goal: 'under 0.3 s',
    fill: () => {},
    damage: (run) => run(['ip', '-batch', '-'], 'route del default\n'),
    guilty: 'route',
  },
  {
    name: '10,000 routes, 100 interfaces',
    goal: 'under 2 s',
    fill(run) {
      const links = Array.from(
        { length: 50 },
        (_, i) => `link add v${i} type veth peer name w${i}\nlink set v${i} up\nlink set w${i} up`,
      );
      run(['ip', '-batch', '-'], `${links.join('\n')}\n`);
      const routes = Array.from(
        { length: 10_000 },
        (_, i) => `route add 172.${16 + (i >> 12)}.${(i >> 4) & 255}.${(i & 15) * 16}/28 via 10.65.0.1`,
      );
      run(['ip', '-batch', '-'], `${routes.join('\n')}\n`);
    },
    damage: (run) => run(['ip', '-batch', '-'], 'route add blackhole 203.0.113.0/24\n'),
    guilty: 'route',
  },
  {
    name: '2,000 rules of nftables, 10,000 elements',
    goal: 'under 3 s',
    fill(run) {
      const elements = Array.from({ length: 10_000 }, (_, i) => `192.${i >> 8}.${i & 255}.7`).join(', ');
      const rules = Array.from(
        { length: 2000 },
        (_, i) => `ip saddr 198.51.100.${i & 255} tcp dport ${i + 1} drop`,
      ).join('\n');
      run(
        ['nft', '-f', '-'],
        `table inet fw {\nset bad {\ntype ipv4_addr\nelements = { ${elements} }\n}\nchain in {\ntype filter hook input priority 0\nip saddr @bad drop\n${rules}\n}\n}\n`,
      );
    },
    damage: (run) => run(['nft', '-f', '-'], `add rule inet fw in ip saddr 203.0.113.0/24 tcp dport ${PORT} drop\n`),
    guilty: 'nft-rule',
  },
];

const runs = Number(process.argv[2] ?? 5);
if (process.getuid?.() !== 0 || !(runs > 0)) {
  process.stderr.write('node bench/twin.ts [RUNS]: measures as root, RUNS times each.\n');
  process.exit(2);
}
const before = loadavg()[0] ?? 0;
const rows: string[] = [];
for (const shape of SHAPES) rows.push(await measure(shape));
process.stdout.write(
  `- ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}; load average ${before.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after\n\n`,
);
process.stdout.write(
  '| host | goal | whole proof | snapshot | build | snapshot, build and one replay | one replay, cleaned up after | start of the process |\n',
);
process.stdout.write('| --- | --- | --: | --: | --: | --: | --: | --: |\n');
process.stdout.write(`${rows.join('\n')}\n`);

async function measure({ name, goal, fill, damage, guilty }: Shape): Promise<string> {
  const namespace = `sbt-${process.pid}`;
  const remove = (): void => void spawnSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
  process.once('exit', remove);
  execFileSync('ip', ['netns', 'add', namespace]);
  const run: Run = (argv, input) => {
    execFileSync('ip', ['netns', 'exec', namespace, ...argv], { input, stdio: ['pipe', 'ignore', 'inherit'] });
  };
  run(
    ['ip', '-batch', '-'],
    'link add s0 type veth peer name c0\nlink set lo up\nlink set s0 up\nlink set c0 up\naddr add 10.65.0.2/24 dev s0\nroute add default via 10.65.0.1\nneigh replace 10.65.0.1 lladdr 02:00:00:00:00:01 dev s0\n',
  );
  fill(run);
  const stop = listenIn(namespace, '0.0.0.0', PORT);
  const host = new NetnsHost(namespace);
  const times: Record<'start' | 'snapshot' | 'build' | 'whole' | 'replay' | 'proof', number[]> = {
    proof: [],
    start: [],
    snapshot: [],
    build: [],
    whole: [],
    replay: [],
  };
  try {
    // The first run does not count.
    for (let number = 0; number <= runs; number++) {
      const startMs = performance.now();
      const twin = await TwinProcess.start();
      const startedMs = performance.now();
      const state = await snapshotHost(host, { port: PORT, client: SYN.source });
      const readMs = performance.now();
      await twin.build(state, { role: 'server', syn: SYN });
      const builtMs = performance.now();
      const { isAnswered } = await twin.ask('replay', SYN);
      const endMs = performance.now();
      if (!isAnswered) throw new Error(`the copy of the ${name} does not answer`);
      for (let count = 0; count < REPLAYS; count++) await twin.ask('replay', SYN);
      const replayMs = (performance.now() - endMs) / REPLAYS;
      await twin.close();
      if (number === 0) continue;
      times.start.push(startedMs - startMs);
      times.snapshot.push(readMs - startedMs);
      times.build.push(builtMs - readMs);
      times.whole.push(endMs - startedMs);
      times.replay.push(replayMs);
    }
    damage(run);
    for (let number = 0; number <= runs; number++) {
      const proofMs = await prove(host, guilty);
      if (number > 0) times.proof.push(proofMs);
    }
  } finally {
    stop();
    await host.close();
    remove();
    process.off('exit', remove);
  }
  const ms = (values: readonly number[]): string => `${median(values).toFixed(0)} ms`;
  return `| ${name} | ${goal} | ${ms(times.proof)} | ${ms(times.snapshot)} | ${ms(times.build)} | ${ms(times.whole)} | ${median(times.replay).toFixed(2)} ms | ${ms(times.start)} |`;
}

/** From the reading of the host to the verified verdict, in milliseconds; the processes of the copies run already. */
async function prove(host: NetnsHost, guilty: string): Promise<number> {
  const twins = await Promise.all([TwinProcess.start(), TwinProcess.start()]);
  const startMs = performance.now();
  const state = await snapshotHost(host, { port: PORT, client: FAR_SYN.source });
  const readMs = performance.now();
  const { proof } = await proveInTwin({
    ...{ state, syn: FAR_SYN, role: 'server', isObserved: true, seen: 'silence', assumptions: [], timeoutMs: 20_000 },
    twins: twins.map((twin) => Promise.resolve(twin)),
  });
  const [element] = proof.guilty;
  if (element?.kind !== guilty) throw new Error(`a ${guilty} is to blame, and the proof says ${JSON.stringify(proof)}`);
  return readMs - startMs + proof.elapsedMs;
}
