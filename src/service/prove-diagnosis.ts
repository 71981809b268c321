import type { Cause } from '../model/cause.ts';
import type { CauseVerdict, Diagnosis, Evidence, RemedyOffer } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { Proof, ProofElement } from '../model/proof.ts';
import { changeText, whenText } from '../model/proof-words.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { formatQuantity } from '../model/text.ts';
import type { TwinRole } from '../twin/syn.ts';
import { causesOf, type ProvenCauses } from './prove-cause.ts';
import { undoCommands } from './prove-remedies.ts';
import type { TwinFindings } from './prove-twin.ts';

const SOURCE = 'copy of the host';

/** Joins what the signs on a host say with what its copy showed. Where they contradict each other, the copy is right, and it is said. */
export function proveDiagnosis(
  diagnosis: Diagnosis,
  findings: TwinFindings,
  causes: readonly Cause[],
  role: TwinRole,
): Diagnosis {
  const { proof } = findings;
  if (proof.outcome === 'proven') return proven(diagnosis, findings, causes, role);
  return proof.outcome === 'acquitted'
    ? acquitted(diagnosis, findings, role)
    : notReproduced(diagnosis, findings, role);
}

/** What is asked of a host in each role, in words. */
const WORDS: Readonly<Record<TwinRole, Words>> = {
  server: { does: 'answers', doesNot: 'does not answer', comes: 'the SYN-ACK comes out', place: 'server' },
  router: { does: 'passes on', doesNot: 'does not pass on', comes: 'the SYN is passed on', place: 'path' },
  client: { does: 'opens', doesNot: 'does not open', comes: 'the connection comes up', place: 'client' },
};

/** Of a server with a SYN proxy, which answers before the listener is asked. */
const PROXY_WORDS: Words = {
  ...WORDS.server,
  doesNot: 'resets the connection that follows',
  otherwise: 'does not',
  comes: 'the connection stays',
};

interface Words {
  /** Instead of `does`, after what it does not. */
  readonly otherwise?: string;
  readonly does: string;
  readonly doesNot: string;
  readonly comes: string;
  readonly place: 'server' | 'path' | 'client';
}

function proven(diagnosis: Diagnosis, findings: TwinFindings, causes: readonly Cause[], role: TwinRole): Diagnosis {
  const { proof, search } = findings;
  const named = causesOf({
    guilty: proof.guilty,
    baseline: search.baseline,
    ...(search.explanation === undefined ? {} : { explanation: search.explanation }),
    isLimit: search.burst !== undefined || search.spread !== undefined,
    role,
  });
  const { id, status = 'confirmed' } = causeOf(diagnosis, named) ?? {};
  const known = causes.find((cause) => cause.id === id);
  const agrees = id !== undefined && id === diagnosis.cause?.id;
  // What is certain on the host is not to be doubted because of a copy that lacks something.
  if (!agrees && diagnosis.cause?.status === 'confirmed' && proof.notCopied.length > 0) {
    return notReproduced(diagnosis, { ...findings, proof: unproven(proof) }, role);
  }
  const words = search.baseline.remark === 'reset-after-ack' ? PROXY_WORDS : WORDS[role];
  const what = provenSentence(proof.guilty, proof.tried, words);
  const sentence = `This host ${words.doesNot} ${flowText(diagnosis, role)}; it ${words.otherwise ?? 'does'} ${whenText(proof.guilty)}`;
  const cause: CauseVerdict | null = agrees
    ? { ...(diagnosis.cause as CauseVerdict), status: 'confirmed' }
    : known === undefined
      ? null
      : { id: known.id, status, title: known.title, sentence };
  const before: Evidence = {
    statement: `a copy of this host ${words.doesNot} ${role === 'client' ? 'that connection' : 'that SYN'}, either (${replyWords(findings)})`,
    bearing: 'supports',
    weight: 'strong',
    source: SOURCE,
  };
  const shown: Evidence = { statement: what, bearing: 'supports', weight: 'conclusive', source: SOURCE };
  const contradicted: Evidence[] =
    diagnosis.cause === null || agrees
      ? []
      : [
          {
            statement: `the signs on the host spoke for "${diagnosis.cause.title}" (${diagnosis.cause.status}); the copy shows that it is not what stops this SYN alone`,
            bearing: 'contradicts',
            weight: 'moderate',
            source: SOURCE,
          },
        ];
  const remedies = agrees ? diagnosis.remedies : undoing(proof.guilty);
  return {
    ...diagnosis,
    sentence: agrees && cause !== null ? `${cause.sentence}: proven on a copy.` : `${sentence}.`,
    cause,
    evidence: [shown, before, ...(agrees ? diagnosis.evidence : contradicted)],
    suspects: diagnosis.suspects.filter((one) => one.id !== cause?.id),
    ruledOut: diagnosis.ruledOut.filter((one) => one.id !== cause?.id),
    undetermined: diagnosis.undetermined.filter((one) => one.id !== cause?.id),
    remedies: remedies.length === 0 && agrees ? undoing(proof.guilty) : remedies,
    nextSteps:
      cause === null
        ? diagnosis.nextSteps
        : [{ statement: 'More about this cause', command: ['synscope', 'explain', cause.id] }],
    place: WORDS[role].place,
    proof,
  };
}

