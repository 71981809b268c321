import type { CaptureReport, ClockRelation, Diagnosis } from '../model/diagnosis.ts';
import type { Handshake, Segment } from '../model/handshake.ts';
import { formatList } from '../model/text.ts';
import { forTerminal } from './escape.ts';
import { type LadderEvent, type LadderVantage, ladderEvents, ladderVantages } from './ladder-events.ts';
import { isUnanswered } from './ladder-unanswered.ts';

/** Comments for one packet of a capture: the lines of the pcapng option `opt_comment`. */
export interface Annotation {
  /** Name of the capture; absent when the report knows of only one. */
  readonly capture?: string;
  readonly frame: number;
  readonly lines: readonly string[];
}

/** What comments start with, so that a display filter finds them: `frame.comment contains "synscope:"`. */
const PREFIX = 'synscope: ';

/**
 * Comments for every packet of every attempt of a report, by name of the capture and frame number. Packets without a
 * part in a failed attempt have none.
 */
export function annotations(report: CaptureReport): Map<string, Map<number, string[]>> {
  const byCapture = new Map<string, Map<number, string[]>>();
  const only = report.captures[0]?.name ?? '-';
  const examples = report.omittedDiagnoses === 0 ? [] : report.groups.flatMap((group) => group.examples);
  for (const diagnosis of new Set([...report.diagnoses, ...examples])) {
    for (const { capture = only, frame, lines } of annotationFor(diagnosis, report.clocks)) {
      const frames = byCapture.get(capture) ?? new Map<number, string[]>();
      byCapture.set(capture, frames);
      const known = frames.get(frame) ?? [];
      frames.set(frame, [...known, ...lines.filter((line) => !known.includes(line))]);
    }
  }
  return byCapture;
}

/** Comments for the packets of one attempt: what each one is, what became of it, and the verdict on the decisive one. */
export function annotationFor(diagnosis: Diagnosis, clocks: readonly ClockRelation[] = []): Annotation[] {
  const vantages = ladderVantages(diagnosis, clocks);
  const events = ladderEvents(vantages);
  const decisive = decisiveFrame(diagnosis);
  return events.flatMap((event, index) =>
    event.seen.flatMap((segment, at): Annotation[] => {
      const vantage = vantages[at];
      if (segment === undefined || vantage?.handshake == null) return [];
      const fate = vantages.length > 1 ? elsewhere(event, at, vantages, diagnosis) : alone(events, index, diagnosis);
      const capture = vantage.capture ?? diagnosis.capture;
      const isDecisive = segment.frame === decisive.frame && (decisive.capture ?? capture) === capture;
      const lines = [[nameOf(segment, vantage.handshake), ...fate].join(', ')];
      if (isDecisive) lines.push(diagnosis.sentence);
      return [
        {
          ...(capture === undefined ? {} : { capture }),
          frame: segment.frame,
          lines: lines.map((line) => PREFIX + forTerminal(line)),
        },
      ];
    }),
  );
}

function nameOf(segment: Segment, { synRetransmissions, synAckRetransmissions }: Handshake): string {
  switch (segment.kind) {
    case 'syn':
      return `SYN ${segment.repeat + 1} of ${synRetransmissions + 1}`;
    case 'syn-ack':
      return `SYN-ACK ${segment.repeat + 1} of ${synAckRetransmissions + 1}`;
    case 'icmp':
      return `ICMP from ${segment.icmp?.from ?? 'unknown'}: ${segment.icmp?.name ?? 'error'}`;
    case 'other':
      return 'TCP segment';
    default: {
      const name = segment.kind === 'data' ? 'data' : segment.kind.toUpperCase();
      return segment.repeat > 0 ? `${name}, repeated` : name;
    }
  }
}

function alone(events: readonly LadderEvent[], index: number, { handshake }: Diagnosis): string[] {
  return isUnanswered(events, index, handshake.outcome) ? ['no answer'] : [];
}

function elsewhere(
  { seen }: LadderEvent,
  here: number,
  vantages: readonly LadderVantage[],
  { path }: Diagnosis,
): string[] {
  const found: string[] = [];
  const missed: string[] = [];
  vantages.forEach(({ capture = '' }, at) => {
    if (at === here) return;
    const segment = seen[at];
    if (segment !== undefined) found.push(`#${segment.frame} of ${capture}`);
    else missed.push(capture);
  });
  return [
    ...(found.length > 0 ? [`the same as ${formatList(found)}`] : []),
    ...(missed.length > 0 && path?.location !== 'unmatched' ? [`never seen in ${formatList(missed)}`] : []),
  ];
}

/** The packet on which the verdict rests: the last that the path names, a RST or ICMP error, or the first of the step. */
function decisiveFrame({ handshake, path }: Diagnosis): {
  readonly capture?: string;
  readonly frame: number | undefined;
} {
  const named = path?.frames.at(-1);
  if (named !== undefined) return named;
  const { segments, stage } = handshake;
  const refusal = segments.find(({ kind }) => kind === 'rst' || kind === 'icmp');
  const waiting = segments.find(({ kind }) => kind === stage);
  return { frame: (refusal ?? waiting ?? segments.at(0))?.frame };
}
