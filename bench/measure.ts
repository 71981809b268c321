import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** A command line to measure, and the exit codes with which it succeeds. */
export interface Subject {
  readonly name: string;
  readonly argv: readonly string[];
  readonly succeedsWith: readonly number[];
}

/** What one run of a whole process, children included, took. */
export interface Measurement {
  /** User and system time. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly peakRssMiB: number;
}

/**
 * Runs a command to its end, output into a file, and measures it with GNU time.
 * @throws Error when it fails, or when GNU time is not installed (Debian package `time`).
 */
export function measure({ name, argv, succeedsWith }: Subject): Measurement {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-bench-run-'));
  const output = openSync(join(folder, 'output'), 'w');
  try {
    const report = join(folder, 'time');
    const { status, stderr, error } = spawnSync(
      '/usr/bin/time',
      ['--quiet', '-o', report, '-f', '%U %S %e %M', ...argv],
      { stdio: ['ignore', output, 'pipe'], encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
    );
    if (error !== undefined) throw new Error(`/usr/bin/time could not be run (Debian package time): ${error.message}`);
    if (!succeedsWith.includes(status ?? -1)) throw new Error(`${name} ended with ${status}: ${stderr.slice(0, 500)}`);
    const [user, system, wall, rssKiB] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
    return { cpuSeconds: user! + system!, wallSeconds: wall!, peakRssMiB: rssKiB! / 1024 };
  } finally {
    closeSync(output);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Two subjects that were run alternately, so that what else the machine did hit both alike. */
export interface Pair {
  readonly ours: readonly Measurement[];
  readonly theirs: readonly Measurement[];
}

/** Runs A B A B ... */
export function measurePair(ours: Subject, theirs: Subject, runs: number): Pair {
  const pair: { ours: Measurement[]; theirs: Measurement[] } = { ours: [], theirs: [] };
  for (let i = 0; i < runs; i++) {
    console.error(`  ${i + 1}/${runs} ${ours.name} | ${theirs.name}`);
    pair.ours.push(measure(ours));
    pair.theirs.push(measure(theirs));
  }
  return pair;
}

/** The middle value; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}
