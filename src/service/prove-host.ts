import { unseenHandshake } from '../collect/watch/attempt-of.ts';
import { hostReport } from '../engine/host-report.ts';
import type { Host } from '../host/host.ts';
import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { InputError } from '../model/errors.ts';
import { snapshotHost } from '../twin/snapshot.ts';
import type { HostState } from '../twin/state.ts';
import type { SynSpec, TwinRole } from '../twin/syn.ts';
import { TwinProcess } from '../twin/twin-process.ts';
import { diagnoseListen } from './diagnose-listen.ts';
import { isAskedInVain } from './prove-asked.ts';
import { proveDiagnosis } from './prove-diagnosis.ts';
import {
  type CapturedSyn,
  capturedReply,
  findCapturedSyn,
  isAnswered,
  type SeenReply,
  type SpecifiedSyn,
  specify,
  supposedSyn,
} from './prove-syn.ts';
import { withTriedRemedies } from './prove-tried.ts';
import { proveInTwin } from './prove-twin.ts';

/** How {@link proveHost} proves. */
export interface ProveOptions {
  readonly host: Host;
  readonly port: number;
  readonly address?: string;
  /** Address of the client; needed unless a capture is given. */
  readonly from?: string;
  /** A capture that holds the failed attempt. */
  readonly pcap?: string;
  readonly role: TwinRole;
  readonly timeoutMs: number;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Copies a host, replays the SYN to the copy, and proves what stops it; told together with what the signs on the host say. */
export async function proveHost(options: ProveOptions): Promise<CaptureReport> {
  const { host, onProgress, signal } = options;
  const { captured, isAskedFor = false } = await fromCapture(options);
  // Both copies start while the host is asked.
  const twins = [TwinProcess.start(), TwinProcess.start()];
  const spares: Promise<TwinProcess>[] = [];
  const withSignal = signal === undefined ? {} : { signal };
  for (const twin of twins) twin.catch(() => undefined);
  try {
    onProgress?.('Reading the host');
    const client = options.from ?? captured?.handshake.client.address;
    const { state: read, supposed, report } = await readHost(options, client, captured?.handshake.server.address);
    // The connection that a SYN has opened did not stand in its way.
    const state = captured !== undefined && isAnswered(captured) ? withoutConnection(read, captured) : read;
    if (signal?.aborted) return stopped(report);
    const { syn, assumptions } = captured === undefined ? supposed : specify(captured, state);
    try {
      const [findings, { CAUSES }] = await Promise.all([
        proveInTwin({
          state,
          syn: isAskedFor ? { ...syn, isAskedFor } : syn,
          role: options.role,
          isObserved: captured !== undefined && !isAnswered(captured),
          ...seenOf(captured, state, options.role),
          assumptions,
          timeoutMs: options.timeoutMs,
          twins,
          ...(onProgress === undefined ? {} : { onProgress }),
          // The repair will be tried on one more.
          onFound: () => {
            if (options.role !== 'server') return;
            const spare = TwinProcess.start();
            spare.catch(() => undefined);
            spares.push(spare);
          },
          ...withSignal,
        }),
        import('../causes/index.ts'),
      ]);
      const [signs] = report.diagnoses;
      if (signs === undefined) throw new Error('the signs on the host were not judged');
      const attempt = captured === undefined ? signs : { ...signs, handshake: captured.handshake };
      const shown = proveDiagnosis(attempt, findings, CAUSES, options.role);
      onProgress?.('Trying the repair on a copy');
      const joined =
        options.role === 'server' ? await withTriedRemedies(shown, state, syn, { spares, ...withSignal }) : shown;
      return reportOf(host.spec, withAttempt(joined, captured !== undefined), report);
    } catch (error) {
      if (signal?.aborted) return stopped(report);
      throw error;
    }
  } finally {
    await Promise.all([...twins, ...spares].map((twin) => twin.then((one) => one.close()).catch(() => undefined)));
  }
}

function withoutConnection(state: HostState, { handshake: { client } }: CapturedSyn): HostState {
  const isOwn = ({ remote, state: is }: HostState['sockets'][number]): boolean =>
    is !== 'LISTEN' && remote.address === client.address && remote.port === client.port;
  return { ...state, sockets: state.sockets.filter((socket) => !isOwn(socket)) };
}

/** A router passes on what it gets: what comes back is not its answer. */
function seenOf(captured: CapturedSyn | undefined, state: HostState, role: TwinRole): { readonly seen?: SeenReply } {
  const seen = captured === undefined || role !== 'server' ? undefined : capturedReply(captured, state);
  return seen === undefined ? {} : { seen };
}

/** What a capture tells: the attempt; or only that somebody asks for the address of the server, and so never sends a SYN. */
async function fromCapture(
  options: ProveOptions,
): Promise<{ readonly captured?: CapturedSyn; readonly isAskedFor?: boolean }> {
  const { pcap, from, address, signal } = options;
  if (pcap === undefined) return {};
  try {
    return { captured: await findCapturedSyn({ ...options, file: pcap }) };
  } catch (error) {
    if (!(error instanceof InputError) || from === undefined || address === undefined) throw error;
    if (!(await isAskedInVain(pcap, address, signal === undefined ? {} : { signal }))) throw error;
    return { isAskedFor: true };
  }
}

/** Everything that is asked of the host. */
async function readHost(
  options: ProveOptions,
  from: string | undefined,
  server: string | undefined,
): Promise<{ readonly state: HostState; readonly supposed: SpecifiedSyn; readonly report: CaptureReport }> {
  const { host, port, role } = options;
  if (from === undefined && role !== 'client') {
    throw new InputError({
      code: 'no-client',
      message: 'The address of the client is needed, or a capture of its attempt.',
    });
  }
  const supposing = supposedSyn(host, options, from, role);
  const signs = async (): Promise<CaptureReport> =>
    role === 'server' && from !== undefined
      ? signsOf(options, from, options.address ?? server)
      : unseenReport(host, (await supposing).syn);
  const scope = { port, ...(from === undefined ? {} : { client: from.split('%')[0] ?? from }) };
  // Of a recording the state after its watch counts for the copy; the signs are read from what was recorded before.
  if (!host.spec.startsWith('bundle:')) {
    const [state, supposed, report] = await Promise.all([snapshotHost(host, scope), supposing, signs()]);
    return { state, supposed, report };
  }
  const report = await signs();
  return { report, supposed: await supposing, state: await snapshotHost(host, scope) };
}

/** What the ordinary diagnosis says of such a SYN. */
function signsOf(
  { host, port, signal }: ProveOptions,
  from: string,
  address: string | undefined,
): Promise<CaptureReport> {
  return diagnoseListen({
    host,
    port,
    from,
    forMs: 0,
    ...(address === undefined ? {} : { address }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Of a router, and of a client that does not try, only the copy says something. */
async function unseenReport(host: Host, syn: SynSpec): Promise<CaptureReport> {
  const flow = {
    client: { address: syn.source, port: syn.sourcePort },
    server: { address: syn.destination, port: syn.destinationPort },
  };
  const diagnosis: Diagnosis = {
    handshake: unseenHandshake(flow, await host.nowNs()),
    sentence: '',
    cause: null,
    evidence: [],
    ruledOut: [],
    suspects: [],
    undetermined: [],
    remedies: [],
    nextSteps: [],
    supposed: true,
  };
  return hostReport('prove', host.spec, { diagnoses: [diagnosis], notSeen: [], watched: undefined, outcomes: {} });
}

/** Interrupted: what the signs on the host say is known. */
function stopped(report: CaptureReport): CaptureReport {
  const reason = 'nothing was proven: it was stopped before the copy had shown anything';
  return { ...report, command: 'prove', notSeen: [...(report.notSeen ?? []), { reason }] };
}

/** A captured attempt was seen, and failed; it is not only supposed. */
function withAttempt(diagnosis: Diagnosis, isObserved: boolean): Diagnosis {
  if (!isObserved) return diagnosis;
  const { supposed: _, ...seen } = diagnosis;
  return seen;
}

function reportOf(spec: string, diagnosis: Diagnosis, { notSeen = [] }: CaptureReport): CaptureReport {
  return hostReport('prove', spec, { diagnoses: [diagnosis], notSeen, watched: undefined, outcomes: {} });
}
