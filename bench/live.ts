import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { type Effort, ratioOf, start, timePair, untilCaptured } from './live-measure.ts';
import { type LiveNetwork, PORT, SERVER, STRANGER } from './live-network.ts';
import { traceOverSsh, traceVerdict } from './live-trace.ts';
import { median, type Subject } from './measure.ts';
import { synscope, toolVersion } from './scenarios.ts';

/** One line of the table of live diagnosis. */
export interface LiveRow {
  readonly what: string;
  readonly goal: string;
  readonly ours: string;
  readonly against: string;
  readonly theirs: string;
  readonly ratio: string;
}

/** One question of live diagnosis. */
export interface LiveCase {
  readonly id: string;
  /** Measures it; a text says why it cannot be. */
  run(network: LiveNetwork, runs: number): Promise<LiveRow | string> | LiveRow | string;
}

const ANY_VERDICT: readonly number[] = [0, 1, 3];
const FLOOD_SYNS = 300_000;
const FLOOD_RATE = 100_000;

/** All cases, in the order of the table. */
export const LIVE_CASES: readonly LiveCase[] = [
  {
    id: 'help',
    run: (_, runs) =>
      timed('`synscope --help`', 'under 80 ms', runs, synscope('--help'), {
        name: 'node -e 0',
        argv: [process.execPath, '-e', '0'],
        succeedsWith: [0],
      }),
  },
  {
    id: 'from-local',
    run: (_, runs) =>
      timed('`synscope listen 22 --from ADDR`', 'under 300 ms', runs, listenFrom('192.0.2.7', 22), byHand('192.0.2.7')),
  },
  {
    id: 'from-netns',
    run: ({ server }, runs) =>
      timed(
        `\`synscope listen ${PORT} --from ADDR --on netns:NAME\``,
        'under 300 ms',
        runs,
        listenFrom(STRANGER, PORT, '--on', `netns:${server}`),
        byHand(STRANGER, 'ip', 'netns', 'exec', server),
      ),
  },
  {
    id: 'connect',
    run: ({ client }, runs) => {
      const plain = `require('node:net').connect(${PORT}, '${SERVER}', function () { this.destroy(); })`;
      const theirs: Subject = {
        name: 'a plain connect() by Node',
        argv: ['ip', 'netns', 'exec', client, process.execPath, '-e', plain],
        succeedsWith: [0],
      };
      const ours = withVerdict(synscope('connect', `${SERVER}:${PORT}`, '--on', `netns:${client}`));
      return timed(
        '`synscope connect`, all is well',
        'adds under 150 ms, its hold of 30 ms included',
        runs,
        ours,
        theirs,
        'adds',
      );
    },
  },
  { id: 'verdict', run: verdict },
  { id: 'trace', run: traceVerdict },
  { id: 'trace-ssh', run: traceOverSsh },
  { id: 'flood', run: flood },
];

function timed(
  what: string,
  goal: string,
  runs: number,
  ours: Subject,
  theirs: Subject,
  kind: 'whole' | 'adds' = 'whole',
): LiveRow {
  console.error(`  ${ours.name} | ${theirs.name}`);
  const times = timePair(ours, theirs, runs);
  const added = times.oursMs.map((ms, i) => ms - times.theirsMs[i]!);
  return {
    what,
    goal,
    ours: kind === 'whole' ? spread(times.oursMs) : `${spread(times.oursMs)}; adds ${spread(added)}`,
    against: `\`${theirs.name}\``,
    theirs: spread(times.theirsMs),
    ratio: ratioOf(times).toFixed(2),
  };
}

/** From the SYN that no answer follows to the first line of the verdict: the server has no route back. */
async function verdict({ client, server }: LiveNetwork, runs: number): Promise<LiveRow> {
  const tookMs: number[] = [];
  for (let run = 0; run < runs; run++) {
    console.error(`  verdict ${run + 1}/${runs}`);
    const { argv } = synscope('listen', String(PORT), '--on', `netns:${server}`, '--for', '20s');
    const listening = start(argv);
    await untilCaptured(server);
    const source = `const o = { port: ${PORT}, host: '${SERVER}', localAddress: '${STRANGER}' };
      console.log(performance.timeOrigin + performance.now());
      require('node:net').connect(o).on('error', () => {});
      setTimeout(() => process.exit(), 4000);`;
    const trying = start(['ip', 'netns', 'exec', client, process.execPath, '-e', source]);
    const firstOutputMs = performance.timeOrigin + (await listening.firstOutputMs);
    const { stdout: report } = await listening.ended;
    const { stdout: sentAt } = await trying.ended;
    if (!report.includes('no route')) throw new Error(`another verdict than no route back: ${report.slice(0, 300)}`);
    tookMs.push(firstOutputMs - Number(sentAt));
  }
  return {
    what: '`synscope listen`: from the SYN to the verdict on screen, no route back',
    goal: 'under 1.5 s',
    ours: spread(tookMs),
    against: '-',
    theirs: '-',
    ratio: '-',
  };
}

