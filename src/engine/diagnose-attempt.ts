import type { Cause, Remedy } from '../model/cause.ts';
import { changeCommands } from '../model/change-commands.ts';
import type { Diagnosis, NextStep, RemedyOffer } from '../model/diagnosis.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { type Fact, isUnavailable } from '../model/facts/fact.ts';
import { FACT_WORDS } from '../model/facts/fact-words.ts';
import type { FactName } from '../model/facts/facts.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { Handshake } from '../model/handshake.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { formatDuration } from '../model/text.ts';
import type { CaptureContext } from './capture-context.ts';
import { type FactSet, type JudgedCause, judgeCauses, verdictOf } from './judge-causes.ts';
import { judgeHandshake } from './judge-handshake.ts';
import { locate } from './locate.ts';

/** Causes that can trouble an attempt that was established: all others have been passed by it. */
const AFTER_SUCCESS: ReadonlySet<string> = new Set(['resolve', 'proxy', 'final-ack', 'after']);

/** Facts without which a host cannot be said to be well. */
const ESSENTIAL: Readonly<Record<Attempt['side'], readonly FactName[]>> = {
  server: ['sockets', 'outgoingRoute', 'packetFilter', 'sysctls'],
  client: ['outgoingRoute', 'packetFilter'],
};

/** One attempt to be judged by the facts of one host. */
export interface AttemptCase {
  readonly attempt: Attempt;
  /** As the capture of this host shows it, or an empty one. */
  readonly handshake: Handshake;
  readonly facts: FactSet;
  /** How the host is called in sentences: `web7`, `the server`. */
  readonly hostName: string;
  /** For the next steps: the value of `--on`, when it is not this machine. */
  readonly on?: string;
  readonly context: CaptureContext;
}

/** Judges one attempt by the facts of one host: which cause stands out, what was ruled out, what could not be told. */
export function diagnoseAttempt(
  causes: readonly Cause[],
  { attempt, handshake, facts, context, on }: AttemptCase,
): Diagnosis {
  const passed = attempt.observed && handshake.outcome === 'established';
  const late = handshake.synRetransmissions > 0;
  const judged = judgeCauses(
    passed ? causes.filter(({ step, survivable }) => AFTER_SUCCESS.has(step) || (late && survivable)) : causes,
    facts,
  );
  const seen = judgeHandshake(handshake, context);
  const standing = judged.filter(
    ({ status }) => status === 'confirmed' || status === 'likely' || status === 'possible',
  );
  const lead = leadOf(standing);
  const where = locate(attempt, lead === undefined ? standing : [lead]);
  const named = lead ?? standing[0];
  const unread = passed ? [] : ESSENTIAL[attempt.side].filter((name) => isMissing(facts[name]));
  const remedies = lead?.facts === undefined ? [] : (lead.cause.remedies?.(lead.facts) ?? []).map(offerOf);
  return {
    handshake: seen.handshake,
    sentence: sentenceOf(attempt, seen, lead, standing, where.sentence, unread),
    cause: lead === undefined ? null : verdictOf(lead),
    evidence: [
      ...(lead?.evidence ?? []),
      // What the capture shows is told beside the facts of the host when no cause explains it.
      ...(lead === undefined && attempt.observed && !passed ? seen.evidence : []),
    ],
    ruledOut: ruledOut(judged, named),
    suspects: standing.filter((one) => one !== lead).map(({ cause: { id }, status }) => ({ id, status })),
    undetermined: judged
      .filter(({ status }) => status === 'undetermined')
      .map(({ cause: { id }, reason = '', hint }) => ({ id, reason, ...(hint === undefined ? {} : { hint }) })),
    remedies,
    nextSteps: nextSteps(
      attempt,
      lead,
      remedies,
      where.place,
      on,
      standing.some((one) => isUntraced(one, facts)),
    ),
    place: where.place,
    ...(attempt.observed ? {} : { supposed: true as const }),
    ...(unread.length > 0 && lead === undefined ? { incomplete: true as const } : {}),
  };
}

function isMissing(fact: Fact<unknown> | undefined): boolean {
  return fact === undefined || isUnavailable(fact);
}

/** Whether a cause hangs on rules of nftables that could not be evaluated, and the kernel was not asked. */
function isUntraced({ status, evidence }: JudgedCause, { packetFilter, ruleTrace }: FactSet): boolean {
  if (status !== 'likely' || ruleTrace !== undefined || packetFilter === undefined || isUnavailable(packetFilter)) {
    return false;
  }
  const { source } = packetFilter;
  return (
    evidence.some((one) => one.bearing === 'supports' && one.source === source) &&
    packetFilter.value.hits.some(({ certainty, tool }) => certainty !== 'certain' && tool === 'nft')
  );
}

/** The cause that stands out: the first confirmed one, or a likely one that no other comes near. */
function leadOf(standing: readonly JudgedCause[]): JudgedCause | undefined {
  const [first, second] = standing;
  if (first === undefined || first.status === 'possible') return undefined;
  if (first.status === 'confirmed') return first;
  return second === undefined || second.status === 'possible' || second.score < first.score ? first : undefined;
}

