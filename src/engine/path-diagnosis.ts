import { isFailure } from '../handshake/outcome.ts';
import type { Diagnosis, Evidence } from '../model/diagnosis.ts';
import type { Handshake, Outcome } from '../model/handshake.ts';
import type { JudgedPath } from './judge-path.ts';
import { pathNextSteps } from './path-next-steps.ts';
import type { PathStory } from './path-story.ts';
import { supports } from './path-words.ts';

/** The diagnosis of one attempt by all captures: its path, the evidence, and what to do next. */
export function pathDiagnosis(story: PathStory, { verdict, finding }: JudgedPath): Diagnosis {
  const { comparison, points, near } = story;
  const evidence: Evidence[] = [...finding.evidence];
  if (verdict.match !== undefined) {
    const weight = verdict.confidence === 'certain' ? 'strong' : 'moderate';
    evidence.push(
      supports(
        `recognised by the ${verdict.match}`,
        points
          .filter(({ sighting }) => sighting)
          .map(({ name }) => name)
          .join(', '),
        weight,
      ),
    );
  }
  const outcome = outcomeOnPath(story, verdict.location);
  const handshake: Handshake =
    outcome === near.sighting.handshake.outcome ? near.sighting.handshake : { ...near.sighting.handshake, outcome };
  return {
    handshake,
    sentence: verdict.sentence,
    cause: null,
    evidence,
    ruledOut: [],
    suspects: [],
    undetermined: [],
    remedies: [],
    nextSteps: pathNextSteps(story, finding),
    path: verdict,
    vantages: comparison.columns.map(({ capture: { name } }, capture) => ({
      capture: name,
      handshake: points.find((point) => point.capture === capture)?.sighting?.handshake ?? null,
    })),
  };
}

/** How the attempt ended, by all captures: the client may believe that it is connected when the server knows better. */
export function outcomeOnPath({ near, points }: PathStory, location: string): Outcome {
  const outcome = near.sighting.handshake.outcome;
  if (location === 'established' || location === 'late') return 'established';
  if (location === 'final-ack-lost') return 'half-open';
  if (isFailure(outcome)) return outcome;
  const other = points
    .map(({ sighting }) => sighting?.handshake.outcome)
    .findLast((one) => one !== undefined && isFailure(one));
  if (outcome === 'established' && other === 'no-reply') return 'half-open';
  return other ?? outcome;
}
