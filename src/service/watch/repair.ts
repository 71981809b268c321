import { createHash } from 'node:crypto';
import { type Host, HostError } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import type { RemedyOffer } from '../../model/diagnosis.ts';
import { InputError } from '../../model/errors.ts';
import type { Incident, IncidentRepair } from '../../model/incident.ts';
import type { RepairPlan } from '../../model/repair.ts';
import { quoteCommand } from '../../model/shell-quote.ts';
import type { Journal } from '../../remedy/journal/journal.ts';
import { recoverRepairs } from '../../remedy/recover.ts';
import { newRepairId } from '../../remedy/repair.ts';
import { applyPlan } from '../fix.ts';
import { type Fault, faultOf } from '../fix-fault.ts';
import { isApplicable, planRepair } from '../fix-plan.ts';
import { type HostRecovery, recoverHere } from '../fix-recover.ts';
import { withTwin } from '../fix-twin.ts';
import { Verifier } from '../fix-verify.ts';
import { PlanChangedError, type Repairer, type RepairPlan as ShownPlan } from '../http/repairer.ts';
import type { WatchConfig } from './config-types.ts';
import type { IncidentRepairer, RepairCase } from './repair-hook.ts';
import { heldBack, isAllowed } from './repair-policy.ts';
import { wallNs } from './wall-clock.ts';
import { WarmTwin } from './warm-twin.ts';

/** What a {@link PolicyRepairer} needs. */
export interface PolicyRepairerOptions {
  /** The configuration that counts now. */
  readonly config: () => WatchConfig;
  readonly journal: Journal;
  /** Called with what a person did: nothing else puts that on the incident. */
  readonly onRepair?: (incidentId: number, repair: IncidentRepair) => void;
  /** How long to wait for a client after a change; half a minute unless given. */
  readonly waitMs?: number;
}

/** An incident with what is needed to repair it. */
interface Known {
  readonly fault: Fault;
  readonly host: Host;
  /** Remedies that were suggested, tried or held back, with why: none is told twice. */
  readonly told: Set<string>;
}

/** Incidents that are kept to be repaired by a person. */
const MAX_KNOWN = 500;
const WAIT_MS = 30_000;

/** Repairs incidents of a watch: by policy, without a person; and for a person, as it was shown. One repair at a time. */
export class PolicyRepairer implements IncidentRepairer, Repairer {
  private readonly options: PolicyRepairerOptions;
  private readonly known = new Map<number, Known>();
  /** Hosts on which interrupted repairs were brought to an end. */
  private readonly recovered = new Set<string>();
  private queue: Promise<unknown> = Promise.resolve();
  private readonly warm: WarmTwin = new WarmTwin();

  constructor(options: PolicyRepairerOptions) {
    this.options = options;
  }

  prepare(causeId: string): void {
    const { causes, default: mode } = this.options.config().remediation;
    if ((causes[causeId] ?? mode) === 'auto') this.warm.prepare();
  }

  stop(): Promise<void> {
    return this.warm.end();
  }

  async consider({ incident, diagnosis, host }: RepairCase): Promise<readonly IncidentRepair[]> {
    const fault = faultOf(diagnosis, incident.service.direction === 'inbound' ? 'server' : 'client');
    if (fault === undefined) return [];
    const known: Known = { fault, host, told: this.known.get(incident.id)?.told ?? new Set() };
    this.known.delete(incident.id);
    this.known.set(incident.id, known);
    for (const [first] of this.known) if (this.known.size > MAX_KNOWN) this.known.delete(first);
    return this.inTurn(async () => {
      try {
        await this.recover(host);
        const repair = await this.byPolicy(known);
        return repair === undefined ? [] : [repair];
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        return this.tell(known, {
          remedyId: '',
          title: fault.cause.title,
          outcome: 'failed',
          statement: error.message,
        });
      }
    });
  }

