import { join } from 'node:path';
import { readBundle } from '../host/bundle/bundle-file.ts';
import { BundleHost } from '../host/bundle/bundle-host.ts';
import { RecordingHost } from '../host/bundle/recording-host.ts';
import type { CaptureReport, NotSeen } from '../model/diagnosis.ts';
import { InputError } from '../model/errors.ts';
import type { ConnectTarget } from '../service/diagnose-connect.ts';
import { diagnoseListen } from '../service/diagnose-listen.ts';
import { rememberFaults } from '../service/fix-memory.ts';
import { diagnoseTrace } from '../service/trace/diagnose-trace.ts';
import { findServerPort } from '../service/trace/find-server-port.ts';
import {
  checkTraceFolder,
  type KeptPoint,
  readTraceFolder,
  stemOf,
  writeTraceFolder,
} from '../service/trace/trace-folder.ts';
import type { TraceManifest } from '../service/trace/trace-manifest.ts';
import type { TraceHost, TraceOptions } from '../service/trace/trace-target.ts';
import { familyOf } from './connect-options.ts';
import { OutputBuffer } from './output.ts';
import { packageVersion } from './package-version.ts';
import { statusLine } from './status-line.ts';
import { closeTraceHosts, openTraceHosts, type TraceHostSpec } from './trace-hosts.ts';
import { DEFAULT_WAIT_MS, type TraceCommandOptions } from './trace-options.ts';
import { TraceProgress } from './trace-progress.ts';
import { writeReports } from './write-reports.ts';

/** Keeps for `fix --last --on HOST` what lies at that end. */
function rememberAt(report: CaptureReport, side: 'server' | 'client', host: string): void {
  rememberFaults({ ...report, host, diagnoses: report.diagnoses.filter(({ place }) => place === side) }, side);
}

/** Opens all hosts, traces, and prints the report. */
export async function runTrace(
  options: TraceCommandOptions & { readonly server: string },
  target: ConnectTarget,
  signal: AbortSignal,
): Promise<CaptureReport> {
  const { pcap } = options;
  if (pcap !== undefined) checkTraceFolder(pcap);
  const specs: TraceHostSpec[] = [
    { role: 'client', spec: options.client },
    ...(options.via ?? []).map((spec): TraceHostSpec => ({ role: 'via', spec })),
    { role: 'server', spec: options.server },
  ];
  const progress = new TraceProgress(statusLine());
  const opened = await openTraceHosts(specs, { sudo: options.sudo ?? false, onState: progress.state }).finally(
    progress.clear,
  );
  try {
    let how = howOf(options, target);
    const live = { signal, onState: progress.state, onStep: progress.step };
    let { report, kept } = await traceKept(opened, specs, pcap, { ...how, ...live });
    const [client, server] = [opened[0] as TraceHost, opened.at(-1) as TraceHost];
    const serverPort = signal.aborted ? undefined : await findServerPort({ ...how, client, server, vias: [] }, report);
    if (serverPort !== undefined) {
      how = { ...how, serverPort };
      ({ report, kept } = await traceKept(opened, specs, pcap, { ...how, ...live }));
    }
    progress.clear();
    rememberAt(report, 'server', options.server);
    rememberAt(report, 'client', options.client);
    // What was found is told also when it cannot be kept.
    const keeping =
      pcap === undefined
        ? undefined
        : keep(pcap, how, kept).then(
            () => undefined,
            (error: unknown) => error,
          );
    const failure = await keeping;
    await writeReports(report, options, new OutputBuffer());
    if (failure !== undefined) throw failure;
    return report;
  } finally {
    progress.clear();
    await closeTraceHosts(opened);
  }
}

async function keep(folder: string, how: How, kept: readonly KeptPoint[]): Promise<void> {
  const { signal: _, onState: __, onStep: ___, ...plain } = how;
  await writeTraceFolder(
    folder,
    {
      format: 'synscope-trace',
      version: 1,
      synscope: packageVersion(),
      recordedAt: new Date().toISOString(),
      ...plain,
    },
    kept,
  );
}