function sentenceOf(
  attempt: Attempt,
  seen: Diagnosis,
  lead: JudgedCause | undefined,
  standing: readonly JudgedCause[],
  where: string,
  unread: readonly FactName[],
): string {
  const { server, client } = attempt;
  if (lead !== undefined) {
    const { sentence } = verdictOf(lead);
    if (lead.status === 'confirmed') return `${sentence}.`;
    return `Most likely: ${sentence}.`;
  }
  const [first, second] = standing.filter(({ status }) => status === 'likely');
  if (first !== undefined && second !== undefined) {
    return `Either "${first.cause.title}" or "${second.cause.title}": from this host they cannot be told apart.`;
  }
  if (!attempt.observed) {
    const to = `${client.address} from connecting to ${formatEndpoint(server)}`;
    return unread.length === 0
      ? `Nothing on this host would stop ${to}.`
      : `Nothing was found that would stop ${to}, but not everything could be read: ${unread.map((name) => FACT_WORDS[name]).join(', ')}.`;
  }
  if (where !== '') return where;
  const { connect, handshake } = attempt;
  if (connect !== undefined && connect.errno === undefined && connect.afterwards !== 'reset') {
    // The packets tell the time without that which this process took to notice.
    const tookNs = handshake?.establishedAfterNs ?? connect.elapsedMs * 1e6;
    return `${client.address} connected to ${formatEndpoint(server)} in ${formatDuration(tookNs)}.`;
  }
  return seen.sentence;
}

/** What people suspect first, in the order in which they do. */
const USUAL_SUSPECTS: readonly string[] = [
  'accept-queue-full',
  'syn-queue-full',
  'netfilter-drop-in',
  'no-return-route',
  'no-listener',
  'rp-filter-strict',
  'conntrack-full',
  'synack-output-drop',
  'client-output-drop',
  'client-no-route',
  'client-neighbour-unresolved',
  'dns-no-answer',
];

function ruledOut(judged: readonly JudgedCause[], lead: JudgedCause | undefined): Diagnosis['ruledOut'] {
  const alike = (lead?.cause.confusedWith ?? []).map(({ id }) => id);
  const order = [...alike, ...USUAL_SUSPECTS];
  const placeIn = (id: string): number => {
    const at = order.indexOf(id);
    return at < 0 ? order.length : at;
  };
  return judged
    .filter(({ status }) => status === 'ruled-out')
    .sort((a, b) => placeIn(a.cause.id) - placeIn(b.cause.id))
    .map(({ cause: { id }, evidence }) => ({
      id,
      statement:
        evidence.find(({ bearing, weight }) => bearing === 'contradicts' && weight === 'conclusive')?.statement ??
        evidence.find(({ bearing }) => bearing === 'contradicts')?.statement ??
        '',
    }));
}

function offerOf({ id, title, risk, auto, changes }: Remedy): RemedyOffer {
  return {
    id,
    title,
    risk,
    auto,
    changes,
    commands: changes.flatMap(changeCommands).map((words) => quoteCommand(words)),
  };
}

function nextSteps(
  attempt: Attempt,
  lead: JudgedCause | undefined,
  remedies: readonly RemedyOffer[],
  place: Diagnosis['place'],
  on: string | undefined,
  untraced: boolean,
): NextStep[] {
  const steps: NextStep[] = [];
  const { server, client, side } = attempt;
  // It works, and nothing is wrong with it.
  if (attempt.observed && place === 'none') return steps;
  if (lead?.status === 'confirmed') {
    if (remedies.some(({ commands }) => commands.length > 0) && on?.startsWith('bundle:') !== true) {
      steps.push({
        statement: 'The plan of a repair; with --apply it is done, verified, and undone if it did not help',
        command: ['sudo', 'synscope', 'fix', '--last', ...(on === undefined ? [] : ['--on', on])],
      });
    }
    steps.push({ statement: 'More about this cause', command: ['synscope', 'explain', lead.cause.id] });
    return steps;
  }
  const where = on === undefined ? [] : ['--on', on];
  if (untraced && attempt.observed && on?.startsWith('bundle:') !== true) {
    steps.push({
      statement: 'Let the kernel itself name the rule: put a trace rule into nftables while it watches',
      command: [
        'sudo',
        'synscope',
        side === 'server' ? 'listen' : 'connect',
        side === 'server' ? String(server.port) : formatEndpoint(server),
        '--allow-changes',
        ...where,
      ],
    });
  }
  if (side === 'server') {
    steps.push({
      statement: 'On the client: ask it whether the SYN leaves and what comes back',
      command: ['sudo', 'synscope', 'connect', formatEndpoint(server)],
    });
  } else if (place !== 'client') {
    steps.push({
      statement: `On ${server.address}: ask the host itself whether and why it would not answer`,
      command: ['sudo', 'synscope', 'listen', String(server.port), '--from', client.address],
    });
  }
  if (attempt.observed && !attempt.captured) {
    steps.push({
      statement: 'Run it as root: packets could not be captured',
      command: [
        'sudo',
        'synscope',
        side === 'server' ? 'listen' : 'connect',
        side === 'server' ? String(server.port) : formatEndpoint(server),
        ...where,
      ],
    });
  }
  return steps;
}

/** What could not be seen on this host, each reason once. */
export function notSeen(facts: FactSet): { reason: string; hint?: string }[] {
  const reasons = new Map<string, { reason: string; hint?: string }>();
  for (const fact of Object.values(facts) as (Fact<unknown> | undefined)[]) {
    if (fact === undefined || !isUnavailable(fact)) continue;
    reasons.set(fact.reason, { reason: fact.reason, ...(fact.hint === undefined ? {} : { hint: fact.hint }) });
  }
  return [...reasons.values()];
}
