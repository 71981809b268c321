import { formatDuration, formatList } from '../model/text.ts';
import { absenceOf } from './path-reach.ts';
import { findAgain } from './path-shared-packets.ts';
import type { PathStory } from './path-story.ts';
import { confidenceOf, frameList, fromTo, type PathFinding, someOf, sourceOf, supports } from './path-words.ts';

/** It worked: at once, or late because something was lost. */
export function judgeWorked(story: PathStory): PathFinding | undefined {
  const { near, far, last } = story;
  const outcome = near.sighting.handshake.outcome;
  if (!near.sighting.proved) {
    const farOutcome = far.sighting.handshake.outcome;
    if (outcome !== 'established') {
      if (far === near || !far.sighting.proved) return undefined;
      return {
        location: 'established',
        sentence: `The attempt ${fromTo(story)} worked as ${far.name} shows it; ${near.name} lacks packets of it.`,
        confidence: 'likely',
        shown: [{ point: far, packets: far.answers }],
        evidence: [supports('the server went on with the connection', sourceOf(far, far.acks))],
      };
    }
    const denied = far === last && far !== near && farOutcome !== 'established' && farOutcome !== 'one-sided';
    if (denied && farOutcome !== 'in-progress') return undefined;
  }
  const { synRetransmissions, synAckRetransmissions } = near.sighting.handshake;
  const repeatedAnswer = far.answers.length > 1 && far !== near;
  if (synRetransmissions > 0 || synAckRetransmissions > 0 || repeatedAnswer) return late(story);
  return {
    location: 'established',
    sentence: `The attempt ${fromTo(story)} worked.`,
    confidence: 'certain',
    shown: [{ point: near, packets: near.syns.slice(0, 1) }],
    evidence: [],
  };
}

function late(story: PathStory): PathFinding {
  const { near, far, last } = story;
  const took = near.sighting.handshake.establishedAfterNs;
  const shown = [{ point: near, packets: near.syns }];
  const after = took === undefined ? 'late' : `after ${formatDuration(took)}`;
  const connected = `${fromTo(story)
    .replace(/^from /, '')
    .replace(' to ', ' connected to ')} ${after}`;
  const base = { location: 'late' as const, shown };
  if (far === near) {
    const times = near.syns.length > 1 ? 'SYNs had to be repeated' : 'SYN-ACKs were repeated';
    return {
      ...base,
      sentence: `${connected}: ${times} (${frameList(near.syns)} in ${near.name}); no other capture shows where they were lost.`,
      confidence: 'guess',
      evidence: [supports(times, sourceOf(near, near.syns))],
    };
  }
  const syns = findAgain(story, near, near.syns, far, far.syns);
  const answers = findAgain(story, far, far.answers, near, near.answers);
  const absence = absenceOf(story, far, near, syns.missing);
  const reasons: string[] = [];
  const evidence = [];
  if (syns.missing.length > 0) {
    const which = someOf(syns.missing.length, near.syns.length, 'SYN').toLowerCase().replace(/syn/g, 'SYN');
    reasons.push(`${which} (${frameList(syns.missing)} in ${near.name}) never reached ${far.name}`);
    evidence.push(
      supports(
        `${syns.missing.length} of ${near.syns.length} SYNs are not in ${far.name}`,
        sourceOf(near, syns.missing),
      ),
    );
  }
  if (answers.missing.length > 0) {
    const which = someOf(answers.missing.length, far.answers.length, 'SYN-ACK')
      .toLowerCase()
      .replace(/syn-ack/g, 'SYN-ACK');
    reasons.push(`${which} (${frameList(answers.missing)} in ${far.name}) never reached ${near.name}`);
    evidence.push(
      supports(
        `${answers.missing.length} of ${far.answers.length} SYN-ACKs are not in ${near.name}`,
        sourceOf(far, answers.missing),
      ),
    );
  }
  if (reasons.length === 0 && near.syns.length > 1) {
    reasons.push(
      `all ${near.syns.length} SYNs reached ${far.name} (${frameList(far.syns)}), and the server did not answer at once`,
    );
    evidence.push(supports('the server answered late', sourceOf(far, far.answers)));
  } else if (reasons.length === 0) {
    reasons.push(
      `the SYN-ACK was repeated (${frameList(far.answers)} in ${far.name}): an ACK came late or was ignored`,
    );
    evidence.push(supports('the SYN-ACK was repeated', sourceOf(far, far.answers)));
  }
  return {
    ...base,
    shown: [...shown, { point: far, packets: [...far.syns, ...far.answers] }],
    sentence: `${connected}: ${formatList(reasons)}.`,
    confidence: syns.missing.length > 0 ? confidenceOf(absence.trust) : 'likely',
    ...(far === last || far !== near ? { between: [near.name, far.name] as const } : {}),
    evidence,
  };
}
