import type { Diagnosis } from '../src/model/diagnosis.ts';
import type { ProofElement } from '../src/model/proof.ts';
import type { ScenarioPlan } from '../src/model/scenario.ts';
import type { LabJob } from './campaign.ts';

/** What a scenario is to a copy of the server. */
export type ProveKind =
  /** The server's own state stops the SYN: it is to be reproduced, and proven. */
  | 'server'
  /** The server answers that SYN: it is to be acquitted. */
  | 'innocent'
  /** It is stopped by what no copy has: programs in the kernel, numbers of the whole machine. It must not be blamed on anything else. */
  | 'beyond';

/** One scenario proven on a copy, and what was to come of it. */
export interface ProveOutcome {
  readonly scenario: string;
  readonly variant?: string;
  readonly family: 4 | 6;
  readonly kind: ProveKind;
  readonly outcome?: 'proven' | 'acquitted' | 'not-reproduced';
  readonly isReproduced: boolean;
  readonly cause: string | null;
  readonly expected: readonly string[];
  readonly guilty: readonly ProofElement[];
  readonly alternatives: readonly (readonly ProofElement[])[];
  /** The guilty elements are what the scenario broke, or what it lacks. */
  readonly isInjected: boolean;
  readonly isCauseRight: boolean;
  /** Something that the scenario did not break is blamed. */
  readonly isWrong: boolean;
  readonly elapsedMs: number;
  /** The verdict in words, and what was said beside it. */
  readonly said: readonly string[];
  readonly error?: string;
  readonly skipped?: string;
}

/** Stopped by programs that are loaded into the kernel, by numbers of the whole machine, or by security modules. */
const BEYOND: ReadonlySet<string> = new Set([
  'xdp-drop',
  'cgroup-ingress-drop',
  'synack-cgroup-egress-drop',
  'sk-lookup-steered',
  'lsm-conn-request',
  'conntrack-full',
  'neighbour-table-overflow',
  'softnet-backlog-drop',
  'nic-ring-overflow',
  'reqsk-alloc-failed',
  'conntrack-insert-failed',
  // Whether this host lacks the address, or the router sends it what is not for it, only the two together tell.
  'ttl-exceeded-loop',
]);
/** Keys are secrets: none is copied, so no copy tells a right signature from a wrong one. */
const BEYOND_VARIANTS: ReadonlySet<string> = new Set(['md5-mismatch keys-differ']);

/** What stops the connection only after the SYN was answered, or comes from elsewhere. */
const AFTER: ReadonlySet<string> = new Set(['final-ack', 'after', 'path-back', 'path-out', 'client-ip-in']);

/** What a job is to a copy of the server; undefined when a SYN is not what it is about. */
export function proveKindOf({ cause, scenario, variant }: LabJob): ProveKind | undefined {
  if (cause === undefined) return 'innocent';
  // The server's own rule drops the ACK: it is guilty, and of nothing that a SYN shows.
  if (scenario === 'final-ack-lost' && variant === 'server-filter') return undefined;
  if (BEYOND.has(scenario) || BEYOND_VARIANTS.has(`${scenario} ${variant}`)) return 'beyond';
  if (cause.place !== 'server')
    return cause.step.startsWith('client') || AFTER.has(cause.step) ? 'innocent' : undefined;
  return AFTER.has(cause.step) ? undefined : 'server';
}

/** Judges what came of one run. */
export function judgeProof(
  job: LabJob,
  kind: ProveKind,
  plan: ScenarioPlan,
  { cause, proof, sentence, evidence }: Diagnosis,
  isReproduced: boolean,
): ProveOutcome {
  const expected =
    plan.expect?.server === null ? [] : (plan.expect?.server ?? (job.cause === undefined ? [] : [job.cause.id]));
  const guilty = proof?.guilty ?? [];
  const isInjected = guilty.length > 0 && guilty.every((element) => isOf(element, plan, job));
  const isCauseRight = cause !== null && expected.includes(cause.id);
  return {
    scenario: job.scenario,
    ...(job.variant === undefined ? {} : { variant: job.variant }),
    family: job.family,
    kind,
    ...(proof === undefined ? {} : { outcome: proof.outcome }),
    isReproduced,
    cause: cause?.id ?? null,
    expected,
    guilty,
    alternatives: proof?.alternatives ?? [],
    isInjected,
    isCauseRight,
    isWrong: proof?.outcome === 'proven' && (!isInjected || kind === 'innocent'),
    elapsedMs: proof?.elapsedMs ?? 0,
    said: [
      sentence,
      ...evidence.map(({ statement }) => statement),
      ...(proof?.assumptions ?? []),
      ...(proof?.notCopied ?? []).map((what) => `not copied: ${what}`),
    ],
  };
}

/** Whether an element is something that the plan of a scenario made, or what it takes away. */
function isOf({ kind, element, change, text = '' }: ProofElement, plan: ScenarioPlan, { cause }: LabJob): boolean {
  const steps = JSON.stringify(plan.steps.concat((plan.meanwhile ?? []).map(({ step }) => step)));
  const words = steps.replaceAll('\\n', ' ').replaceAll('\\"', '"');
  const has = (word: string): boolean => word !== '' && words.includes(word);
  switch (kind) {
    case 'nft-rule':
    case 'nft-element':
    case 'nft-policy':
    case 'nft-table': {
      const [family = '', table = ''] = element.split(' ');
      return words.includes(`table ${family} ${table}`) || /"ip6?tables(?:-nft)?"/.test(words);
    }
    case 'iptables-rule':
    case 'iptables-policy':
      return /"ip6?tables(?:-nft|-legacy)?"/.test(words);
    case 'sysctl':
      return element.split(' and ').some((name) =>
        has(
          `${name
            .replace(/^net\./, '')
            .split('.')
            .at(-1)}`,
        ),
      );
    case 'listener':
      return plan.listener !== undefined || /"listen"|"signal"|netns|"redirect|dnat|addr|ip6?tables|nft/.test(words);
    case 'accept-queue':
    case 'syn-queue':
      return plan.listener !== undefined || /"listen"|"send"|"connect"|"signal"/.test(words);
    case 'old-connection':
      return /"connect"|"send"/.test(words);
    case 'packet':
      return plan.attempt !== undefined || has('"neigh"') || cause?.id === 'wrong-mac';
    case 'world':
    case 'neighbour':
      return /neigh|"link"|"attach"|arp|"addr"|route/.test(words);
    case 'route':
    case 'router-advertisement':
      return (
        /route|"link"|"addr|sysctl|rule/.test(words) &&
        (change !== 'added' || !/nft|iptables/.test(words) || /route|del/.test(words))
      );
    case 'rule':
      return words.includes('"rule"');
    case 'address':
      // A scenario may be that the server lacks the address, and needs no step for that.
      return /"addr|sysctl/.test(words) || (change === 'added' && cause?.id === 'not-my-address');
    case 'link':
    case 'bridge-port':
      return words.includes('"link"') || words.includes('bridge');
    case 'xfrm-policy':
      return words.includes('xfrm');
    case 'qdisc':
      return words.includes('qdisc');
    case 'tc-filter':
      return words.includes('"tc","filter"');
    default:
      return has(element) || has(text);
  }
}
