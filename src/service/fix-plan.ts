import { type Host, HostError } from '../host/host.ts';
import type { Change } from '../model/cause.ts';
import { changeCommands } from '../model/change-commands.ts';
import type { RemedyOffer } from '../model/diagnosis.ts';
import type { GatewayEvidence, RepairCheck, RepairPlan, RepairStep } from '../model/repair.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { checkGateway, findGateway } from '../remedy/gateway/find-gateway.ts';
import { restoreConfigured } from '../remedy/gateway/restore.ts';
import { isKnownCommand } from '../remedy/kinds/command.ts';
import { kindOf } from '../remedy/kinds/index.ts';
import { proposePersistent } from '../remedy/persist/propose.ts';
import type { Fault } from './fix-fault.ts';

/** What a person decided about a plan. */
export interface PlanOptions {
  /** Identity that the repair will have. */
  readonly id: string;
  readonly remedyId?: string;
  readonly gateway?: string;
  readonly device?: string;
  /** Changes that widen a security policy are allowed. */
  readonly ownsPolicy?: boolean;
  /** How it will be seen whether it helped. */
  readonly verification: string;
}

type Blocked = RepairPlan['blocked'][number];

interface Refined {
  /** What the remedy is called where it is known better than the diagnosis could. */
  readonly title?: string;
  /** The router is known for certain, which the diagnosis could not say. */
  readonly auto?: 'with-consent';
  readonly changes: readonly Change[];
  readonly evidence?: GatewayEvidence;
  readonly reasons: readonly string[];
  readonly checks: readonly RepairCheck[];
  readonly blocked: readonly Blocked[];
}

/**
 * Makes the plan of a repair. Changes nothing, but asks the host, and begins a connection to a gateway.
 * @returns undefined when the cause has no remedy, or none of that name. @throws HostError
 */
export async function planRepair(host: Host, fault: Fault, options: PlanOptions): Promise<RepairPlan | undefined> {
  const offer = chooseRemedy(fault.remedies, options.remedyId);
  if (offer === undefined) return undefined;
  if (host.spec.startsWith('bundle:')) return planOfRecording(host, fault, offer, options);
  const refined = await refine(host, offer, options);
  const { changes, evidence, reasons, checks, blocked } = refined;
  const own = changes.filter((change) => !isByHand(change));
  const prepared = blocked.length > 0 ? { steps: [], blocked: [] } : await prepare(host, own, options);
  const { steps } = prepared;
  const advice = changes.filter(isByHand).map(byHand);
  const proposal = steps.length === 0 ? {} : await proposePersistent(host, fault.cause.id, steps, evidence);
  return {
    cause: { id: fault.cause.id, status: fault.cause.status, title: fault.cause.title },
    sentence: fault.sentence,
    host: host.spec,
    remedy: {
      id: offer.id,
      title: refined.title ?? offer.title,
      risk: offer.risk,
      auto: refined.auto ?? offer.auto ?? 'never',
    },
    steps,
    advice,
    reasons,
    checks,
    blocked: [...blocked, ...prepared.blocked, ...(await blockedByKind(host, steps, own.length === 0, options))],
    verification: options.verification,
    ...(proposal.change === undefined ? {} : { persistent: proposal.change }),
    ...(proposal.note === undefined ? {} : { persistentNote: proposal.note }),
    alternatives: alternativesTo(fault, offer),
  };
}

function alternativesTo({ remedies }: Fault, { id }: RemedyOffer): RepairPlan['alternatives'] {
  return remedies
    .filter((other) => other.id !== id)
    .map((other) => ({ id: other.id, title: other.title, applicable: isApplicable(other) }));
}

/** What the diagnosis proposes, where nothing can be asked any more. */
function planOfRecording(host: Host, fault: Fault, offer: RemedyOffer, { verification }: PlanOptions): RepairPlan {
  const { cause, sentence } = fault;
  const changes = offer.changes as readonly Change[];
  return {
    cause: { id: cause.id, status: cause.status, title: cause.title },
    ...{ sentence, host: host.spec, verification },
    remedy: { id: offer.id, title: offer.title, risk: offer.risk, auto: offer.auto ?? 'never' },
    steps: changes
      .filter((change) => !isByHand(change))
      .map((change) => ({
        change,
        text: 'as it would be done on the host',
        do: changeCommands(change)[0] ?? [],
        ...{ undo: [], before: '', dangers: [] },
      })),
    advice: changes.filter(isByHand).map(byHand),
    ...{ reasons: [], checks: [] },
    blocked: [
      { reason: 'a recording cannot be repaired', hint: 'run it on the host itself, or with --on ssh:root@HOST' },
    ],
    alternatives: alternativesTo(fault, offer),
  };
}

function byHand(change: Change): string {
  return change.kind === 'advice' ? change.text : `run ${quoteCommand(changeCommands(change)[0] ?? [])}`;
}

/** Whether a remedy changes anything by itself. */
export function isApplicable({ changes }: Pick<RemedyOffer, 'changes'>): boolean {
  return (changes as readonly Change[]).some((change) => !isByHand(change));
}

/** Whether only a person can do it. */
function isByHand(change: Change): boolean {
  return change.kind === 'advice' || (change.kind === 'command' && !isKnownCommand(change));
}

/** The remedy of this name, or the first that changes anything. */
function chooseRemedy(remedies: readonly RemedyOffer[], id: string | undefined): RemedyOffer | undefined {
  if (id !== undefined) return remedies.find((remedy) => remedy.id === id);
  return remedies.find(isApplicable) ?? remedies[0];
}

