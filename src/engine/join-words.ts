import type { Evidence, RemedyOffer } from '../model/diagnosis.ts';
import type { PathLocation } from '../model/path.ts';
import { formatQuantity } from '../model/text.ts';
import type { RouterFinding } from './join-router.ts';
import type { PathStory } from './path-story.ts';
import { frameList } from './path-words.ts';

/** What one host says of itself, in words for a reader who looks at several. */
export function namedHost(text: string, name: string): string {
  return text
    .replace(/\b[Tt]his host itself\b/g, () => `${name} itself`)
    .replace(/\b([Tt])his host's\b/g, () => `${name}'s`)
    .replace(/\b[Tt]his host\b/g, () => name);
}

/** Evidence of one host, with its name. */
export function namedEvidence(evidence: readonly Evidence[], name: string): Evidence[] {
  return evidence.map((one) => ({
    ...one,
    statement: namedHost(one.statement, name),
    source: one.source === name || one.source.startsWith(`${name} `) ? one.source : `${name} ${one.source}`,
  }));
}

/** Repairs on one host, with its name. */
export function namedRemedies(remedies: readonly RemedyOffer[], name: string): RemedyOffer[] {
  return remedies.map((remedy) => ({ ...remedy, title: `On ${name}: ${namedHost(remedy.title, name)}` }));
}

/** The packets that show it, in short, to go before a cause: `the SYN reached web7 (#3) and no SYN-ACK left`. */
export function pathPhrase(
  { near, far, last, points }: PathStory,
  location: PathLocation | undefined,
  holder?: RouterFinding,
): string | undefined {
  const held = holder === undefined ? undefined : heldPhrase(points, holder);
  if (held !== undefined) return held;
  const syn = (packets: readonly unknown[]): string => formatQuantity(packets.length, 'SYN');
  switch (location) {
    case 'lost-before-server': {
      const next = points[points.indexOf(far) + 1] ?? last;
      return `${syn(far.syns)} left ${far.name} (${frameList(far.syns)}) and none arrived at ${next.name}`;
    }
    case 'server-silent':
      if (last.acks.length > 0)
        return `the client's ACK reached ${last.name} (${frameList(last.acks)}) and was ignored`;
      return `${syn(last.syns)} reached ${last.name} (${frameList(last.syns)}) and no SYN-ACK left`;
    case 'answer-lost':
      if (last.answers.length === 0)
        return `what ${last.name} answered belongs to another connection (${frameList(last.wrongAnswers)}) and never reached ${near.name}`;
      return `${formatQuantity(last.answers.length, 'SYN-ACK')} left ${last.name} (${frameList(last.answers)}) and none reached ${near.name}`;
    case 'final-ack-lost':
      return `the final ACK left ${near.name} (${frameList(near.acks)}) and never reached ${last.name}`;
    case 'refused-by-server':
      return `the SYN reached ${last.name} (${frameList(last.syns)}), which refused it (RST ${frameList(last.resets)})`;
    case 'refused-by-middlebox':
      return near.resets.length > 0
        ? `the RST (${frameList(near.resets)} in ${near.name}) did not come from ${last.name}`
        : undefined;
    case 'icmp-from-server':
      return last.icmps.length > 0
        ? `${last.name} answered the SYN with an ICMP error (${frameList(last.icmps)})`
        : undefined;
    case 'client-rejected-answer':
      return near.answers.length > 0
        ? `the SYN-ACK reached ${near.name} (${frameList(near.answers)}), which did not take it`
        : undefined;
    default:
      return undefined;
  }
}

/** Where a host between the two ends did not send it on. */
function heldPhrase(points: PathStory['points'], { name, packet }: RouterFinding): string | undefined {
  const point = points.find((one) => one.name === name);
  const packets = packet === 'syn' ? point?.syns : packet === 'ack' ? point?.acks : point?.answers;
  if (packets === undefined || packets.length === 0) return undefined;
  const what = formatQuantity(packets.length, packet === 'syn' ? 'SYN' : packet === 'ack' ? 'ACK' : 'SYN-ACK');
  return `${what} came to ${name} (${frameList(packets)}) and ${packets.length === 1 ? 'did not leave it' : 'none left it'}`;
}

/** `Web7 has …`, as it goes on after another half of a sentence. */
export function joinSentence(phrase: string | undefined, sentence: string): string {
  if (phrase === undefined) return `${capitalized(sentence)}.`;
  return `${capitalized(phrase)}: ${sentence}.`;
}

/** With a capital letter in front. */
export function capitalized(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}
