import type { Cause } from '../model/cause.ts';
import type { CauseVerdict, Diagnosis, DiagnosisPlace, Evidence, NextStep } from '../model/diagnosis.ts';
import type { Side } from '../model/facts/attempt.ts';
import type { PathLocation } from '../model/path.ts';
import { formatQuantity } from '../model/text.ts';
import { type AttemptCase, diagnoseAttempt } from './diagnose-attempt.ts';
import { correctedLocation, fitsLocation, isSaidByLocation, overrulesSilence, speakersFor } from './join-fit.ts';
import type { RouterFinding } from './join-router.ts';
import { capitalized, joinSentence, namedEvidence, namedHost, namedRemedies, pathPhrase } from './join-words.ts';
import type { JudgedPath } from './judge-path.ts';
import { pathDiagnosis } from './path-diagnosis.ts';
import type { PathStory } from './path-story.ts';
import { sourceOf, supports } from './path-words.ts';

/** What one end says of an attempt. */
export interface EndView {
  readonly side: Side;
  /** How the host is called in sentences. */
  readonly name: string;
  readonly given: AttemptCase;
  /** What it says by itself. */
  readonly alone: Diagnosis;
}

/** All that is known of one attempt. */
export interface JoinInput {
  /** What the captures show together; absent when they do not have the attempt. */
  readonly story?: PathStory | undefined;
  readonly path?: JudgedPath | undefined;
  readonly client?: EndView | undefined;
  readonly server?: EndView | undefined;
  /** What is to be said beside it as long as no cause is certain: a sentence without a full stop. */
  readonly aside?: string | undefined;
  /** What hosts on the way say, those nearest to the client first. */
  readonly routers: readonly RouterFinding[];
}

/** One voice about the cause. */
interface Voice {
  readonly speaker: Side | 'router';
  readonly cause: CauseVerdict | null;
  readonly evidence: readonly Evidence[];
  readonly remedies: Diagnosis['remedies'];
  readonly place: DiagnosisPlace | undefined;
  readonly diagnosis?: Diagnosis;
  /** Of a router: the cause as its finding has it. */
  readonly from?: CauseVerdict;
}

const RANK: Readonly<Record<string, number>> = { confirmed: 0, likely: 1 };

/**
 * Joins where an attempt died with what the hosts say of it to one diagnosis. Where it died tells which host can know the cause; what
 * another one took for the cause is ruled out by it.
 */
export function joinAttempt(causes: readonly Cause[], input: JoinInput): Diagnosis {
  const { story, path, client, server } = input;
  const location = path === undefined || path.verdict.confidence === 'guess' ? undefined : path.verdict.location;
  const ends = [client, server].filter((end): end is EndView => end !== undefined);
  const voices: Voice[] = [
    ...ends.map((end) => voiceOf(causes, end, location)),
    ...input.routers.map(
      ({ cause, evidence, remedies }): Voice => ({
        speaker: 'router',
        cause,
        evidence,
        remedies,
        place: 'path',
        from: cause,
      }),
    ),
  ];
  const lead = withDetail(leadOf(voices, location), voices, location);
  const holder = lead?.speaker === 'router' ? input.routers.find(({ cause }) => cause === lead.from) : undefined;
  const bare = story === undefined || path === undefined ? undefined : pathDiagnosis(story, path);
  const real =
    location === undefined || lead?.cause?.status !== 'confirmed'
      ? location
      : correctedLocation(lead.cause.id, location);
  const isCorrected = real !== location;
  const phrase =
    story === undefined || path === undefined ? undefined : pathPhrase(story, real ?? path.verdict.location, holder);
  const base = bare ?? client?.alone ?? server?.alone;
  if (base === undefined) throw new TypeError('an attempt of which nothing is known cannot be judged');
  const shown = lead?.cause ?? null;
  const isSaid = shown !== null && location !== undefined && isSaidByLocation(shown.id, location);
  const certain = isSaid && path?.verdict.confidence === 'certain';
  const cause = shown !== null && certain ? { ...shown, status: 'confirmed' as const } : shown;
  const aside = input.aside === undefined || cause?.status === 'confirmed' ? '' : ` ${capitalized(input.aside)}.`;
  const shownPath = bare?.evidence.filter(({ bearing }) => bearing === 'supports') ?? [];
  // What a router kept, it says itself.
  const pathEvidence = isCorrected ? [] : holder === undefined ? shownPath : sentBy(story);
  const first = lead?.diagnosis ?? client?.alone ?? server?.alone;
  const alone = bare === undefined ? (lead?.diagnosis ?? base) : bare;
  return {
    ...base,
    ...((holder === undefined && !isCorrected) || phrase === undefined || base.path === undefined
      ? {}
      : { path: { ...base.path, location: real ?? base.path.location, sentence: `${capitalized(phrase)}.` } }),
    sentence: `${cause === null ? (withoutCause(input, alone, location) ?? alone.sentence) : sentenceOf(cause, phrase)}${aside}`,
    cause,
    evidence: [
      ...pathEvidence.slice(0, cause === null ? undefined : 2),
      ...(lead?.evidence ?? []),
      ...(cause === null && bare === undefined ? base.evidence : []),
    ],
    ruledOut: ruledOutOf(causes, ends, lead, location, phrase),
    suspects: suspectsOf(voices, cause),
    undetermined: (first?.undetermined ?? []).map((one) => ({ ...one })),
    remedies: lead?.remedies ?? [],
    nextSteps: nextStepsOf(cause, alone),
    place: placeOf(lead, location, client?.alone.place, server?.alone.place),
  };
}