  async plan(incident: Incident, remedyId?: string): Promise<ShownPlan | undefined> {
    const known = this.known.get(incident.id);
    const plan = known === undefined ? undefined : await this.planFor(known, newRepairId(), remedyId);
    return plan === undefined ? undefined : shown(incident.id, plan);
  }

  apply(incident: Incident, { remedyId, planId }: { remedyId: string; planId: string }): Promise<IncidentRepair> {
    return this.inTurn(async () => {
      const known = this.known.get(incident.id);
      const id = newRepairId();
      const plan = known === undefined ? undefined : await this.planFor(known, id, remedyId);
      if (known === undefined || plan === undefined || shown(incident.id, plan).planId !== planId) {
        throw new PlanChangedError('what would be done is no longer what was shown; nothing was changed');
      }
      const repair = await this.carryOut(known, plan, id, 'person');
      this.options.onRepair?.(incident.id, repair);
      return repair;
    });
  }

  /**
   * Brings all repairs to an end that were interrupted on this machine; to be called before the watch begins.
   * @returns what became of them, one sentence each.
   */
  async start(): Promise<readonly string[]> {
    let found: readonly HostRecovery[];
    try {
      found = await recoverHere(this.options.journal);
    } catch (error) {
      // A watch that cannot repair can still watch.
      if (!(error instanceof InputError)) throw error;
      return [error.message];
    }
    for (const { host, problem } of found) if (problem === undefined) this.recovered.add(host);
    return found.flatMap(({ host, recoveries, problem }) => [
      ...recoveries.map(({ id, title, statement }) => `repair ${id} of ${host} (${title}): ${statement}`),
      ...(problem === undefined ? [] : [`interrupted repairs of ${host} could not be brought to an end: ${problem}`]),
    ]);
  }

  /** What could not be brought to an end at the start, or of a host that came later. @throws HostError */
  private async recover(host: Host): Promise<void> {
    if (this.recovered.has(host.spec)) return;
    await recoverRepairs(host, this.options.journal);
    this.recovered.add(host.spec);
  }

  /** What the policy of the cause says: nothing, a suggestion, or a repair. */
  private async byPolicy(known: Known): Promise<IncidentRepair | undefined> {
    const { remediation } = this.options.config();
    const { cause, remedies } = known.fault;
    const mode = remediation.causes[cause.id] ?? remediation.default;
    const applicable = remedies.filter(isApplicable);
    const [best] = applicable;
    if (mode === 'off' || best === undefined) return undefined;
    if (mode === 'auto' && cause.status === 'confirmed') {
      if (known.fault.side === 'server') this.warm.prepare();
      for (const offer of applicable.filter(mayBeAllowed)) {
        // What was tried for this incident and did not help would not help now.
        if (known.told.has(`tried ${offer.id}`)) return undefined;
        const id = newRepairId();
        const plan = await this.planFor(known, id, offer.id);
        if (plan === undefined || !isAllowed(plan.remedy.auto, plan.steps, remediation)) continue;
        return this.repairByItself(
          known,
          await withTwin(known.host, known.fault, plan, { start: () => this.warm.take() }),
          id,
        );
      }
    }
    return this.suggest(known, best);
  }

  private async suggest(known: Known, offer: RemedyOffer): Promise<IncidentRepair | undefined> {
    if (known.told.has(`suggested ${offer.id}`)) return undefined;
    const plan = await this.planFor(known, newRepairId(), offer.id);
    if (plan === undefined) return undefined;
    const [blocked] = plan.blocked;
    const commands = plan.steps.filter(({ do: words }) => words.length > 0).map(({ do: words }) => quoteCommand(words));
    const hint = blocked?.hint === undefined ? '' : `; ${blocked.hint}`;
    const statement = blocked === undefined ? commands.join('; ') : `${blocked.reason}${hint}`;
    return this.tell(known, { remedyId: offer.id, title: plan.remedy.title, outcome: 'suggested', statement })[0];
  }