/** Traces, and records every host where that was asked for. */
async function traceKept(
  opened: readonly TraceHost[],
  specs: readonly TraceHostSpec[],
  folder: string | undefined,
  how: How,
): Promise<{ readonly report: CaptureReport; readonly kept: readonly KeptPoint[] }> {
  const kept = opened.map((one, index): KeptPoint => keptPoint(one, specs[index]?.spec ?? ''));
  const hosts = folder === undefined ? opened : opened.map((one, index) => recorded(one, kept, index, folder));
  return { report: withTranslation(await traceHosts(hosts, how), how), kept };
}

/** Says that the server's port is another one. */
function withTranslation(report: CaptureReport, { target, serverPort }: How): CaptureReport {
  if (serverPort === undefined || serverPort === target.port) return report;
  const statement = `port ${target.port} of the client is port ${serverPort} on the server: something on the way translates it`;
  return { ...report, notes: [...report.notes, { code: 'port-translated', statement }] };
}

/** Diagnoses what an earlier trace kept, and prints the report. */
export async function runTraceFrom(
  options: TraceCommandOptions,
  folder: string,
  signal: AbortSignal,
): Promise<CaptureReport> {
  const manifest = readTraceFolder(folder);
  const hosts = await Promise.all(
    manifest.points.map(async ({ role, name, spec, bundle, pcap, missing }): Promise<TraceHost> => {
      if (bundle === undefined)
        return { role, name, host: { missing: missing ?? { reason: `${name} was not reached` } } };
      const host = new BundleHost(await readBundle(join(folder, bundle)), spec);
      return { role, name, host, ...(pcap === undefined ? {} : { path: join(folder, pcap) }) };
    }),
  );
  const { points: _, format: __, version: ___, synscope: ____, recordedAt: _____, ...how } = manifest;
  const report = withTranslation(await traceHosts(hosts, { ...how, signal }), { ...how, signal });
  await writeReports(report, options, new OutputBuffer());
  return report;
}

/** With nobody who connects, the server watches for so long. */
const LISTEN_MS = 30_000;

type How = Omit<TraceOptions, 'client' | 'server' | 'vias'>;

function howOf(
  options: TraceCommandOptions,
  target: ConnectTarget,
): Omit<TraceManifest, 'format' | 'version' | 'synscope' | 'recordedAt' | 'points'> {
  const { wait, serverPort } = options;
  return {
    target,
    attempts: options.attempts,
    timeoutMs: options.for,
    holdMs: options.hold,
    ...(wait === undefined ? {} : { waitMs: wait === true ? DEFAULT_WAIT_MS : wait }),
    ...(serverPort === undefined ? {} : { serverPort }),
    ...familyOf(options),
  };
}

function traceHosts(hosts: readonly TraceHost[], how: How): Promise<CaptureReport> {
  const [client, ...vias] = hosts as [TraceHost, ...TraceHost[]];
  const server = vias.pop() as TraceHost;
  if ('missing' in client.host) return listenOnly(client.host.missing, server, how);
  return diagnoseTrace({ ...how, client, server, vias });
}

/** The client cannot be asked: what the server says of those who try by themselves. */
async function listenOnly(missing: NotSeen, server: TraceHost, how: How): Promise<CaptureReport> {
  if ('missing' in server.host) {
    const message = `Neither end can be asked. ${missing.reason}; ${server.host.missing.reason}.`;
    throw new InputError({
      code: 'unreachable',
      message,
      ...(missing.hint === undefined ? {} : { hint: missing.hint }),
    });
  }
  const { target, serverPort = target.port, waitMs = LISTEN_MS, signal, onStep } = how;
  const { host: _, ...report } = await diagnoseListen({
    host: server.host,
    port: serverPort,
    forMs: waitMs,
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ syns, elapsedMs }) =>
      onStep?.(`only ${server.name} can be asked: ${Math.floor(elapsedMs / 1000)} s, ${syns} SYNs`),
  });
  return { ...report, command: 'trace', notSeen: [missing, ...(report.notSeen ?? [])] };
}

function keptPoint({ role, name, host }: TraceHost, spec: string): KeptPoint {
  return 'missing' in host
    ? { point: { role, name, spec, missing: host.missing } }
    : { point: { role, name, spec }, recording: new RecordingHost(host) };
}

/** The host as it is asked when everything is to be kept. */
function recorded(one: TraceHost, kept: readonly KeptPoint[], index: number, folder: string): TraceHost {
  const { recording } = kept[index] as KeptPoint;
  return recording === undefined ? one : { ...one, host: recording, path: join(folder, `${stemOf(kept, index)}.pcap`) };
}
