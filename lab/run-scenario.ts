import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectResult } from '../src/model/facts/attempt.ts';
import type { LabConnect, LabNames, LabNode, Scenario, ScenarioPlan } from '../src/model/scenario.ts';
import { chooseDecoys } from './decoys.ts';
import { LabError } from './exec.ts';
import { Lab } from './lab.ts';
import { performStep } from './steps.ts';
import { sendTask } from './task-defaults.ts';

/** A scenario that can be run. */
export type Runnable = Extract<Scenario, { readonly plan: unknown }>;

/** Which run of a scenario. */
export interface RunOptions {
  readonly family: 4 | 6;
  readonly variant?: string | undefined;
  readonly seed: number;
  /** With harmless things that must not mislead, chosen by the seed. */
  readonly decoys?: boolean | undefined;
  /** Takes the lab down at once. */
  readonly signal?: AbortSignal | undefined;
}

/** A lab in which a scenario was set up; what it breaks is broken now, and nothing was tried yet. */
export interface Setting {
  readonly lab: Lab;
  readonly names: LabNames;
  /** What is done: the scenario's own plan, and what the decoys do while the client tries. */
  readonly plan: ScenarioPlan;
  /** The scenario's own plan alone. */
  readonly ownPlan: ScenarioPlan;
  /** What harmless things are there, in words. */
  readonly decoys: readonly string[];
  /** What `--on` calls each node. */
  readonly hosts: { readonly [N in LabNode]: string };
  /** What the client is to connect to. */
  readonly target: { readonly address: string; readonly port: number };
  /** Tries what fails, with what the plan does meanwhile, and tells what the client saw; empty when packets were only sent. */
  attempt(): Promise<readonly ConnectResult[]>;
  /** Starts what the plan does while the attempt runs, for those who connect themselves; ends when all is done. */
  meanwhile(): Promise<void>;
}

/** The kernel or the machine has not what a scenario needs. */
export class ScenarioSkipped extends Error {
  override readonly name: string = 'ScenarioSkipped';
}

/** How long a connection of the attempt is looked at when the plan does not say, in milliseconds. */
const LOOK_MS = 300;

/**
 * Sets a scenario up, hands it to `examine`, and takes everything down again, whatever happens.
 * @throws ScenarioSkipped when a step fails for want of what the scenario requires; LabError when it fails otherwise.
 */
export async function runScenario<T>(
  scenario: Runnable,
  options: RunOptions,
  examine: (setting: Setting) => Promise<T>,
): Promise<T> {
  options.signal?.throwIfAborted();
  const lab = await Lab.open(options.seed);
  const takeDown = (): void => void lab.close();
  options.signal?.addEventListener('abort', takeDown, { once: true });
  try {
    options.signal?.throwIfAborted();
    return await examine(await setUp(lab, scenario, options));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', takeDown);
    await lab.close();
  }
}

async function setUp(lab: Lab, scenario: Runnable, options: RunOptions): Promise<Setting> {
  const { family, variant } = options;
  const names = lab.names(family);
  const bare = scenario.plan(names, variant);
  const decoys = options.decoys === true ? chooseDecoys(lab.addresses, family, bare) : undefined;
  const plan = { ...bare, meanwhile: [...(decoys?.meanwhile ?? []), ...(bare.meanwhile ?? [])] };
  // Starting it takes a while, in which the rest can be done.
  lab.shared('client');
  try {
    for (const step of decoys?.steps ?? []) await performStep(lab, step, names);
    if (plan.listener !== null) await lab.listen('server', plan.listener ?? {}, names);
    for (const step of plan.steps) await performStep(lab, step, names);
  } catch (error) {
    if (!(error instanceof LabError) || scenario.requires === undefined) throw error;
    throw new ScenarioSkipped(`needs ${scenario.requires.join(', ')}: ${error.message}`, { cause: error });
  }
  return {
    lab,
    names,
    plan,
    ownPlan: bare,
    decoys: decoys?.names ?? [],
    hosts: {
      client: `netns:${lab.namespace('client')}`,
      router: `netns:${lab.namespace('router')}`,
      server: `netns:${lab.namespace('server')}`,
    },
    target: targetOf(plan, names),
    attempt: () => attempt(lab, plan, names),
    meanwhile: () => meanwhile(lab, plan, names),
  };
}

async function attempt(lab: Lab, plan: ScenarioPlan, names: LabNames): Promise<readonly ConnectResult[]> {
  const others = meanwhile(lab, plan, names);
  const tried = tryIt(lab, plan.attempt ?? {}, names);
  const [results] = await Promise.all([tried, others]);
  return results;
}

async function tryIt(
  lab: Lab,
  what: NonNullable<ScenarioPlan['attempt']>,
  names: LabNames,
): Promise<readonly ConnectResult[]> {
  if (!('send' in what && 'on' in what)) return lab.connect('client', what as LabConnect, names, LOOK_MS);
  await lab.perform(what.on, { do: 'send', send: sendTask(what.on, what.send, names, lab.addresses) });
  await sleep(LOOK_MS);
  return [];
}

async function meanwhile(lab: Lab, { meanwhile: others }: ScenarioPlan, names: LabNames): Promise<void> {
  await Promise.all(
    (others ?? []).map(async ({ afterMs, step }) => {
      await sleep(afterMs);
      await performStep(lab, step, names);
    }),
  );
}

function targetOf({ attempt: what }: ScenarioPlan, names: LabNames): { address: string; port: number } {
  const connect = what === undefined || 'on' in what ? {} : what;
  return { address: connect.address ?? names.server, port: connect.port ?? names.port };
}
