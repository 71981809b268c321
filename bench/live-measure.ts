import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { median, type Subject } from './measure.ts';

/** Times of the same question, asked of synscope and of something else by turns. */
export interface Times {
  readonly oursMs: readonly number[];
  readonly theirsMs: readonly number[];
}

/** Runs A B A B ... after one run of each that is not counted: it brings files into the page cache. */
export function timePair(ours: Subject, theirs: Subject, runs: number): Times {
  wallMs(ours);
  wallMs(theirs);
  const times: { oursMs: number[]; theirsMs: number[] } = { oursMs: [], theirsMs: [] };
  for (let i = 0; i < runs; i++) {
    times.oursMs.push(wallMs(ours));
    times.theirsMs.push(wallMs(theirs));
  }
  return times;
}

/** The median of the ratios of neighbouring runs. */
export function ratioOf({ oursMs, theirsMs }: Times): number {
  return median(oursMs.map((ms, i) => ms / theirsMs[i]!));
}

/** Wall time of a whole process, its start included. @throws Error when it fails. */
function wallMs({ name, argv: [program, ...args], succeedsWith }: Subject): number {
  const startMs = performance.now();
  const { status, stderr, error } = spawnSync(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  const endMs = performance.now();
  if (error !== undefined) throw error;
  if (!succeedsWith.includes(status ?? -1)) throw new Error(`${name} ended with ${status}: ${stderr.slice(0, 500)}`);
  return endMs - startMs;
}

/** What a process that runs beside others took, its children included. */
export interface Effort {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
}

/** A process whose effort is measured. */
export interface Running {
  readonly ended: Promise<Effort>;
  /** When the first byte of its output came, by `performance.now()`. */
  readonly firstOutputMs: Promise<number>;
  /** Ends it as Ctrl-C does. */
  interrupt(): void;
}

/** Starts a process under GNU time. */
export function start(argv: readonly string[]): Running {
  const child = spawn('/usr/bin/time', ['--quiet', '-f', 'effort %U %S %M', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const firstOutputMs = new Promise<number>((resolve) => {
    child.stdout.once('data', () => resolve(performance.now()));
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  return {
    firstOutputMs,
    ended: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => {
        const [, user, system, rssKiB] = /effort (\S+) (\S+) (\S+)/.exec(stderr) ?? [];
        if (rssKiB === undefined) reject(new Error(`${argv[0]} could not be measured: ${stderr.slice(0, 500)}`));
        else {
          const cpuSeconds = Number(user) + Number(system);
          resolve({ stdout, stderr, status, cpuSeconds, peakRssMiB: Number(rssKiB) / 1024 });
        }
      });
    }),
    interrupt() {
      // GNU time does not pass signals on.
      for (const pid of childrenOf(child.pid)) process.kill(pid, 'SIGINT');
    },
  };
}

function childrenOf(pid: number | undefined): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Waits until a process captures in a network namespace. */
export async function untilCaptured(namespace: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { stdout } = spawnSync('ip', ['netns', 'exec', namespace, 'cat', '/proc/net/packet'], { encoding: 'utf8' });
    if (stdout.trim().split('\n').length > 1) {
      // What is read before the watch begins has been read by then.
      await sleep(1000);
      return;
    }
    await sleep(50);
  }
  throw new Error(`nothing captures in ${namespace}`);
}