/** What left the client, as evidence. */
function sentBy(story: PathStory | undefined): Evidence[] {
  const near = story?.near;
  if (near === undefined || near.syns.length === 0) return [];
  return [supports(`${formatQuantity(near.syns.length, 'SYN')} left ${near.name}`, sourceOf(near, near.syns))];
}

/** What one end says of the causes that the location leaves to it. */
function voiceOf(causes: readonly Cause[], end: EndView, location: PathLocation | undefined): Voice {
  const { side, name, given, alone } = end;
  const allowed = location === undefined ? causes : causes.filter((cause) => fitsLocation(cause, side, location));
  const diagnosis = location === undefined ? alone : diagnoseAttempt(allowed, given);
  const { cause } = diagnosis;
  // Of a server that captured nothing it is not known that the SYN came so far.
  const isSupposed = side === 'server' && !given.attempt.captured && cause?.status === 'confirmed';
  const status = isSupposed ? { status: 'likely' as const } : {};
  return {
    speaker: side,
    cause: cause === null ? null : { ...cause, ...status, sentence: namedHost(cause.sentence, name) },
    evidence: cause === null ? [] : namedEvidence(diagnosis.evidence, name),
    remedies: namedRemedies(diagnosis.remedies, name),
    place: diagnosis.place,
    diagnosis,
  };
}

/** The surest voice; among those that are as sure, the one that counts first for where it died. */
function leadOf(voices: readonly Voice[], location: PathLocation | undefined): Voice | undefined {
  const speakers = speakersFor(location);
  const order = ({ cause, speaker }: Voice): number =>
    (cause?.status === 'confirmed' && overrulesSilence(cause.id) ? -10 : 0) +
    (RANK[cause?.status ?? ''] ?? 9) * 10 +
    speakers.indexOf(speaker);
  return voices.filter(({ cause }) => cause !== null).toSorted((a, b) => order(a) - order(b))[0];
}

/** A router that dropped the packet tells where; what it means for the connection, the server may know better. */
function withDetail(
  lead: Voice | undefined,
  voices: readonly Voice[],
  location: PathLocation | undefined,
): Voice | undefined {
  if (
    lead?.cause == null ||
    lead.speaker !== 'router' ||
    location === undefined ||
    !isSaidByLocation(lead.cause.id, location)
  )
    return lead;
  const { cause } = lead;
  const other = voices.find((one) => one.speaker === 'server' && one.cause !== null && one.cause.id !== cause.id);
  if (other?.cause == null || !isSaidByLocation(other.cause.id, location)) return lead;
  const sentence = `${cause.sentence}; ${lowerFirst(other.cause.sentence)}`;
  return {
    ...lead,
    cause: { ...other.cause, status: cause.status, sentence },
    evidence: [...lead.evidence, ...other.evidence],
  };
}

