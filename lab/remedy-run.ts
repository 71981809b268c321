import { mkdirSync, writeFileSync } from 'node:fs';
import type { Host } from '../src/host/host.ts';
import { HostError } from '../src/host/host.ts';
import { openHost } from '../src/host/open-host.ts';
import type { ConnectResult } from '../src/model/facts/attempt.ts';
import type { RepairPlan } from '../src/model/repair.ts';
import { Journal } from '../src/remedy/journal/journal.ts';
import { newRepairId } from '../src/remedy/repair.ts';
import { applyPlan, undoableRepair, undoRepair } from '../src/service/fix.ts';
import { type Fault, faultsOf } from '../src/service/fix-fault.ts';
import { isApplicable, planRepair } from '../src/service/fix-plan.ts';
import { Verifier } from '../src/service/fix-verify.ts';
import type { LabJob } from './campaign.ts';
import { LabClientHost } from './client-host.ts';
import { diagnoseClient, diagnoseServer } from './diagnose.ts';
import { NamedRules } from './follow-rules.ts';
import { prefixLength } from './plan-names.ts';
import { type Kills, killEverywhere } from './remedy-kill.ts';
import { difference, snapshot, stepStates } from './remedy-snapshot.ts';
import { runScenario, ScenarioSkipped, type Setting } from './run-scenario.ts';

/** What became of one remedy in one run of a scenario. */
export interface RemedyOutcome {
  readonly cause: string;
  readonly remedy: string;
  readonly family: 4 | 6;
  readonly variant?: string;
  /** Kinds of changes. */
  readonly changes: readonly string[];
  /**
   * `verified`: repaired, a real connect works, undone, fails again. `taken-back`: it did not help and was undone by itself.
   * `not-applicable`: why the plan could not be applied. `wrong`: something was not as it must be.
   */
  readonly result: 'verified' | 'taken-back' | 'not-applicable' | 'wrong';
  readonly statement: string;
  /** Whether a real connect failed again after it was undone; what was full may need time to fill again. */
  readonly failsAgain?: boolean;
  /** Ways in which it was killed, and how many of them left nothing half-done. */
  readonly kills?: Kills;
}

/** How a scenario is run. */
export interface RemedyRunOptions {
  readonly seed: number;
  /** Whether a repair is to be killed between any two entries of its journal as well. */
  readonly kill: (remedy: Pick<RemedyOutcome, 'cause' | 'remedy' | 'changes'>) => boolean | 'few';
  readonly signal?: AbortSignal;
}

/** Breaks a lab, and tries every remedy of its cause. */
export async function runRemedies(job: LabJob, options: RemedyRunOptions): Promise<RemedyOutcome[]> {
  const { cause, runnable, family, variant } = job;
  if (cause === undefined || cause.place === 'path') return [];
  const about = { cause: cause.id, family, ...(variant === undefined ? {} : { variant }) };
  try {
    return await runScenario(
      runnable,
      { family, variant, seed: options.seed, signal: options.signal },
      async (setting) => {
        if (LOSING.has(cause.id)) configure(setting, cause.place === 'client' ? 'client' : 'server');
        const side = cause.place === 'client' ? 'client' : 'server';
        const report = await (side === 'client' ? diagnoseClient : diagnoseServer)(setting, { signal: options.signal });
        const [found] = faultsOf(report, side, cause.id);
        if (found === undefined) return [];
        // Where no SYN was seen, a person knows which address clients call.
        const fault = /^(0\.0\.0\.0|::)$/.test(found.server.address) ? { ...found, server: setting.target } : found;
        const rules = await NamedRules.of(await openHost(setting.hosts[side]), fault);
        const outcomes: RemedyOutcome[] = [];
        for (const offer of fault.remedies.filter(isApplicable)) {
          const changes = [...new Set(offer.changes.map((change) => (change as { kind: string }).kind))];
          const named = { ...about, remedy: offer.id, changes };
          const trial = new RemedyTrial(setting, await rules.follow(fault), offer.id, rules, options);
          outcomes.push({ ...named, ...(await trial.run(options.kill(named))) });
        }
        return outcomes;
      },
    );
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof ScenarioSkipped) return [];
    const statement = error instanceof Error ? error.message : String(error);
    return [{ ...about, remedy: '-', changes: [], result: 'wrong', statement }];
  }
}

/** Causes with which an interface loses its addresses: real hosts get them back from their configuration, so the lab must have one. */
const LOSING: ReadonlySet<string> = new Set(['ipv6-disabled-server', 'client-no-usable-source', 'client-link-down']);

/** Writes what a node has as its configuration of netplan, where `ip netns exec` looks for it. */
function configure({ lab, names }: Setting, node: 'client' | 'server'): void {
  const { 4: v4, 6: v6 } = lab.addresses.links;
  const folder = `/etc/netns/${lab.namespace(node)}/netplan`;
  const [one, other] = [v4[node], v6[node]];
  const ethernet = {
    addresses: [one, other].map(({ host, prefix }) => `${host}/${prefixLength(prefix)}`),
    routes: [one, other].map(({ router }) => ({ to: 'default', via: router })),
  };
  mkdirSync(folder, { recursive: true });
  const device = node === 'client' ? names.clientDevice : names.serverDevice;
  writeFileSync(`${folder}/lab.yaml`, JSON.stringify({ network: { version: 2, ethernets: { [device]: ethernet } } }));
}

