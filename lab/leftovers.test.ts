import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { LabStep } from '../src/model/scenario.ts';
import { findLeftovers, isRunning, sweepLeftovers } from './leftovers.ts';
import { type Runnable, runScenario, type Setting } from './run-scenario.ts';
import { labMissing, processesOf, tracesOf } from './testing.ts';

const missing = labMissing();
if (missing !== undefined) console.log(`skipped: what runs of the lab leave (${missing})`);

/** A stopped listener in a cgroup, with a BPF program, a further namespace, and files in /etc. */
const MESSY: Runnable = {
  plan: ({ unique, elsewhere, ip }) => ({
    listener: { cgroup: unique, backlog: 1 },
    steps: [
      { on: 'server', bpf: { hook: 'cgroup-ingress', cgroup: unique, action: 'deny' } },
      { on: 'server', signal: 'STOP' },
      { on: 'router', attach: { name: 'far', address: elsewhere } },
      { on: 'client', etc: { 'resolv.conf': 'nameserver 198.18.0.1\n' } },
      { on: 'server', run: [...ip, 'route', 'del', 'default'] },
    ],
  }),
};

describe.skipIf(missing !== undefined)('after a run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-lab-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What there was while it ran, and what is there afterwards. */
  async function run(
    scenario: Runnable,
    examine: (setting: Setting) => Promise<void>,
  ): Promise<[number, string[], number[]]> {
    let name = '';
    let pids: number[] = [];
    let seen = 0;
    await runScenario(scenario, { family: 6, seed: 5 }, async (setting) => {
      name = setting.lab.addresses.run;
      pids = processesOf(name);
      seen = tracesOf(name).length;
      await examine(setting);
    }).catch((error: unknown) => {
      if (!(error instanceof Error) || error.message !== 'examined enough') throw error;
    });
    return [seen, tracesOf(name), pids.filter(isRunning)];
  }

  it('nothing is left', async () => {
    const [seen, left, alive] = await run(MESSY, async () => undefined);
    expect(seen).toBeGreaterThanOrEqual(6);
    expect([left, alive]).toEqual([[], []]);
  });

  it('nothing is left when what looked at it failed', async () => {
    const [, left, alive] = await run(MESSY, async () => {
      throw new Error('examined enough');
    });
    expect([left, alive]).toEqual([[], []]);
  });

  it('nothing is left when a step failed', async () => {
    const before = tracesOf(`ss${process.pid}x`);
    const step: LabStep = { on: 'server', run: ['ip', 'route', 'add', 'nonsense'] };
    const broken: Runnable = { plan: () => ({ steps: [step] }) };
    await expect(runScenario(broken, { family: 4, seed: 5 }, async () => undefined)).rejects.toThrow('nonsense');
    expect(tracesOf(`ss${process.pid}x`)).toEqual(before);
  });

  it('nothing is left when it was aborted', async () => {
    const stop = new AbortController();
    let name = '';
    let pids: number[] = [];
    const aborted = runScenario(MESSY, { family: 4, seed: 5, signal: stop.signal }, async (setting) => {
      name = setting.lab.addresses.run;
      pids = processesOf(name);
      setTimeout(() => stop.abort(new Error('enough')), 100);
      await setting.attempt();
    });
    await expect(aborted).rejects.toThrow('enough');
    expect(pids.length).toBeGreaterThanOrEqual(2);
    expect([tracesOf(name), pids.filter(isRunning)]).toEqual([[], []]);
  });

  /** Starts a run of the messy scenario in a process of its own, and waits until it is set up. */
  async function startElsewhere(): Promise<ChildProcess> {
    const file = join(folder, 'messy.mjs');
    writeFileSync(file, `export const scenario = { plan: ${String(MESSY.plan)} };\n`);
    const child = spawn(
      process.execPath,
      ['--no-warnings', 'lab/verify-scenario.ts', file, '--family', '4', '--quiet'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    for await (const text of child.stdout.setEncoding('utf8')) {
      if (String(text).includes('ready after')) break;
    }
    return child;
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('nothing is left after %s', async (signal) => {
    const child = await startElsewhere();
    const run = `ss${child.pid}x`;
    const pids = processesOf(run);
    expect(tracesOf(run).length).toBeGreaterThanOrEqual(6);
    child.kill(signal);
    await once(child, 'exit');
    expect([tracesOf(run), pids.filter(isRunning)]).toEqual([[], []]);
  });

  it('the next start removes what a killed one left, and nothing else', async () => {
    const [victim, bystander] = [await startElsewhere(), await startElsewhere()];
    const run = `ss${victim.pid}x`;
    const other = `ss${bystander.pid}x`;
    const pids = processesOf(run);
    try {
      victim.kill('SIGKILL');
      await once(victim, 'exit');
      await sleep(50);
      expect(tracesOf(run).length).toBeGreaterThanOrEqual(6);
      expect(findLeftovers().some((name) => name.startsWith(run))).toBe(true);
      await sweepLeftovers();
      expect([tracesOf(run), pids.filter(isRunning)]).toEqual([[], []]);
      expect(tracesOf(other).length).toBeGreaterThanOrEqual(6);
    } finally {
      bystander.kill('SIGTERM');
      await once(bystander, 'exit');
    }
    expect(tracesOf(other)).toEqual([]);
  });
});
