/**
 * Measures what `synscope watch` costs: `node bench/watch.ts [CASE...]`, as root. Prints the rows of the table in docs/benchmarks.md.
 * SYNSCOPE names the bin/synscope.js of a build; that of this checkout unless set.
 */
import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeNetwork, PORT, SERVER } from './live-network.ts';
import { median } from './measure.ts';
import { WatchBed, WatchedWatch } from './watch-subject.ts';

const program = process.env.SYNSCOPE ?? fileURLToPath(new URL('../bin/synscope.js', import.meta.url));
const bed = new WatchBed();
const wanted = process.argv.slice(2);

const cases: Readonly<Record<string, () => Promise<string>>> = { idle, handshakes, flood, sockets, soak };

for (const [name, measure] of Object.entries(cases)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const before = loadavg()[0]!.toFixed(1);
  const row = await measure();
  console.log(`${row} | ${before}-${loadavg()[0]!.toFixed(1)} |`);
}
process.exit(0);

async function watching(namespace: string, ...more: readonly string[]): Promise<WatchedWatch> {
  const watch = new WatchedWatch(program, ['--on', `netns:${namespace}`, '--no-page', ...more]);
  await watch.ready();
  return watch;
}

/** Nothing happens. */
async function idle(): Promise<string> {
  const seconds = 60;
  const watch = new WatchedWatch(program, ['--on', `netns:${bed.namespace('idle')}`, '--listen', '127.0.0.1:0']);
  await watch.ready();
  const before = watch.usage();
  await sleep(seconds * 1000);
  const after = watch.usage();
  await watch.stop();
  const share = ((after.ownCpuSeconds - before.ownCpuSeconds) / seconds) * 100;
  return `| idle, ${seconds} s, with its page | under 0.2 % of a core, 120 MiB | ${share.toFixed(3)} %, ${after.rssMiB.toFixed(0)} MiB`;
}

/**
 * Connections in a namespace that is watched, and in one that is not, by turns of 20 ms. Each round is as long as a whole cycle of a busy
 * loopback (looked at for a moment, left alone for longer), and begins when the watch has seen that it is busy.
 */
async function handshakes(): Promise<string> {
  const [seen, unseen] = [bed.namespace('seen'), bed.namespace('unseen')];
  const watch = await watching(seen);
  const seconds = 20;
  const files = [seen, unseen].map((name) => `/run/netns/${name}`);
  const all: number[] = [];
  const kernels: number[] = [];
  let rate = 0;
  for (let round = 0; round < 12; round++) {
    let before = 0;
    // The order changes, in case the first one has it easier.
    const order = round % 2 === 0 ? files : files.toReversed();
    const result = (await bed.measured(['compare', '7777', `${seconds}`, '4', ...order], () => {
      before = watch.usage().ownCpuSeconds;
    })) as { connections: [number, number]; cpuSeconds: [number, number] };
    const ours = watch.usage().ownCpuSeconds - before;
    const [is, isNot] = round % 2 === 0 ? [0, 1] : ([1, 0] as const);
    const without = result.cpuSeconds[isNot]! / result.connections[isNot]!;
    all.push((result.cpuSeconds[is]! + ours) / result.connections[is]! / without);
    kernels.push(result.cpuSeconds[is]! / result.connections[is]! / without);
    // A half of the time belongs to each.
    rate = (2 * result.connections[is]!) / seconds;
  }
  await watch.stop();
  const percent = (value: number): string => `${((value - 1) * 100).toFixed(1)} %`;
  const quartiles = (values: readonly number[]): string => {
    const sorted = values.toSorted((a, b) => a - b);
    const [low, high] = [sorted[Math.floor(sorted.length / 4)]!, sorted[Math.floor((sorted.length * 3) / 4)]!];
    return `${percent(median(sorted))} more (quartiles ${percent(low)} to ${percent(high)})`;
  };
  return `| ${rate.toFixed(0)} handshakes/s on loopback, CPU for each against a namespace that is not watched | at most 2 % more | ${quartiles(all)}; of it ${percent(median(kernels))} in the kernel, for the connections themselves`;
}