function sentenceOf(cause: CauseVerdict, phrase: string | undefined): string {
  const sentence = cause.status === 'confirmed' ? cause.sentence : `most likely ${lowerFirst(cause.sentence)}`;
  return joinSentence(phrase, phrase === undefined ? sentence : lowerFirst(sentence));
}

function lowerFirst(text: string): string {
  return /^(?:The|A|An|Nothing|Something|Somebody|Most|No|It)\b/.test(text)
    ? `${text[0]?.toLowerCase()}${text.slice(1)}`
    : text;
}

/** No cause stands out: what the two ends say together. */
function withoutCause(
  { server, path }: JoinInput,
  alone: Diagnosis,
  location: PathLocation | undefined,
): string | undefined {
  if (location !== 'server-silent' || server === undefined || path === undefined) return undefined;
  const { sentence } = server.alone;
  return sentence.startsWith('Either ') ? `${alone.sentence} ${namedHost(sentence, server.name)}` : undefined;
}

function ruledOutOf(
  causes: readonly Cause[],
  ends: readonly EndView[],
  lead: Voice | undefined,
  location: PathLocation | undefined,
  phrase: string | undefined,
): Diagnosis['ruledOut'] {
  const known = new Map<string, string>();
  for (const { alone, side } of ends) {
    // What the other end took for the cause by itself, and the captures say otherwise.
    for (const { id } of [...(alone.cause === null ? [] : [alone.cause]), ...alone.suspects]) {
      const cause = causes.find((one) => one.id === id);
      if (cause === undefined || location === undefined || phrase === undefined || lead?.cause?.id === id) continue;
      if (!fitsLocation(cause, side, location)) known.set(id, phrase);
    }
  }
  const speaker = ends.find(({ side }) => side === lead?.speaker);
  for (const end of [...(speaker === undefined ? [] : [speaker]), ...ends.filter((one) => one !== speaker)].slice(
    0,
    1,
  )) {
    for (const { id, statement } of lead?.diagnosis?.ruledOut ?? end.alone.ruledOut) {
      if (!known.has(id)) known.set(id, namedHost(statement, end.name));
    }
  }
  return [...known].filter(([id]) => id !== lead?.cause?.id).map(([id, statement]) => ({ id, statement }));
}

function suspectsOf(voices: readonly Voice[], cause: CauseVerdict | null): Diagnosis['suspects'] {
  const known = new Map<string, Diagnosis['suspects'][number]>();
  for (const { cause: own, diagnosis } of voices) {
    for (const one of [...(own === null ? [] : [{ id: own.id, status: own.status }]), ...(diagnosis?.suspects ?? [])]) {
      if (one.id !== cause?.id && !known.has(one.id)) known.set(one.id, one);
    }
  }
  return [...known.values()];
}

function nextStepsOf(cause: CauseVerdict | null, alone: Diagnosis): readonly NextStep[] {
  if (cause === null) return alone.nextSteps;
  return [{ statement: 'More about this cause', command: ['synscope', 'explain', cause.id] }];
}

const PLACES: Readonly<Partial<Record<PathLocation, DiagnosisPlace>>> = {
  'lost-before-server': 'path',
  'server-silent': 'server',
  'answer-lost': 'path',
  'final-ack-lost': 'path',
  'refused-by-server': 'server',
  'refused-by-middlebox': 'path',
  'icmp-from-router': 'path',
  'icmp-from-server': 'server',
  'client-rejected-answer': 'client',
};

function placeOf(
  lead: Voice | undefined,
  location: PathLocation | undefined,
  client: DiagnosisPlace | undefined,
  server: DiagnosisPlace | undefined,
): DiagnosisPlace {
  if (lead !== undefined) return lead.place ?? 'unknown';
  return (location === undefined ? undefined : PLACES[location]) ?? client ?? server ?? 'unknown';
}
