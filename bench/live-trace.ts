import { spawnSync } from 'node:child_process';
import type { LiveRow } from './live.ts';
import { type LiveNetwork, PORT, SERVER } from './live-network.ts';
import { median } from './measure.ts';
import { synscope } from './scenarios.ts';

/** What a trace prints, as far as it is measured. */
interface Traced {
  readonly diagnoses: readonly {
    readonly cause: { readonly id: string } | null;
    readonly handshake: { readonly startedAt: string; readonly endedAt: string };
  }[];
}

/**
 * A whole `trace`, from its start to its verdict, without the time in which the attempts themselves go on: from the first SYN to the
 * last packet of any of them. The server drops the SYN by a rule, and both ends are asked everything.
 */
export function traceVerdict({ client, server }: LiveNetwork, runs: number): LiveRow {
  const rule = (text: string): void => {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', server, 'nft', '-f', '-'], {
      input: text,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`nft: ${stderr}`);
  };
  const ends = ['--client', `netns:${client}`, '--server', `netns:${server}`, '--attempts', '1', '--json'];
  const [program = '', ...args] = synscope('trace', `${SERVER}:${PORT}`, ...ends).argv;
  const tookMs: number[] = [];
  const attemptMs: number[] = [];
  rule(`table inet bench {\n chain i {\n type filter hook input priority 0\n tcp dport ${PORT} drop\n }\n}\n`);
  try {
    for (let run = 0; run <= runs; run++) {
      console.error(`  trace ${run}/${runs}`);
      const startMs = performance.now();
      const { stdout } = spawnSync(program, args, { encoding: 'utf8' });
      const wholeMs = performance.now() - startMs;
      const { diagnoses } = JSON.parse(stdout) as Traced;
      if (diagnoses[0]?.cause?.id !== 'netfilter-drop-in') throw new Error(`another verdict: ${stdout.slice(0, 300)}`);
      const times = diagnoses.flatMap(({ handshake }) =>
        [handshake.startedAt, handshake.endedAt].map((text) => Date.parse(text)),
      );
      const waitedMs = Math.max(...times) - Math.min(...times);
      // The first run brings files into the page cache.
      if (run === 0) continue;
      attemptMs.push(waitedMs);
      tookMs.push(wholeMs - waitedMs);
    }
  } finally {
    rule('delete table inet bench\n');
  }
  const round = (value: number): string => value.toFixed(0);
  return {
    what: '`synscope trace`, both ends in namespaces: from its start to the verdict, without the time of the attempt',
    goal: 'under 3 s',
    ours: `${round(median(tookMs))} ms (${round(Math.min(...tookMs))}-${round(Math.max(...tookMs))}), and ${round(median(attemptMs))} ms between the SYN and its repetition`,
    against: '-',
    theirs: '-',
    ratio: '-',
  };
}