/** Completes what the diagnosis could not know: which router a route is to lead through. */
async function refine(host: Host, offer: RemedyOffer, options: PlanOptions): Promise<Refined> {
  const changes = offer.changes as readonly Change[];
  const lost = await withWhatIsLost(host, changes);
  if (lost !== undefined) return lost;
  const at = changes.findIndex(
    (change) => change.kind === 'route' && change.action !== 'delete' && change.via !== undefined,
  );
  const change = changes[at];
  if (change?.kind !== 'route') return { changes, reasons: [], checks: [], blocked: [] };
  const withChange = (changed: Change): readonly Change[] => changes.with(at, changed);
  const { gateway, device = change.device } = options;
  if (gateway !== undefined) {
    const { device: placed, checks } = await checkGateway(host, gateway, device);
    const { metric: _, ...rest } = change;
    return {
      changes: withChange({ ...rest, via: gateway, ...(placed === undefined ? {} : { device: placed }) }),
      title: offer.title.split(/[:,] /)[0] ?? offer.title,
      reasons: [`${gateway}: you named it`],
      checks,
      blocked: checks.flatMap(({ ok, statement }) => (ok ? [] : [{ reason: statement }])),
    };
  }
  const found = await findGateway(host, {
    family: change.family,
    ...(device === undefined ? {} : { device }),
    known: change.via === 'GATEWAY' ? [] : [fromDiagnosis(change, offer)],
  });
  const { chosen, evidence, checks, lookedAt } = found;
  const reasons = evidence.map(
    (one) => `${one.gateway}: ${one.statement}${one.strength === 'hint' ? ' (a hint only)' : ''}`,
  );
  if (chosen !== undefined) {
    const { metric = change.metric } = chosen;
    return {
      changes: withChange({
        ...change,
        via: chosen.gateway,
        device: chosen.device,
        ...(metric === undefined ? {} : { metric }),
      }),
      evidence: chosen,
      ...(change.action === 'add' && isMain(change) ? { auto: 'with-consent' as const } : {}),
      ...(chosen.source === 'diagnosis' ? {} : { title: offer.title.split(/[:,] /)[0] ?? offer.title }),
      ...{ reasons, checks, blocked: [] },
    };
  }
  const [hint] = evidence;
  const named = hint?.device === undefined ? [] : ['--device', hint.device];
  const option = ['--gateway', hint?.gateway ?? 'ADDRESS', ...named];
  return {
    changes,
    title: offer.title.split(/[:,] /)[0] ?? offer.title,
    ...{ reasons, checks },
    blocked: [
      {
        reason:
          checks.length > 0
            ? 'no router that is known answers'
            : `which router the route led through is not known; looked at: ${lookedAt}`,
        hint: `name it: ${option.join(' ')}${named.length === 0 ? ' [--device NAME]' : ''}`,
        option,
      },
    ],
  };
}

/**
 * With IPv6, or with its link, an interface loses its addresses and routes, and gets them back only from whoever configures it: what the
 * configuration names is added.
 */
async function withWhatIsLost(host: Host, changes: readonly Change[]): Promise<Refined | undefined> {
  for (const change of changes) {
    const device =
      change.kind === 'link' && change.setting[0] === 'up'
        ? change.device
        : change.kind === 'sysctl' && change.value === '0'
          ? /^net\.ipv6\.conf\.(.+)\.disable_ipv6$/.exec(change.key)?.[1]
          : undefined;
    if (device === undefined) continue;
    const lost = await restoreConfigured(host, device, change.kind === 'link' ? [4, 6] : [6]);
    return {
      changes: [...changes, ...lost.changes],
      reasons:
        lost.changes.length > 0 ? lost.reasons : [`no configuration that synscope knows names addresses of ${device}`],
      ...{ checks: [], blocked: [] },
    };
  }
  return undefined;
}

function fromDiagnosis(change: Extract<Change, { kind: 'route' }>, offer: RemedyOffer): GatewayEvidence {
  const { via = '', device, metric } = change;
  const isGuess = offer.auto === 'never' && isMain(change);
  return {
    gateway: via,
    ...(device === undefined ? {} : { device }),
    ...(metric === undefined ? {} : { metric }),
    strength: isGuess ? 'hint' : 'known',
    statement: /: (.*)$/s.exec(offer.title)?.[1] ?? 'the routes of this host name it',
    source: 'diagnosis',
  };
}

function isMain({ table }: Extract<Change, { kind: 'route' }>): boolean {
  return table === undefined || table === 'main';
}

async function prepare(
  host: Host,
  changes: readonly Change[],
  { id }: PlanOptions,
): Promise<{ readonly steps: readonly RepairStep[]; readonly blocked: readonly Blocked[] }> {
  const steps: RepairStep[] = [];
  try {
    for (const change of changes) steps.push(await kindOf(change).prepare(host, change, { id }));
    return { steps, blocked: [] };
  } catch (error) {
    if (!(error instanceof HostError) || error.code === 'unreachable') throw error;
    return { steps, blocked: [{ reason: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }] };
  }
}

async function blockedByKind(
  host: Host,
  steps: readonly RepairStep[],
  isForPeople: boolean,
  { ownsPolicy = false }: PlanOptions,
): Promise<Blocked[]> {
  const blocked: Blocked[] = [];
  if (isForPeople) return [{ reason: 'synscope can do none of it by itself: it is for a person' }];
  for (const { policy, alreadySo } of steps) {
    if (policy === undefined || alreadySo || ownsPolicy) continue;
    blocked.push({
      reason: `it widens a security policy: ${policy}`,
      hint: 'if the policy is yours to change: --i-own-this-policy',
      option: ['--i-own-this-policy'],
    });
  }
  if ((await host.run(['id', '-u'])).stdout.trim() !== '0') {
    const hint = host.spec.startsWith('ssh:') ? 'use --sudo, or --on ssh:root@HOST' : 'run as root';
    blocked.push({ reason: 'it needs root', hint });
  }
  return blocked;
}
