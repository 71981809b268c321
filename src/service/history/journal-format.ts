import type { HandshakeCounts, Incident } from '../../model/incident.ts';
import { encodeJson } from '../../report/json.ts';
import { countsFromValue, incidentFromValue } from './incident-from-json.ts';
import { countsValue, incidentSummaryValue, incidentValue } from './incident-json.ts';

/** One entry of a journal. */
export type JournalEntry =
  | {
      readonly incident: Incident;
      /** The samples are those of the entry before it, wherever that is. */
      readonly samplesKept?: true;
    }
  | { readonly counts: readonly HandshakeCounts[] };

/** First line of a segment. */
export interface SegmentHeader {
  /** Names it; segments sort by time. */
  readonly segment: string;
  /** The largest id that was given before this segment. */
  readonly lastIncidentId: number;
}

const FORMAT = 1;

/** The header as a line. */
export function headerLine({ segment, lastIncidentId }: SegmentHeader): string {
  return `${encodeJson({ synscopeJournal: FORMAT, segment, lastIncidentId })}\n`;
}

/** An entry as a line. */
export function entryLine(entry: JournalEntry): string {
  if ('counts' in entry) return `${encodeJson({ counts: entry.counts.map(countsValue) })}\n`;
  const { incident, samplesKept } = entry;
  return samplesKept
    ? `${encodeJson({ incident: incidentSummaryValue(incident), samplesKept })}\n`
    : `${encodeJson({ incident: incidentValue(incident) })}\n`;
}

/** What a segment holds. Lines that are cut or damaged were never acknowledged, or are lost: they are counted and left out. */
export interface Segment {
  readonly header: SegmentHeader;
  readonly entries: readonly JournalEntry[];
  readonly damagedLines: number;
}

/** Reads the text of a segment; undefined when it does not begin as one. */
export function parseSegment(text: string): Segment | undefined {
  const [first = '', ...lines] = text.split('\n');
  const header = parseHeader(first);
  if (header === undefined) return undefined;
  const entries: JournalEntry[] = [];
  let damagedLines = 0;
  // The last line has an end, too: what stands behind it was cut.
  for (const line of lines.slice(0, -1)) {
    const entry = parseEntry(line);
    if (entry === undefined) damagedLines += 1;
    else entries.push(entry);
  }
  return { header, entries, damagedLines };
}

function parseHeader(line: string): SegmentHeader | undefined {
  try {
    const { synscopeJournal, segment, lastIncidentId } = JSON.parse(line) as Record<string, unknown>;
    if (synscopeJournal !== FORMAT || typeof segment !== 'string' || typeof lastIncidentId !== 'number')
      return undefined;
    return { segment, lastIncidentId };
  } catch {
    return undefined;
  }
}

function parseEntry(line: string): JournalEntry | undefined {
  try {
    const { incident, counts, samplesKept } = JSON.parse(line) as Record<string, unknown>;
    if (Array.isArray(counts)) return { counts: counts.map(countsFromValue) };
    const read = incidentFromValue(incident);
    return samplesKept === true ? { incident: read, samplesKept } : { incident: read };
  } catch {
    return undefined;
  }
}
