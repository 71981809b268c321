import { isFailure } from '../handshake/outcome.ts';
import type { Note } from '../model/capture.ts';
import type { CaptureReport, Diagnosis, Group, NotSeen } from '../model/diagnosis.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { formatCount, formatQuantity } from '../model/text.ts';

/** What a watch of one port saw in all. */
export interface WatchTotals {
  readonly ms: number;
  /** SYNs to the port, retransmissions included. */
  readonly syns: number;
  readonly attempts: number;
  /** Packets that the capture lost. */
  readonly lost: number;
  /** Attempts that were judged before their time. */
  readonly displaced: number;
  readonly port: number;
}

/** What was found on one host. */
export interface HostFindings {
  readonly diagnoses: readonly Diagnosis[];
  readonly notSeen: readonly NotSeen[];
  /** Absent when nothing was watched. */
  readonly watched: WatchTotals | undefined;
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
}

/** Makes the report of one host: like diagnoses become one group, the most telling first. */
export function hostReport(
  command: 'listen' | 'connect' | 'trace' | 'prove',
  host: string,
  { diagnoses, notSeen, watched, outcomes }: HostFindings,
): CaptureReport {
  const wrong = diagnoses.filter(isWrong);
  const groups = groupsOf(wrong.length > 0 ? wrong : diagnoses);
  const counts = Object.keys(outcomes).length > 0 ? outcomes : outcomesOf(diagnoses);
  const handshakes = OUTCOMES.reduce((sum, outcome) => sum + (counts[outcome] ?? 0), 0);
  const failed = Math.max(
    wrong.length,
    OUTCOMES.reduce((sum, outcome) => sum + (isFailure(outcome) ? (counts[outcome] ?? 0) : 0), 0),
  );
  return {
    command,
    host,
    captures: [],
    headline: headline(groups, wrong.length, watched, counts),
    diagnoses,
    omittedDiagnoses: 0,
    groups,
    summary: { handshakes, failed, outcomes: counts, late: diagnoses.filter(isLate).length },
    notes: notesOf(watched),
    notSeen,
  };
}

/** Whether a diagnosis says that something is wrong. */
function isWrong({ cause, handshake, supposed }: Diagnosis): boolean {
  return cause !== null || (supposed !== true && isFailure(handshake.outcome));
}

function isLate({ handshake }: Diagnosis): boolean {
  return handshake.outcome === 'established' && handshake.synRetransmissions > 0;
}

function outcomesOf(diagnoses: readonly Diagnosis[]): Partial<Record<Outcome, number>> {
  const counts: Partial<Record<Outcome, number>> = {};
  for (const { handshake, supposed } of diagnoses) {
    if (supposed !== true) counts[handshake.outcome] = (counts[handshake.outcome] ?? 0) + 1;
  }
  return counts;
}

function groupsOf(diagnoses: readonly Diagnosis[]): Group[] {
  const byKey = new Map<string, Diagnosis[]>();
  for (const diagnosis of diagnoses) {
    const { handshake, cause, path } = diagnosis;
    // With a cause and the place where it died, it matters no more how far the client had come with it.
    const outcome = path !== undefined && cause !== null ? '' : handshake.outcome;
    const key = [handshake.server.address, handshake.server.port, outcome, cause?.id ?? '', path?.location ?? ''].join(
      ' ',
    );
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, [diagnosis]);
    else group.push(diagnosis);
  }
  return [...byKey.values()]
    .sort((a, b) => b.length - a.length)
    .map((alike): Group => {
      const [first] = alike as [Diagnosis, ...Diagnosis[]];
      const { handshake, cause, sentence, path } = first;
      return {
        sentence,
        kind: 'alike',
        server: handshake.server,
        outcome: handshake.outcome,
        ...(cause === null ? {} : { causeId: cause.id }),
        ...(path === undefined ? {} : { location: path.location }),
        count: alike.length,
        clients: new Set(alike.map(({ handshake: { client } }) => client.address)).size,
        firstNs: alike.reduce(
          (least, { handshake: { startedAtNs } }) => (startedAtNs < least ? startedAtNs : least),
          handshake.startedAtNs,
        ),
        lastNs: alike.reduce(
          (most, { handshake: { endedAtNs } }) => (endedAtNs > most ? endedAtNs : most),
          handshake.endedAtNs,
        ),
        examples: alike.slice(0, 3),
      };
    });
}

function headline(
  groups: readonly Group[],
  wrong: number,
  watched: WatchTotals | undefined,
  outcomes: Readonly<Partial<Record<Outcome, number>>>,
): string {
  const [first] = groups;
  if (first !== undefined && (wrong > 0 || watched === undefined || watched.syns === 0)) return first.sentence;
  if (watched === undefined) return 'Nothing was watched.';
  const seconds = `${Math.max(1, Math.round(watched.ms / 1000))} s`;
  if (watched.syns === 0) return `No SYN for port ${watched.port} came in ${seconds}.`;
  const established = outcomes.established ?? 0;
  const all = formatQuantity(watched.attempts, 'attempt');
  return `Nothing wrong in ${seconds}: ${all} to port ${watched.port}, ${formatCount(established)} established, none failed.`;
}

function notesOf(watched: WatchTotals | undefined): Note[] {
  const notes: Note[] = [];
  if (watched !== undefined && watched.lost > 0) {
    notes.push({
      code: 'capture-lost',
      statement: `the capture lost ${formatQuantity(watched.lost, 'packet')} because they came too fast`,
    });
  }
  if (watched !== undefined && watched.displaced > 0) {
    notes.push({
      code: 'attempts-displaced',
      statement: `more attempts were open at once than are tracked; ${formatCount(watched.displaced)} of them were judged early`,
    });
  }
  return notes;
}