/** What was found on a copy that is not like the host in what matters. */
function unproven(proof: Proof): Proof {
  return { ...proof, outcome: 'not-reproduced', guilty: [], alternatives: [proof.guilty, ...proof.alternatives] };
}

/**
 * The cause of the catalogue: the one that the signs name, if it fits what was proven; else the one that is plain from what was proven; else one
 * that the signs think possible, which stays likely: the element is proven, its name in the catalogue is not.
 */
function causeOf(
  { cause, suspects }: Diagnosis,
  { ids, isPlain }: ProvenCauses,
): { readonly id: string; readonly status: 'confirmed' | 'likely' } | undefined {
  const fits = (id: string | undefined): id is string => id !== undefined && ids.includes(id);
  if (fits(cause?.id)) return { id: cause.id, status: 'confirmed' };
  const likely = suspects.find(({ id, status }) => fits(id) && status !== 'possible')?.id;
  const [plainest] = ids;
  const id = likely ?? (isPlain ? plainest : undefined);
  if (id !== undefined) return { id, status: 'confirmed' };
  const possible = suspects.find((one) => fits(one.id))?.id;
  return possible === undefined ? undefined : { id: possible, status: 'likely' };
}

/** The statement that a proof is about. */
function provenSentence(guilty: readonly ProofElement[], tried: number, { comes }: Words): string {
  const others = Math.max(0, tried - guilty.length);
  const matter =
    others === 0
      ? ''
      : others === 1
        ? '; the one other change that was tried is not needed for it'
        : `; none of ${formatQuantity(others, 'other change')} that were tried is needed for it`;
  const how = guilty.length === 1 ? 'with this one change' : `with these ${guilty.length} changes together`;
  return `${how} ${comes}: ${guilty.map(changeText).join('; and ')}${matter}`;
}

function flowText({ handshake: { client, server } }: Diagnosis, role: TwinRole): string {
  const isUnspecified = client.address === '0.0.0.0' || client.address === '::';
  const from = isUnspecified ? '' : ` from ${client.address}`;
  return `a ${role === 'client' ? 'connection' : 'SYN'}${from} to ${formatEndpoint(server)}`;
}

function replyWords({ search: { baseline, burst, spread, explanation } }: TwinFindings): string {
  if (burst !== undefined) return `SYN number ${burst.sent} of a burst`;
  if (spread !== undefined) return `${spread.sent - spread.answered} of SYNs from ${spread.sent} source ports`;
  const words: Readonly<Record<string, string>> = {
    rst: 'it answers RST',
    icmp: `it answers with an ICMP error${baseline.detail === undefined ? '' : ` (${baseline.detail})`}`,
    ack: 'it answers with an ACK of an old connection',
    silence: 'silence',
    'syn-ack':
      baseline.remark === 'no-arp-answer'
        ? 'it answers nobody who asks for its address'
        : baseline.remark === 'reset-after-ack'
          ? 'its SYN proxy answers, and the ACK is answered with RST'
          : 'its SYN-ACK goes to a neighbour that does not live',
  };
  const drop = explanation?.drops.at(-1);
  const unanswered = baseline.unanswered.length === 0 ? '' : `; nobody answers for ${baseline.unanswered.join(', ')}`;
  return `${words[baseline.reply] ?? baseline.reply}${drop === undefined ? '' : `; the kernel drops it: ${drop}`}${unanswered}`;
}

