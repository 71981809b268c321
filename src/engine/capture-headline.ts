import { isFailure } from '../handshake/outcome.ts';
import type { CaptureReport, Group } from '../model/diagnosis.ts';
import { formatCount, formatQuantity } from '../model/text.ts';

/** The verdict over one capture in one sentence: the most frequent failure, and how many other kinds there are. */
export function captureHeadline(name: string, summary: CaptureReport['summary'], groups: readonly Group[]): string {
  const { handshakes, failed, late } = summary;
  if (handshakes === 0) return `${name} holds no TCP handshake.`;
  const failures = groups.filter(({ outcome }) => isFailure(outcome));
  const worst = failures[0];
  if (failed === 0 || worst === undefined) return unfailed(summary, late);
  const others = failures.length - 1;
  if (others === 0) return worst.sentence;
  const all = failed === handshakes ? 'All' : formatCount(failed);
  const total =
    failed === handshakes ? `${formatCount(handshakes)} handshakes` : `of ${formatQuantity(handshakes, 'handshake')}`;
  const opening = `${all} ${total} failed.`;
  return `${opening} Most often: ${worst.sentence} ${formatQuantity(others, 'more group')} of failures ${others === 1 ? 'follows' : 'follow'}.`;
}

function unfailed({ handshakes, outcomes }: CaptureReport['summary'], late: number): string {
  const established = outcomes.established ?? 0;
  const undecided = handshakes - established;
  const worked =
    established === handshakes
      ? handshakes === 1
        ? 'The one handshake was completed'
        : `All ${formatCount(handshakes)} handshakes were completed`
      : `No failed handshake: ${formatCount(established)} of ${formatCount(handshakes)} were completed, ${formatCount(undecided)} cannot be judged`;
  return late === 0 ? `${worked}.` : `${worked}, ${formatCount(late)} of them only after a packet had to be repeated.`;
}
