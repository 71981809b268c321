import { setTimeout as sleep } from 'node:timers/promises';
import { readBaseline } from '../collect/facts/gather.ts';
import { HOST_COLLECTORS } from '../collect/facts/index.ts';
import { readSockets } from '../collect/facts/read-sockets.ts';
import { BundleHost } from '../host/bundle/bundle-host.ts';
import type { BundleHeader, Entry } from '../host/bundle/entry.ts';
import { RecordingHost } from '../host/bundle/recording-host.ts';
import { ResumedHost } from '../host/bundle/resumed-host.ts';
import { SnapshotHost } from '../host/bundle/snapshot-host.ts';
import { type CaptureSpec, type Host, type HostCapture, HostError } from '../host/host.ts';
import type { CaptureReport, NotSeen } from '../model/diagnosis.ts';
import { InputError } from '../model/errors.ts';
import { snapshotHost } from '../twin/snapshot.ts';
import { diagnoseListen } from './diagnose-listen.ts';
import { HostWatch } from './host-watch.ts';

/** What {@link recordHost} records. */
export interface RecordRequest {
  readonly host: Host;
  /** Server ports; every one on which something listens when absent. */
  readonly ports?: readonly number[];
  /** A client whose SYN is only supposed: would it be answered? */
  readonly from?: string;
  /** Length of the watch between the two readings; 0 for none. */
  readonly forMs: number;
  readonly signal?: AbortSignal;
  /** Called when the watch has begun: whatever is sent from now on is recorded. */
  readonly onReady?: (ports: readonly number[]) => void;
  readonly onProgress?: (elapsedMs: number, syns: number | undefined) => void;
}

/** What was recorded. */
export interface HostRecording {
  readonly ports: readonly number[];
  readonly entries: readonly Entry[];
  /** What is seen of each port already, from the same answers. */
  readonly reports: readonly CaptureReport[];
  readonly watchedMs: number;
  readonly lost: number;
  /** Why no packets were captured. */
  readonly uncaptured?: NotSeen;
}

/** More ports than this are named by the user. */
const MAX_PORTS = 64;
/** Failed attempts of one port whose facts are recorded. */
const MAX_ATTEMPTS = 20;
const TICK_MS = 200;

/** Stands for the whole recording while it is being made. */
const UNFINISHED: BundleHeader = {
  format: 'synscope-bundle',
  version: 0,
  synscope: '',
  recordedAt: '',
  on: '',
  ports: [],
  redacted: [],
  anonymized: false,
};

/**
 * Asks a host everything that `listen` asks of it, in the order in which a recording can answer it again: the state before, the
 * packets of a while, the state after around each attempt that failed. Each question is asked once before and once after, however
 * many ports and attempts there are.
 * @throws InputError when no port is given and none is found.
 */
export async function recordHost(request: RecordRequest): Promise<HostRecording> {
  const { host, from, forMs } = request;
  const recorder = new RecordingHost(host);
  const ports = request.ports ?? (await listeningPorts(recorder));
  const [first] = ports;
  if (first === undefined) {
    throw new InputError({
      code: 'no-listener',
      message: 'Nothing listens on this host, so there is no port to record.',
      hint: 'Name the port that should be open with --port.',
    });
  }
  const after = new SnapshotHost(recorder);
  const watched = forMs > 0 ? await watch(recorder, after, ports, request) : undefined;
  const reports: CaptureReport[] = [];
  const sofar = { header: UNFINISHED, entries: recorder.entries };
  for (const port of ports) {
    if (watched !== undefined) {
      const resumed = new ResumedHost(new BundleHost(sofar, ''), after);
      reports.push(await diagnoseListen({ host: resumed, port, forMs: 0, keep: true, limit: MAX_ATTEMPTS }));
    }
    if (watched === undefined || from !== undefined) {
      reports.push(await diagnoseListen({ host: after, port, forMs: 0, ...(from === undefined ? {} : { from }) }));
    }
  }
  // What a copy of the host is made of; most of it is known already.
  for (const port of ports) await recordState(after, port, reports, from);
  await after.nowNs();
  return { ports, entries: recorder.entries, reports, watchedMs: 0, lost: 0, ...watched };
}

