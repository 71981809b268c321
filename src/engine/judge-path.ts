import { basisConfidence } from '../handshake/compare/match-basis.ts';
import type { PathVerdict } from '../model/path.ts';
import { matchText, weakestBasis } from './path-match.ts';
import { judgeAnswer } from './path-rule-answer.ts';
import { judgeIcmp } from './path-rule-icmp.ts';
import { judgeLoss } from './path-rule-loss.ts';
import { judgeReset } from './path-rule-reset.ts';
import { judgeSilence } from './path-rule-silence.ts';
import { judgeUnmatched } from './path-rule-unmatched.ts';
import { judgeWorked } from './path-rule-worked.ts';
import type { PathStory } from './path-story.ts';
import { type PathFinding, referencesTo } from './path-words.ts';

/** One way in which an attempt can have ended; undefined when it does not apply. */
export type PathRule = (story: PathStory) => PathFinding | undefined;

/** Tried in this order; the last one always applies. */
const RULES: readonly PathRule[] = [
  judgeWorked,
  judgeIcmp,
  judgeReset,
  judgeLoss,
  judgeSilence,
  judgeAnswer,
  judgeUnmatched,
];

/** Where one attempt died, with what shows it. */
export interface JudgedPath {
  readonly verdict: PathVerdict;
  readonly finding: PathFinding;
}

/** Judges one attempt by all captures that were compared. */
export function judgePath(story: PathStory): JudgedPath {
  const finding = firstFinding(story);
  const basis = weakestBasis(story);
  const match = matchText(story);
  // Captures that are known to miss nothing show up to their end what became of each packet.
  const isWhole = story.comparison.columns.every(({ capture }) => capture.complete !== undefined);
  const undecided = story.near.sighting.handshake.outcome === 'in-progress' && !isWhole;
  const known = undecided ? lesser(finding.confidence, 'likely') : finding.confidence;
  const confidence = basis === 0 ? known : lesser(known, basisConfidence(basis));
  const verdict: PathVerdict = {
    location: finding.location,
    sentence: finding.sentence,
    frames: referencesTo(finding.shown),
    confidence,
    ...(finding.between === undefined ? {} : { between: finding.between }),
    ...(match === undefined ? {} : { match }),
  };
  return { verdict, finding };
}

function firstFinding(story: PathStory): PathFinding {
  for (const rule of RULES) {
    const finding = rule(story);
    if (finding !== undefined) return finding;
  }
  return judgeUnmatched(story);
}

const DEGREES: readonly PathVerdict['confidence'][] = ['guess', 'likely', 'certain'];

function lesser(a: PathVerdict['confidence'], b: PathVerdict['confidence']): PathVerdict['confidence'] {
  return DEGREES.indexOf(a) < DEGREES.indexOf(b) ? a : b;
}
