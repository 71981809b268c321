import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** What a process and its children have used. */
export interface Usage {
  /** Time on the processor, of the process alone: one that keeps the history may come and go. */
  readonly ownCpuSeconds: number;
  readonly rssMiB: number;
  /** Of the process alone. */
  readonly ownRssMiB: number;
  readonly descriptors: number;
}

/** A running `synscope watch` that is measured. */
export class WatchedWatch {
  readonly state: string = mkdtempSync(join(tmpdir(), 'synscope-bench-watch-'));
  readonly events: { readonly atMs: number; readonly line: string }[] = [];
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;

  /** @param program path of bin/synscope.js. */
  constructor(program: string, args: readonly string[]) {
    this.child = spawn(process.execPath, [program, 'watch', '--json', '--state', this.state, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let rest = '';
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.events.push({ atMs: Date.now(), line });
    });
    this.ended = new Promise((resolve) => this.child.once('close', () => resolve()));
  }

  async ready(): Promise<void> {
    while (!existsSync(join(this.state, 'control.sock'))) await sleep(50);
    // What is compiled and read once has been.
    await sleep(8000);
  }

  usage(): Usage {
    const pid = this.child.pid!;
    const all = [pid, ...childrenOf(pid)];
    return {
      ownCpuSeconds: cpuOf(pid),
      rssMiB: all.reduce((sum, one) => sum + rssOf(one), 0),
      ownRssMiB: rssOf(pid),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
    };
  }

  async stop(): Promise<void> {
    this.child.kill('SIGINT');
    await this.ended;
    rmSync(this.state, { recursive: true, force: true });
  }
}

function childrenOf(pid: number): number[] {
  // Each thread has its own.
  const direct = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return direct.flatMap((one) => [one, ...childrenOf(one)]);
}

/** Precise, unlike the ticks of `stat`: nanoseconds on the processor, of all threads. */
function cpuOf(pid: number): number {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  }
  return sum;
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** Namespaces and programs for the measurements; removed when the process ends. */
export class WatchBed {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'synscope-bench-bed-'));
  readonly load: string = join(this.folder, 'watch-load');
  private readonly names: string[] = [];
  private readonly children: ChildProcess[] = [];

  constructor() {
    process.on('exit', () => this.remove());
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
    const source = fileURLToPath(new URL('watch-load.c', import.meta.url));
    execFileSync('cc', ['-O2', '-o', this.load, source]);
  }

  /** A namespace with loopback. */
  namespace(label: string): string {
    const name = `sbw-${label}-${process.pid}`;
    this.names.push(name);
    execFileSync('ip', ['netns', 'add', name]);
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return name;
  }

  /** Runs the load in a namespace, to its end, with real-time priority where that may be had. */
  run(namespace: string, ...args: readonly string[]): string {
    return execFileSync('ip', ['netns', 'exec', namespace, 'chrt', '-f', '10', this.load, ...args], {
      encoding: 'utf8',
    });
  }

  /** Runs the load with real-time priority, and tells when it has warmed up. @returns what it printed at its end. */
  async measured(args: readonly string[], onWarm: () => void): Promise<unknown> {
    const child = spawn('chrt', ['-f', '10', this.load, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (said === '') onWarm();
      said += text;
    });
    await new Promise((resolve) => child.once('close', resolve));
    return JSON.parse(said.split('\n')[1] ?? '');
  }

  async hold(namespace: string, listeners: number, sockets: number): Promise<ChildProcess> {
    const child = spawn('ip', ['netns', 'exec', namespace, this.load, 'hold', `${listeners}`, `${sockets}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.children.push(child);
    await new Promise((resolve, reject) => {
      child.stdout?.once('data', resolve);
      child.once('close', () => reject(new Error('the sockets could not be opened')));
    });
    return child;
  }

  private remove(): void {
    for (const child of this.children) child.stdin?.end();
    for (const name of this.names) spawnSync('ip', ['netns', 'del', name]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