/** Asks what a copy of the host needs. A host that cannot be copied can be judged all the same. */
async function recordState(
  host: Host,
  port: number,
  reports: readonly CaptureReport[],
  from: string | undefined,
): Promise<void> {
  const failed = reports
    .flatMap(({ diagnoses }) => diagnoses.map(({ handshake }) => handshake))
    .filter(({ server, outcome }) => server.port === port && outcome !== 'established');
  const clients = new Set([...failed.map(({ client }) => client.address), ...(from === undefined ? [] : [from])]);
  try {
    for (const client of [undefined, ...[...clients].slice(0, MAX_ATTEMPTS)]) {
      await snapshotHost(host, { port, ...(client === undefined ? {} : { client }) });
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
  }
}

/** Reads the state before, records packets until the time is over, and reads what has changed by then. */
async function watch(
  recorder: RecordingHost,
  after: Host,
  ports: readonly number[],
  { forMs, signal, onReady, onProgress }: RecordRequest,
): Promise<Pick<HostRecording, 'watchedMs' | 'lost' | 'uncaptured'>> {
  const before = new BeforeHost(recorder, ports.length > 1);
  const hostWatch = new HostWatch(before, { side: 'server', port: ports[0] as number });
  try {
    await hostWatch.start();
    for (const port of ports.slice(1)) await readBaseline(before, HOST_COLLECTORS, { side: 'server', port });
    recorder.beginWatch();
    await recorder.nowNs();
    onReady?.(ports);
    const startMs = performance.now();
    for (;;) {
      const elapsedMs = performance.now() - startMs;
      onProgress?.(elapsedMs, ports.length === 1 ? hostWatch.live.counts.syns : undefined);
      if (elapsedMs >= forMs || signal?.aborted === true) break;
      await sleep(Math.min(TICK_MS, forMs - elapsedMs), undefined, { signal }).catch(() => {});
    }
    const { uncaptured } = hostWatch;
    // Counters are read in the moment in which the last packets are captured: what one holds, the other counts.
    await Promise.all([
      hostWatch.stop(),
      ...ports.map((port) => readBaseline(after, HOST_COLLECTORS, { side: 'server', port })),
    ]);
    return {
      watchedMs: Math.round(performance.now() - startMs),
      lost: hostWatch.lost,
      ...(uncaptured === undefined ? {} : { uncaptured }),
    };
  } finally {
    await hostWatch.stop();
  }
}

/** The host as it is asked before the watch: for several ports at once, all packets are captured and no tracepoints are watched. */
class BeforeHost extends SnapshotHost {
  private readonly isForMany: boolean;

  constructor(host: Host, isForMany: boolean) {
    super(host);
    this.isForMany = isForMany;
  }

  override capture({ port, ...spec }: CaptureSpec): Promise<HostCapture> {
    return super.capture(this.isForMany || port === undefined ? spec : { port, ...spec });
  }

  override async listDirectory(path: string): Promise<readonly string[]> {
    if (this.isForMany && /^\/sys\/kernel\/(?:debug\/)?tracing/.test(path)) {
      throw new HostError('not-recorded', "the kernel's own drop and routing events are recorded for one port only", {
        hint: 'record again with --port',
      });
    }
    return super.listDirectory(path);
  }

  /** The other ports are still to come. */
  override beginWatch(): void {}
}

async function listeningPorts(host: Host): Promise<readonly number[]> {
  try {
    const { listeners } = await readSockets(host, undefined);
    const ports = [...new Set(listeners.map(({ local }) => local.port))].sort((a, b) => a - b);
    if (ports.length <= MAX_PORTS) return ports;
    throw new InputError({
      code: 'too-many-ports',
      message: `Programs listen on ${ports.length} ports of this host, and a recording of all of them would be too large.`,
      hint: 'Name one with --port.',
    });
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new InputError(
      {
        code: 'no-ports',
        message: `The ports of this host cannot be read: ${error.message}.`,
        hint: 'Name one with --port.',
      },
      { cause: error },
    );
  }
}
