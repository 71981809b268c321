import type { Cause } from '../model/cause.ts';
import type { CauseVerdict, Diagnosis, Evidence, RemedyOffer } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { ProofElement } from '../model/proof.ts';
import { changeText, whenText } from '../model/proof-words.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { formatQuantity } from '../model/text.ts';
import { causesOf } from './prove-cause.ts';
import { undoCommands } from './prove-remedies.ts';
import type { TwinFindings } from './prove-twin.ts';

const SOURCE = 'copy of the host';

/** Joins what the signs on a host say with what its copy showed. Where they contradict each other, the copy is right, and it is said. */
export function proveDiagnosis(diagnosis: Diagnosis, findings: TwinFindings, causes: readonly Cause[]): Diagnosis {
  const { proof } = findings;
  if (proof.outcome === 'proven') return proven(diagnosis, findings, causes);
  return proof.outcome === 'acquitted' ? acquitted(diagnosis, findings) : notReproduced(diagnosis, findings);
}

function proven(diagnosis: Diagnosis, findings: TwinFindings, causes: readonly Cause[]): Diagnosis {
  const { proof, search } = findings;
  const { ids, isPlain } = causesOf({
    guilty: proof.guilty,
    baseline: search.baseline,
    ...(search.explanation === undefined ? {} : { explanation: search.explanation }),
    isLimit: search.burst !== undefined,
  });
  const suspected = [...(diagnosis.cause === null ? [] : [diagnosis.cause]), ...diagnosis.suspects].map(({ id }) => id);
  const id = suspected.find((one) => ids.includes(one)) ?? (isPlain ? ids[0] : undefined);
  const known = causes.find((cause) => cause.id === id);
  const agrees = id !== undefined && id === diagnosis.cause?.id;
  const what = provenSentence(proof.guilty, proof.tried);
  const cause: CauseVerdict | null = agrees
    ? { ...(diagnosis.cause as CauseVerdict), status: 'confirmed' }
    : known === undefined
      ? null
      : { id: known.id, status: 'confirmed', title: known.title, sentence: elementSentence(diagnosis, proof.guilty) };
  const before: Evidence = {
    statement: `a copy of this host does not answer that SYN, either (${replyWords(findings)})`,
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
    sentence:
      agrees && cause !== null
        ? `${cause.sentence}: proven on a copy.`
        : `${elementSentence(diagnosis, proof.guilty)}.`,
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
    place: 'server',
    proof,
  };
}

/** The statement that a proof is about. */
function provenSentence(guilty: readonly ProofElement[], tried: number): string {
  const others = Math.max(0, tried - guilty.length);
  const matter =
    others === 0 ? '' : `; of ${formatQuantity(others, 'other change')} that were tried none is needed for it`;
  const how = guilty.length === 1 ? 'with this one change' : `with these ${guilty.length} changes together`;
  return `${how} the SYN-ACK comes out: ${guilty.map(changeText).join('; and ')}${matter}`;
}

function elementSentence({ handshake: { client, server } }: Diagnosis, guilty: readonly ProofElement[]): string {
  return `A SYN from ${client.address} to ${formatEndpoint(server)} is answered only ${whenText(guilty)}`;
}

function replyWords({ search: { baseline, burst, explanation } }: TwinFindings): string {
  if (burst !== undefined) return `the ${burst.sent}th of a burst`;
  const words: Readonly<Record<string, string>> = {
    rst: 'it answers RST',
    icmp: `it answers with an ICMP error${baseline.detail === undefined ? '' : ` (${baseline.detail})`}`,
    ack: 'it answers with an ACK of an old connection',
    silence: 'silence',
    'syn-ack':
      baseline.remark === 'no-arp-answer'
        ? 'it answers nobody who asks for its address'
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

function acquitted(diagnosis: Diagnosis, { proof, search }: TwinFindings): Diagnosis {
  const { client, server } = diagnosis.handshake;
  const doubts = diagnosis.cause !== null && diagnosis.cause.status !== 'possible';
  const statement = `a copy of this host answers a SYN from ${client.address} to ${formatEndpoint(server)} with a SYN-ACK${search.burst === undefined ? '' : `, and ${search.burst.sent} in a row`}`;
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
    sentence: `This host answers a SYN from ${client.address} to ${formatEndpoint(server)}: look at the path and at the client.`,
    cause: null,
    evidence: [shown],
    suspects: [],
    remedies: [],
    nextSteps: [
      {
        statement: 'On the client: ask it whether the SYN leaves and what comes back',
        command: ['sudo', 'synscope', 'connect', formatEndpoint(server)],
      },
    ],
    place: 'none',
    proof,
  };
}

function notReproduced(diagnosis: Diagnosis, { proof, search }: TwinFindings): Diagnosis {
  const { client, server } = diagnosis.handshake;
  const flow = `a SYN from ${client.address} to ${formatEndpoint(server)}`;
  const isDropped = !search.baseline.isAnswered;
  const shown: Evidence = {
    statement: isDropped
      ? `a copy of this host does not answer ${flow}, either, and none of ${proof.tried} changes brings an answer`
      : `a copy of this host answers ${flow}; it lacks ${proof.notCopied.length === 0 ? 'nothing that is known' : proof.notCopied.slice(0, 3).join(', ')}`,
    bearing: 'supports',
    weight: 'weak',
    source: SOURCE,
  };
  const sentence = isDropped
    ? `A copy of this host does not answer ${flow}, either; no change that was tried brings an answer.`
    : `A copy of this host answers ${flow}: if the host does not, it is for what the copy lacks.`;
  return {
    ...diagnosis,
    sentence: diagnosis.cause === null ? sentence : diagnosis.sentence,
    evidence: [...diagnosis.evidence, shown],
    ...(diagnosis.cause === null ? { incomplete: true as const } : {}),
    proof,
  };
}
