import { type Host, HostError } from '../host/host.ts';
import type { CaptureReport, Diagnosis, Group } from '../model/diagnosis.ts';
import { snapshotHost } from '../twin/snapshot.ts';
import type { SynSpec } from '../twin/syn.ts';
import { proveDiagnosis } from './prove-diagnosis.ts';
import { seenReply } from './prove-syn.ts';
import { withTriedRemedies } from './prove-tried.ts';
import { proveInTwin } from './prove-twin.ts';

/** How the diagnoses of a report are proven. */
export interface ProveReportOptions {
  readonly timeoutMs: number;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** More of one watch are mostly alike. */
const MAX_PROVEN = 3;
/** Port of a SYN that nobody sent. */
const SUPPOSED_PORT = 45_678;

/**
 * Proves the diagnoses of a watch of one host on copies of it: what was likely is confirmed, or contradicted. What cannot be proven stays as it
 * was.
 */
export async function proveReport(
  host: Host,
  report: CaptureReport,
  options: ProveReportOptions,
): Promise<CaptureReport> {
  const proven = new Map<Diagnosis, Diagnosis>();
  const chosen = report.diagnoses.filter(isProvable).slice(0, MAX_PROVEN);
  let failure: string | undefined;
  for (const diagnosis of chosen) {
    if (options.signal?.aborted) break;
    try {
      proven.set(diagnosis, await proveOne(host, diagnosis, options));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      failure = error.message;
    }
  }
  const join = (diagnosis: Diagnosis): Diagnosis => proven.get(diagnosis) ?? diagnosis;
  const groups = report.groups.map((group) => joinGroup(group, join));
  const [first] = report.groups;
  const isAboutFirst = first !== undefined && report.headline === first.sentence;
  return {
    ...report,
    headline: isAboutFirst ? (groups[0]?.sentence ?? report.headline) : report.headline,
    diagnoses: report.diagnoses.map(join),
    groups,
    notSeen: [
      ...(report.notSeen ?? []),
      ...(failure === undefined ? [] : [{ reason: `nothing could be proven on a copy: ${failure}` }]),
    ],
  };
}

/** A SYN that the host itself left unanswered, or would. */
function isProvable({ handshake, supposed }: Diagnosis): boolean {
  const { client, segments } = handshake;
  if (client.address === '0.0.0.0' || client.address === '::') return false;
  return supposed === true || !segments.some(({ kind }) => kind === 'syn-ack');
}

async function proveOne(host: Host, diagnosis: Diagnosis, options: ProveReportOptions): Promise<Diagnosis> {
  const { client, server, segments } = diagnosis.handshake;
  const opening = segments.find(({ direction, kind }) => direction === 'to-server' && kind !== 'icmp');
  options.onProgress?.('Reading the host');
  const state = await snapshotHost(host, { port: server.port, client: client.address });
  const syn: SynSpec = {
    family: client.address.includes(':') ? 6 : 4,
    source: client.address,
    sourcePort: client.port === 0 ? SUPPOSED_PORT : client.port,
    destination: server.address,
    destinationPort: server.port,
    ...(opening === undefined ? {} : { ttl: opening.ttl }),
    // Of this cause the watch has seen the questions.
    ...(diagnosis.cause?.id === 'arp-suppressed' ? { isAskedFor: true } : {}),
  };
  const seen = diagnosis.supposed === true ? undefined : seenReply(diagnosis.handshake);
  const [findings, { CAUSES }] = await Promise.all([
    proveInTwin({
      ...options,
      state,
      syn,
      role: 'server',
      isObserved: diagnosis.supposed !== true,
      ...(seen === undefined ? {} : { seen }),
      assumptions: ['the SYN is made anew from its addresses, ports and TTL'],
    }),
    import('../causes/index.ts'),
  ]);
  const { signal } = options;
  return withTriedRemedies(
    proveDiagnosis(diagnosis, findings, CAUSES, 'server'),
    state,
    syn,
    signal === undefined ? {} : { signal },
  );
}

function joinGroup(group: Group, join: (diagnosis: Diagnosis) => Diagnosis): Group {
  const [first] = group.examples;
  const { causeId: _, ...rest } = group;
  const joined = first === undefined ? undefined : join(first);
  if (first === undefined || joined === undefined || joined === first) return group;
  return {
    ...rest,
    examples: group.examples.map(join),
    sentence: group.sentence === first.sentence ? joined.sentence : group.sentence,
    ...(joined.cause === null ? {} : { causeId: joined.cause.id }),
  };
}
