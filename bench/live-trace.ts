import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { sshMissing } from '../src/host/testing/ssh-server.ts';
import { startSshNetwork } from '../test/trace-ssh.ts';
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

/** How both ends are reached. */
interface Way {
  readonly kind: 'netns:' | 'ssh:root@';
  readonly words: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A whole `trace` with both ends in namespaces of this machine. */
export function traceVerdict(network: LiveNetwork, runs: number): LiveRow {
  return traced(network, runs, { kind: 'netns:', words: 'both ends in namespaces' });
}

/** A whole `trace` with both ends behind an ssh server each; a text says why it cannot be measured. */
export async function traceOverSsh(network: LiveNetwork, runs: number): Promise<LiveRow | string> {
  const missing =
    sshMissing() ??
    (spawnSync('tcpdump', ['--version']).status === 0 ? undefined : 'needs tcpdump for captures over ssh');
  if (missing !== undefined) return missing;
  const ssh = await startSshNetwork([network.client, network.server]);
  try {
    return traced(network, runs, { kind: 'ssh:root@', words: 'both ends over ssh', env: ssh.env });
  } finally {
    await ssh.stop();
  }
}

/**
 * From the start of `trace` to its verdict, without the time in which the attempts themselves go on: from the first SYN to the last
 * packet of any of them. The server drops the SYN by a rule, and both ends are asked everything.
 */
function traced({ client, server }: LiveNetwork, runs: number, { kind, words, env = {} }: Way): LiveRow {
  const rule = (text: string): void => {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', server, 'nft', '-f', '-'], {
      input: text,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`nft: ${stderr}`);
  };
  const ends = ['--client', `${kind}${client}`, '--server', `${kind}${server}`, '--attempts', '1', '--json'];
  const [program = '', ...args] = synscope('trace', `${SERVER}:${PORT}`, ...ends).argv;
  const tookMs: number[] = [];
  const attemptMs: number[] = [];
  rule(`table inet bench {\n chain i {\n type filter hook input priority 0\n tcp dport ${PORT} drop\n }\n}\n`);
  try {
    for (let run = 0; run <= runs; run++) {
      console.error(`  trace, ${words} ${run}/${runs}`);
      const startMs = performance.now();
      const { stdout } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, ...env } });
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
    what: `\`synscope trace\`, ${words}: from its start to the verdict, without the time of the attempt`,
    goal: 'under 3 s',
    ours: `${round(median(tookMs))} ms (${round(Math.min(...tookMs))}-${round(Math.max(...tookMs))}), and ${round(median(attemptMs))} ms between the SYN and its repetition`,
    against: '-',
    theirs: '-',
    ratio: '-',
  };
}
