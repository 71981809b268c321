import { hostReport } from '../engine/host-report.ts';
import { SnapshotHost } from '../host/bundle/snapshot-host.ts';
import type { Host } from '../host/host.ts';
import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { InputError } from '../model/errors.ts';
import { snapshotHost } from '../twin/snapshot.ts';
import type { TwinRole } from '../twin/syn.ts';
import { TwinProcess } from '../twin/twin-process.ts';
import { diagnoseListen } from './diagnose-listen.ts';
import { proveDiagnosis } from './prove-diagnosis.ts';
import { findCapturedSyn, isAnswered, specify, supposedSyn } from './prove-syn.ts';
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
  // Both copies start while the host is asked.
  const twins = [TwinProcess.start(), TwinProcess.start()];
  for (const twin of twins) twin.catch(() => undefined);
  let isTaken = false;
  try {
    onProgress?.('Reading the host');
    const asked = new SnapshotHost(host);
    const captured = options.pcap === undefined ? undefined : await findCapturedSyn({ ...options, file: options.pcap });
    const from = options.from ?? captured?.handshake.client.address;
    if (from === undefined) {
      throw new InputError({
        code: 'no-client',
        message: 'The address of the client is needed, or a capture of its attempt.',
      });
    }
    const [state, supposed, report] = await Promise.all([
      snapshotHost(asked, { port: options.port, client: from.split('%')[0] ?? from }),
      captured === undefined ? supposedSyn(asked, options, from) : undefined,
      signsOf(asked, options, from, captured?.handshake.server.address),
    ]);
    signal?.throwIfAborted();
    const specified = captured === undefined ? supposed : specify(captured, state);
    if (specified === undefined) throw new Error('no SYN was specified');
    isTaken = true;
    const [findings, { CAUSES }] = await Promise.all([
      proveInTwin({
        state,
        syn: specified.syn,
        role: options.role,
        isObserved: captured !== undefined && !isAnswered(captured),
        assumptions: specified.assumptions,
        timeoutMs: options.timeoutMs,
        twins,
        ...(onProgress === undefined ? {} : { onProgress }),
        ...(signal === undefined ? {} : { signal }),
      }),
      import('../causes/index.ts'),
    ]);
    const [signs] = report.diagnoses;
    if (signs === undefined) throw new Error('the signs on the host were not judged');
    const shown = proveDiagnosis(
      captured === undefined ? signs : { ...signs, handshake: captured.handshake },
      findings,
      CAUSES,
    );
    onProgress?.('Trying the repair on a copy');
    const joined =
      options.role === 'server'
        ? await withTriedRemedies(shown, state, specified.syn, signal === undefined ? {} : { signal })
        : shown;
    return reportOf(host.spec, withAttempt(joined, captured !== undefined), report);
  } finally {
    if (!isTaken) await Promise.all(twins.map((twin) => twin.then((one) => one.close()).catch(() => undefined)));
  }
}

/** What the ordinary diagnosis says of such a SYN. */
function signsOf(host: Host, options: ProveOptions, from: string, server: string | undefined): Promise<CaptureReport> {
  const address = options.address ?? server;
  return diagnoseListen({
    host,
    port: options.port,
    from,
    forMs: 0,
    ...(address === undefined ? {} : { address }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
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
