import { hostReport } from '../../engine/host-report.ts';
import type { CaptureReport, Diagnosis, NotSeen } from '../../model/diagnosis.ts';
import { formatEndpoint } from '../../model/flow.ts';
import { formatDuration, formatList, formatQuantity } from '../../model/text.ts';
import type { Traced } from './trace-stories.ts';

/** What a trace found, before it is told. */
export interface TraceFindings {
  readonly diagnoses: readonly Diagnosis[];
  readonly traced: Traced;
  readonly notSeen: readonly NotSeen[];
  /** What to say when there was no attempt at all. */
  readonly nothing: string;
}

/** Makes the report of a trace: like diagnoses become one group, the most telling first. */
export function traceReport({ diagnoses, traced, notSeen, nothing }: TraceFindings): CaptureReport {
  const { host: _, ...report } = hostReport('trace', '', { diagnoses, notSeen, watched: undefined, outcomes: {} });
  const headline = diagnoses.length === 0 ? nothing : (allWorked(diagnoses, traced) ?? report.headline);
  return {
    ...report,
    headline,
    captures: traced.summaries,
    clocks: traced.clocks.filter(({ confidence }) => confidence !== 'none'),
  };
}

/** `All 3 attempts …`, when there is nothing else to say. */
function allWorked(diagnoses: readonly Diagnosis[], { summaries }: Traced): string | undefined {
  if (
    diagnoses.some(
      ({ cause, handshake, path }) =>
        cause !== null || handshake.outcome !== 'established' || path?.location === 'late',
    )
  )
    return undefined;
  const [first] = diagnoses as readonly [Diagnosis, ...Diagnosis[]];
  const { client } = first.handshake;
  const servers = [...new Set(diagnoses.map(({ handshake }) => formatEndpoint(handshake.server)))];
  const took = diagnoses.flatMap(({ handshake }) => handshake.establishedAfterNs ?? []);
  const time = took.length === 0 ? '' : `, in ${formatDuration(Math.max(...took))}${took.length > 1 ? ' at most' : ''}`;
  const seen = summaries.length > 1 ? `; ${formatList(summaries.map(({ name }) => name))} agree` : '';
  const what = diagnoses.length === 1 ? 'The attempt' : `All ${formatQuantity(diagnoses.length, 'attempt')}`;
  return `${what} from ${client.address} to ${formatList(servers)} worked${time}${seen}.`;
}