type Outcome = Pick<RemedyOutcome, 'result' | 'statement' | 'kills' | 'failsAgain'>;

class RemedyTrial {
  private readonly setting: Setting;
  private fault: Fault;
  private readonly remedyId: string;
  private readonly options: RemedyRunOptions;
  private readonly node: 'client' | 'server';
  private readonly journal = new Journal();
  private readonly rules: NamedRules;

  constructor(setting: Setting, fault: Fault, remedyId: string, rules: NamedRules, options: RemedyRunOptions) {
    this.setting = setting;
    this.fault = fault;
    this.remedyId = remedyId;
    this.rules = rules;
    this.options = options;
    this.node = fault.side;
  }

  async run(killed: boolean | 'few'): Promise<Outcome> {
    const host = await this.open();
    const peer = this.fault.side === 'server' ? await this.openClient() : undefined;
    try {
      const outcome = await this.repair(host, peer);
      const kills = killed === false ? undefined : await this.kill(host, killed === 'few');
      return { ...outcome, ...(kills === undefined ? {} : { kills }) };
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return { result: 'wrong', statement: error.message };
    } finally {
      await host.close();
      await peer?.close();
    }
  }

  /** Broken, fixed, verified, undone, broken again. */
  private async repair(host: Host, peer: Host | undefined): Promise<Outcome> {
    const { fault, journal, setting } = this;
    const verifier = new Verifier({ host, fault, waitMs: 5000, ...(peer === undefined ? {} : { peer }) });
    const id = newRepairId();
    const plan = await this.plan(host, id, verifier.how);
    const [blocked] = plan.blocked;
    if (blocked !== undefined) return { result: 'not-applicable', statement: blocked.reason };
    if (plan.steps.every(({ alreadySo }) => alreadySo))
      return { result: 'not-applicable', statement: 'it is so already' };
    const before = await this.state(host, plan);
    const result = await applyPlan({ host, journal, plan, fault, id, by: 'person', verifier });
    if (result.outcome !== 'verified') {
      const isExact = plan.steps.every(({ cannotUndo }) => cannotUndo === undefined);
      const left = isExact ? difference(before, await this.state(host, plan)) : '';
      if (result.outcome === 'failed' || left !== '')
        return { result: 'wrong', statement: `${result.statement} ${left}` };
      return { result: 'taken-back', statement: result.statement };
    }
    const works = worked(await setting.attempt(), fault);
    const story = undoableRepairOrNot(journal, id);
    if (story === undefined) {
      return works
        ? { result: 'verified', statement: `${result.statement}; it cannot be undone` }
        : { result: 'wrong', statement: `verified (${result.statement}), and a real connect fails` };
    }
    const undone = await undoRepair(host, journal, story);
    const left = difference(before, await this.state(host, plan));
    const worksStill = worked(await setting.attempt(), fault);
    const wrong = [
      ...(works ? [] : [`verified (${result.statement}), and a real connect fails`]),
      ...(undone.outcome === 'verified' ? [] : [`not undone: ${undone.statement}`]),
      ...(left === '' ? [] : [`undoing left: ${left}`]),
    ];
    return wrong.length > 0
      ? { result: 'wrong', statement: wrong.join('; ') }
      : { result: 'verified', statement: result.statement, failsAgain: !worksStill };
  }

  private kill(host: Host, few: boolean): Promise<Kills | undefined> {
    return killEverywhere({
      host,
      few,
      fault: () => this.fault,
      plan: async (id) => {
        this.fault = await this.rules.follow(this.fault);
        return this.plan(host, id, '');
      },
      state: (plan) => this.state(host, plan),
      signal: this.options.signal,
    });
  }

  private async plan(host: Host, id: string, verification: string): Promise<RepairPlan> {
    const { fault, remedyId, setting } = this;
    const options = { id, remedyId, ownsPolicy: true, verification };
    const plan = await planRepair(host, fault, options);
    if (plan === undefined) throw new HostError('failed', `there is no remedy ${remedyId}`);
    if (!plan.blocked.some(({ hint }) => hint?.includes('--gateway'))) return plan;
    // What a person would know.
    const { names } = setting;
    const gateway = fault.side === 'server' ? names.serverGateway : names.clientGateway;
    return (await planRepair(host, fault, { ...options, gateway })) ?? plan;
  }

  private async state(host: Host, plan: RepairPlan): Promise<string> {
    return `${await snapshot(this.setting.lab, this.node)}\n${await stepStates(host, plan.steps)}`;
  }

  private async open(): Promise<Host> {
    return this.fault.side === 'client' ? this.openClient() : openHost(this.setting.hosts.server);
  }

  private async openClient(): Promise<Host> {
    const { plan, hosts } = this.setting;
    const attempt = plan.attempt === undefined || 'on' in plan.attempt ? {} : plan.attempt;
    return new LabClientHost(await openHost(hosts.client), this.setting, attempt);
  }
}

function undoableRepairOrNot(journal: Journal, id: string): ReturnType<typeof undoableRepair> | undefined {
  try {
    return undoableRepair(journal, id);
  } catch {
    return undefined;
  }
}

/** Whether the last connection came up and stayed; where nothing listens, whether it was answered. */
function worked(results: readonly ConnectResult[], { cause }: Fault): boolean {
  const last = results.at(-1);
  if (cause.id === 'no-listener-and-no-route') return last?.errno === 'ECONNREFUSED';
  return last !== undefined && last.errno === undefined && last.afterwards !== 'reset';
}