/** A flood on an open port: what was counted of what was sent, and the effort of it. */
async function flood(network: LiveNetwork): Promise<LiveRow | string> {
  const { generator, server } = network;
  if ('missing' in generator) return generator.missing;
  if (toolVersion('tcpdump') === undefined) return 'tcpdump is not installed';
  const listen = synscope('listen', String(PORT), '--on', `netns:${server}`, '--keep', '--for', '12s', '--json');
  const ours = await underFlood(network, generator.path, listen.argv);
  const filter = `tcp port ${PORT} and tcp[tcpflags] & (tcp-syn|tcp-rst) != 0`;
  const dump = ['ip', 'netns', 'exec', server, 'tcpdump', '-i', 'any', '-s', '192', '-w', '/dev/null', filter];
  const theirs = await underFlood(network, generator.path, dump);
  const report = JSON.parse(ours.effort.stdout) as {
    readonly summary: { readonly handshakes: number; readonly outcomes: Readonly<Record<string, number>> };
    readonly notes: readonly { readonly code: string; readonly statement: string }[];
  };
  const lost = report.notes.find(({ code }) => code === 'capture-lost')?.statement ?? 'nothing lost';
  // A SYN-ACK that is repeated after its attempt was judged early belongs to none.
  const counted = report.summary.handshakes - (report.summary.outcomes['one-sided'] ?? 0);
  const dropped = /(\d+) packets dropped by kernel/.exec(theirs.effort.stderr)?.[1] ?? '?';
  const effortOf = ({ cpuSeconds, peakRssMiB }: Effort): string =>
    `${cpuSeconds.toFixed(2)} s CPU, ${peakRssMiB.toFixed(0)} MiB`;
  return {
    what: `\`synscope listen --keep\` in a flood of ${count(ours.sent)} SYNs at ${count(Math.round(ours.sent / ours.seconds))}/s`,
    goal: 'counts every one',
    ours: `counted ${count(counted)}, ${lost}; ${effortOf(ours.effort)}`,
    against: '`tcpdump -w /dev/null`',
    theirs: `${count(Number(dropped))} packets dropped; ${effortOf(theirs.effort)}`,
    ratio: `${(ours.effort.cpuSeconds / theirs.effort.cpuSeconds).toFixed(2)} (CPU)`,
  };
}

/** Runs something while the generator sends, and ends it a moment after. */
async function underFlood(
  { client, server, serverMac }: LiveNetwork,
  generator: string,
  argv: readonly string[],
): Promise<{ readonly effort: Effort; readonly sent: number; readonly seconds: number }> {
  console.error(`  flood | ${argv.slice(-8).join(' ')}`);
  const running = start(argv);
  await untilCaptured(server);
  const amounts = [String(FLOOD_SYNS), String(FLOOD_RATE)];
  const sending = ['netns', 'exec', client, generator, 'c0', serverMac, SERVER, String(PORT), ...amounts];
  const { stdout, stderr } = spawnSync('ip', sending, { encoding: 'utf8' });
  if (stdout === '') throw new Error(`the generator sent nothing: ${stderr}`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  running.interrupt();
  return { effort: await running.ended, ...(JSON.parse(stdout) as { sent: number; seconds: number }) };
}

function listenFrom(address: string, port: number, ...more: readonly string[]): Subject {
  return withVerdict(synscope('listen', String(port), '--from', address, ...more));
}

function withVerdict(subject: Subject): Subject {
  return { ...subject, succeedsWith: ANY_VERDICT };
}

/** The first two commands of the walk by hand. */
function byHand(address: string, ...within: readonly string[]): Subject {
  return {
    name: 'ip route get; ss -ltn',
    argv: [...within, 'sh', '-c', 'ip route get "$0"; ss -ltn', address],
    succeedsWith: [0],
  };
}

function spread(ms: readonly number[]): string {
  const round = (value: number): string => value.toFixed(0);
  return `${round(median(ms))} ms (${round(Math.min(...ms))}-${round(Math.max(...ms))})`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