/** SYNs from ever new sources, and a real client that fails meanwhile. */
async function flood(): Promise<string> {
  const network = makeNetwork();
  if (!('path' in network.generator)) return `| flood | - | not measured: ${network.generator.missing}`;
  const exec = (namespace: string, ...argv: string[]) =>
    spawn('ip', ['netns', 'exec', namespace, ...argv], { stdio: 'ignore' });
  for (const rule of [
    'add table inet bench',
    'add chain inet bench in { type filter hook input priority 0; }',
    'add rule inet bench in tcp dport 8081 drop',
  ]) {
    await new Promise((resolve) => exec(network.server, 'nft', ...rule.split(' ')).once('close', resolve));
  }
  const watch = await watching(network.server);
  const before = watch.usage();
  const startMs = Date.now();
  const { path } = network.generator;
  const generator = spawn(
    'ip',
    [
      'netns',
      'exec',
      network.client,
      'chrt',
      '-f',
      '10',
      path,
      'c0',
      network.serverMac,
      SERVER,
      `${PORT}`,
      '1000000',
      '200000',
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let said = '';
  generator.stdout.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const generated = new Promise((resolve) => generator.once('close', resolve));
  await sleep(1000);
  exec(network.client, process.execPath, '-e', `require('net').connect(8081, '${SERVER}').on('error', () => {})`);
  await generated;
  const seconds = (Date.now() - startMs) / 1000;
  const after = watch.usage();
  await sleep(10_000);
  const later = watch.usage();
  const found = watch.events.find(({ line }) => line.includes('netfilter-drop-in'));
  const noise = watch.events.some(({ line }) => line.includes('syn-flood'));
  await watch.stop();
  network.remove();
  const { sent, seconds: sending } = JSON.parse(said) as { sent: number; seconds: number };
  const share = ((after.ownCpuSeconds - before.ownCpuSeconds) / seconds) * 100;
  const incident = found === undefined ? 'the real incident was NOT found' : 'the real incident was found';
  return `| a flood of ${(sent / sending).toFixed(0)} SYN/s, and a client that fails at another port | under 25 % of a core, bounded memory, the incident found | ${share.toFixed(1)} %, ${before.rssMiB.toFixed(0)} to ${Math.max(after.rssMiB, later.rssMiB).toFixed(0)} MiB; ${incident}, the flood is ${noise ? 'one incident' : 'NOT told'}`;
}

/** Many open sockets must not matter. */
async function sockets(): Promise<string> {
  const [full, empty] = [bed.namespace('full'), bed.namespace('empty')];
  const holder = await bed.hold(full, 500, 100_000);
  const watches = [await watching(full), await watching(empty)];
  const before = watches.map((one) => one.usage());
  await sleep(60_000);
  const shares = watches.map((one, i) => ((one.usage().ownCpuSeconds - before[i]!.ownCpuSeconds) / 60) * 100);
  const [ours, theirs] = watches.map((one) => one.usage().ownRssMiB);
  for (const one of watches) await one.stop();
  holder.stdin?.end();
  return `| 100,000 open sockets and 500 listeners, idle, against none | no work that grows with connections | ${shares[0]!.toFixed(3)} % of a core against ${shares[1]!.toFixed(3)} %, ${ours!.toFixed(0)} MiB against ${theirs!.toFixed(0)} MiB`;
}

/** As many attempts as a quiet day has, in minutes. */
async function soak(): Promise<string> {
  const namespace = bed.namespace('soak');
  const watch = await watching(namespace);
  const round = async (): Promise<void> => {
    bed.run(namespace, 'refused', '4444', '2000');
    bed.run(namespace, 'handshakes', '7777', '2');
    await sleep(4000);
  };
  for (let i = 0; i < 4; i++) await round();
  const first = watch.usage();
  const sizes: number[] = [first.ownRssMiB];
  for (let i = 0; i < 12; i++) {
    await round();
    sizes.push(watch.usage().ownRssMiB);
  }
  const last = watch.usage();
  await watch.stop();
  return `| soak: 16 rounds of 2,000 refused attempts and 2 s of handshakes | flat memory and descriptors | ${first.ownRssMiB.toFixed(0)} MiB after 4 rounds, ${last.ownRssMiB.toFixed(0)} MiB after 16 (most ${Math.max(...sizes).toFixed(0)}); ${first.descriptors} and ${last.descriptors} descriptors`;
}