function undoing(guilty: readonly ProofElement[]): RemedyOffer[] {
  const commands = guilty.flatMap(undoCommands);
  if (commands.length === 0) return [];
  return [
    {
      id: 'make-the-proven-change',
      title: 'Make the change that was proven on the copy',
      risk: guilty.some(({ kind }) => /^(?:nft|iptables)-/.test(kind)) ? 'high' : 'medium',
      auto: 'with-consent',
      changes: commands.map((argv) => ({ kind: 'command', argv })),
      commands: commands.map((argv) => quoteCommand(argv)),
    },
  ];
}

function acquitted(diagnosis: Diagnosis, { proof, search }: TwinFindings, role: TwinRole): Diagnosis {
  const { server } = diagnosis.handshake;
  const flow = flowText(diagnosis, role);
  const doubts = diagnosis.cause !== null && diagnosis.cause.status !== 'possible';
  const more = search.burst === undefined ? '' : `, and ${search.burst.sent} in a row`;
  const statement = `a copy of this host ${WORDS[role].does} ${flow}${more}`;
  const shown: Evidence = { statement, bearing: doubts ? 'contradicts' : 'supports', weight: 'strong', source: SOURCE };
  if (doubts) {
    // Queues that have emptied since, and what only the kernel as a whole has, are not in a copy.
    return {
      ...diagnosis,
      evidence: [...diagnosis.evidence, shown],
      proof: { ...proof, outcome: 'not-reproduced' },
    };
  }
  return {
    ...diagnosis,
    sentence: `This host ${WORDS[role].does} ${flow}: ${ELSEWHERE[role]}.`,
    cause: null,
    evidence: [shown],
    suspects: [],
    remedies: [],
    nextSteps:
      role === 'client'
        ? []
        : [
            {
              statement: 'On the client: ask it whether the SYN leaves and what comes back',
              command: ['sudo', 'synscope', 'connect', formatEndpoint(server)],
            },
          ],
    place: 'none',
    proof,
  };
}

const ELSEWHERE: Readonly<Record<TwinRole, string>> = {
  server: 'look at the path and at the client',
  router: 'look at what lies before and behind it',
  client: 'look at the path and at the server',
};

function notReproduced(diagnosis: Diagnosis, { proof, search }: TwinFindings, role: TwinRole): Diagnosis {
  const flow = flowText(diagnosis, role);
  const { does, doesNot } = WORDS[role];
  const isDropped = !search.baseline.isAnswered;
  const isReturned = search.baseline.remark === 'returned';
  const isUnasked = search.baseline.remark === 'unasked';
  const isOther = isDropped && !isReturned && proof.alternatives.length > 0;
  const shown: Evidence = {
    statement: isReturned
      ? `a copy of this host sends ${flow} back to who delivered it: it has not that address, and its routes lead there`
      : isOther
        ? `a copy of this host ${doesNot} ${flow}, either, but not as the host (${replyWords({ proof, search })})`
        : isDropped
          ? `a copy of this host ${doesNot} ${flow}, either, and none of ${proof.tried} changes that were tried helps`
          : isUnasked
            ? `a copy of this host ${does} ${flow}, but not who asks for that address by ARP: whether anybody does is not known`
            : `a copy of this host ${does} ${flow}; it lacks ${proof.notCopied.length === 0 ? 'nothing that is known' : proof.notCopied.slice(0, 3).join(', ')}`,
    bearing: 'supports',
    weight: 'weak',
    source: SOURCE,
  };
  const sentence = isReturned
    ? `This host sends ${flow} back to who delivered it: either it lacks the address, or packets for it should not come here; no copy tells which.`
    : isOther
      ? `A copy of this host fails otherwise than the host: what stops ${flow} is not in the copy.`
      : isDropped
        ? `A copy of this host ${doesNot} ${flow}, either; no change that was tried helps.`
        : isUnasked
          ? `A copy of this host ${does} ${flow}, but not who asks for that address by ARP: if its router asks, no SYN will come.`
          : `A copy of this host ${does} ${flow}: if the host does not, it is for what the copy lacks.`;
  return {
    ...diagnosis,
    sentence: diagnosis.cause === null ? sentence : diagnosis.sentence,
    evidence: [...diagnosis.evidence, shown],
    ...(diagnosis.cause === null ? { incomplete: true as const } : {}),
    proof,
  };
}