  private async repairByItself(known: Known, plan: RepairPlan, id: string): Promise<IncidentRepair | undefined> {
    const { config, journal } = this.options;
    const { remediation } = config();
    const { title, id: remedyId } = plan.remedy;
    const [blocked] = plan.blocked;
    const inCopy = plan.twin?.helped === false ? plan.twin.statement : undefined;
    const held = blocked?.reason ?? inCopy ?? heldBack(remediation, journal.read(), new Date());
    if (held !== undefined) {
      return this.tell(known, { remedyId, title, outcome: 'held-back', statement: held })[0];
    }
    if (remediation.dryRun) {
      const statement = plan.steps.map(({ do: words }) => quoteCommand(words)).join('; ');
      return this.tell(known, {
        remedyId,
        title,
        outcome: 'dry-run',
        statement: `it would run: ${statement}`,
      })[0];
    }
    known.told.add(`tried ${remedyId}`);
    return this.carryOut(known, plan, id, 'policy');
  }

  private planFor({ fault, host }: Known, id: string, remedyId?: string): Promise<RepairPlan | undefined> {
    const verification = new Verifier({ host, fault, waitMs: this.waitMs }).how;
    return planRepair(host, fault, { id, verification, ...(remedyId === undefined ? {} : { remedyId }) });
  }

  private async carryOut(
    { fault, host }: Known,
    plan: RepairPlan,
    id: string,
    by: 'policy' | 'person',
  ): Promise<IncidentRepair> {
    const { journal } = this.options;
    const about = { atNs: wallNs(), remedyId: plan.remedy.id, title: plan.remedy.title, by };
    try {
      const verifier = new Verifier({ host, fault, waitMs: this.waitMs });
      const { outcome, statement } = await applyPlan({ host, journal, plan, fault, id, by, verifier });
      return { ...about, outcome, statement, journalId: id };
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return { ...about, outcome: 'failed', statement: `nothing was changed: ${error.message}` };
    }
  }

  /** Each thing once for each incident. */
  private tell(
    { told }: Known,
    repair: Pick<IncidentRepair, 'remedyId' | 'title' | 'outcome' | 'statement'>,
  ): IncidentRepair[] {
    const key = `${repair.outcome} ${repair.remedyId}`;
    if (told.has(key)) return [];
    told.add(key);
    return [{ atNs: wallNs(), by: 'policy', ...repair }];
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.queue.then(work, work);
    this.queue = next.catch(() => {});
    return next;
  }

  private get waitMs(): number {
    return this.options.waitMs ?? WAIT_MS;
  }
}

/** Whether a plan could turn out to be one that needs no person: a route is when its router is known for certain. */
function mayBeAllowed({ auto, changes }: RemedyOffer): boolean {
  return auto !== 'never' || changes.some((change) => (change as Change).kind === 'route');
}

/** A plan as the page shows it. */
function shown(incidentId: number, plan: RepairPlan): ShownPlan {
  const [blocked] = plan.blocked;
  const steps = plan.steps.map(({ text, do: words, undo }) => ({
    text,
    commands: words.length === 0 ? [] : [quoteCommand(words)],
    undo: undo.map((one) => quoteCommand(one)),
  }));
  // The mark of a rule differs from plan to plan, and is nothing that a person decides about.
  const essence = plan.steps.map(({ change, before, alreadySo }) => ({ change, before, alreadySo }));
  const text = JSON.stringify([plan.remedy.id, essence]).replace(/synscope-\d{8}-[\da-f]{6}/g, 'synscope');
  return {
    incidentId,
    remedyId: plan.remedy.id,
    title: plan.remedy.title,
    risk: plan.remedy.risk,
    steps,
    verification: plan.verification,
    ...(blocked === undefined
      ? {}
      : { refused: `${blocked.reason}${blocked.hint === undefined ? '' : `; ${blocked.hint}`}` }),
    planId: createHash('sha256').update(text).digest('hex').slice(0, 32),
  };
}
