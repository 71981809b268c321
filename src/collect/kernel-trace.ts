import { parseUptime } from '../formats/procfs/pressure.ts';
import { parseEventFields, parseEventSymbols } from '../formats/tracefs/event-fields.ts';
import { type Host, HostError, type HostStream } from '../host/host.ts';
import { readFileIfAny, readFiles } from '../host/read-files.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Fact, Unavailable } from '../model/facts/fact.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import { unavailableFrom } from './facts/collector.ts';
import { type PlannedEvent, planEvents, WATCHED_EVENTS } from './kernel-trace-events.ts';
import { KernelTraceLog } from './kernel-trace-log.ts';
import type { TraceWindow } from './kernel-trace-match.ts';

/** A running watch of the kernel's tracepoints. */
export interface KernelTraceWatch {
  /** What was seen of an attempt until now, or why nothing can be. */
  trace(attempt: Attempt): Fact<KernelTrace>;
  /** Ends the watch and removes what it made on the host; may be called more than once. */
  stop(): Promise<void>;
}

const ROOTS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'] as const;
/** Room for each CPU: the reader empties it within milliseconds. */
const BUFFER_KIB = 512;
/** How well the clock of the trace is known: the host tells its seconds since boot in hundredths, and takes a moment to. */
const SLACK_MS = 150;
/** An instance that a killed run left behind is removed by the next one. */
const STALE_SECONDS = 600;

/**
 * Watches the tracepoints that tell of handshakes on a port, in an instance of tracefs of our own: nobody else's tracing is
 * touched. They see the whole machine, every network namespace. Where that cannot be had, the watch says why and does nothing.
 */
export async function watchKernel(host: Host, port: number): Promise<KernelTraceWatch> {
  try {
    const root = await findRoot(host);
    const directory = await makeInstance(host, root);
    try {
      return await startWatch(host, root, directory, port);
    } catch (error) {
      await removeInstance(host, directory);
      throw error;
    }
  } catch (error) {
    const reason: Unavailable = unavailableFrom(error);
    return { trace: () => reason, stop: async () => {} };
  }
}

async function startWatch(host: Host, root: string, directory: string, port: number): Promise<KernelTraceWatch> {
  const [events, bootMs] = await Promise.all([
    prepareEvents(host, root, directory, port),
    setClock(host, directory),
    host.run(['tee', `${directory}/buffer_size_kb`], { input: `${BUFFER_KIB}\n` }),
  ]);
  if (events.length === 0) {
    throw new HostError('failed', 'this kernel has none of the tracepoints that tell of a handshake');
  }
  const log = new KernelTraceLog();
  const stream = host.stream(['cat', `${directory}/trace_pipe`]);
  const pumping = pump(stream, log);
  let stopping: Promise<void> | undefined;
  const watch: KernelTraceWatch = {
    trace: (attempt) => ({ value: log.traceOf(attempt, windowOf(attempt, bootMs)), source: 'tracefs' }),
    stop() {
      stopping ??= (async () => {
        stream.stop();
        await pumping;
        await removeInstance(host, directory);
      })();
      return stopping;
    },
  };
  try {
    await host.run(['tee', ...events.map(({ path }) => `${directory}/events/${path}/enable`)], { input: '1\n' });
  } catch (error) {
    await watch.stop();
    throw error;
  }
  return watch;
}

/**
 * Makes the times of the trace comparable with each other and with those of the capture.
 * @returns when the host booted, milliseconds since 1970; undefined when the trace runs by another clock (before Linux 3.17).
 */
async function setClock(host: Host, directory: string): Promise<number | undefined> {
  const [{ exitCode }, uptime, nowNs] = await Promise.all([
    host.run(['tee', `${directory}/trace_clock`], { input: 'boot\n' }),
    readFileIfAny(host, '/proc/uptime'),
    host.nowNs(),
  ]);
  const uptimeSeconds = parseUptime(uptime ?? '');
  return exitCode === 0 && uptimeSeconds !== undefined ? Number(nowNs / 1_000_000n) - uptimeSeconds * 1000 : undefined;
}

/** The time of a watched attempt by the clock of the trace. */
function windowOf({ handshake }: Attempt, bootMs: number | undefined): TraceWindow | undefined {
  if (handshake === undefined || bootMs === undefined) return undefined;
  return {
    fromUs: (Number(handshake.startedAtNs / 1_000_000n) - bootMs - SLACK_MS) * 1000,
    toUs: (Number(handshake.endedAtNs / 1_000_000n) - bootMs + SLACK_MS) * 1000,
  };
}

async function pump(stream: HostStream, log: KernelTraceLog): Promise<void> {
  try {
    for await (const chunk of stream.chunks) log.push(chunk);
  } catch (error) {
    // The trace ends early: what was seen until then stands.
    if (!(error instanceof HostError)) throw error;
  }
}

/** @throws HostError when there is no tracefs to be used. */
async function findRoot(host: Host): Promise<string> {
  let failure: HostError | undefined;
  for (const root of ROOTS) {
    try {
      if ((await host.listDirectory(root)).includes('instances')) return root;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      failure ??= error.code === 'not-found' ? undefined : error;
    }
  }
  if (failure?.code === 'no-permission') {
    throw new HostError(
      'no-permission',
      "the kernel's own drop and routing events (tracefs) may only be read by root",
      {
        hint: 'run as root',
      },
    );
  }
  if (failure !== undefined) throw failure;
  throw new HostError('failed', "the kernel's own drop and routing events: tracefs is not mounted", {
    hint: `mount -t tracefs tracefs ${ROOTS[0]}`,
  });
}

/** Makes an instance with a name that nobody else has; asks the host for both parts of it, so that a recording can answer. */
async function makeInstance(host: Host, root: string): Promise<string> {
  const { stdout } = await host.run(['cat', '/proc/uptime', '/proc/sys/kernel/random/uuid']);
  const [, seconds = '0', random = '00000000'] = /^(\d+)[^\n]*\n([0-9a-f]{8})/.exec(stdout) ?? [];
  await removeStale(host, root, Number(seconds));
  const directory = `${root}/instances/synscope-${seconds}-${random}`;
  const { exitCode, stderr } = await host.run(['mkdir', directory]);
  if (exitCode !== 0) {
    const denied = /permitted|denied|Read-only/.test(stderr);
    throw new HostError(denied ? 'no-permission' : 'failed', `tracefs gives no instance: ${lastLine(stderr)}`, {
      ...(denied ? { hint: 'run as root, and not in a locked-down kernel or container' } : {}),
    });
  }
  return directory;
}

async function removeStale(host: Host, root: string, nowSeconds: number): Promise<void> {
  const names = await host.listDirectory(`${root}/instances`);
  const stale = names.filter((name) => {
    const made = /^synscope-(\d+)-[0-9a-f]{8}$/.exec(name)?.[1];
    return made !== undefined && nowSeconds - Number(made) > STALE_SECONDS;
  });
  // One that is still read cannot be removed: the kernel refuses.
  if (stale.length > 0) await host.run(['rmdir', ...stale.map((name) => `${root}/instances/${name}`)]);
}

/** Removes an instance, and with it all its settings; the kernel refuses for as long as somebody reads it. */
async function removeInstance(host: Host, directory: string): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    try {
      const { exitCode, stderr } = await host.run(['rmdir', directory]);
      if (exitCode === 0 || !/busy/i.test(stderr)) return;
    } catch (error) {
      if (error instanceof HostError) return;
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Sets the filters, and hands back the events that may be switched on: those whose filter stands as it was written. */
async function prepareEvents(host: Host, root: string, directory: string, port: number): Promise<PlannedEvent[]> {
  const texts = await readFiles(
    host,
    WATCHED_EVENTS.map(({ path }) => `${root}/events/${path}/format`),
  );
  const formats = new Map(
    WATCHED_EVENTS.flatMap(({ path }) => {
      const text = texts.get(`${root}/events/${path}/format`);
      return text === undefined
        ? []
        : [[path, { fields: parseEventFields(text), numbers: parseEventSymbols(text) }] as const];
    }),
  );
  const planned = planEvents(formats, port);
  const filterOf = (path: string): string => `${directory}/events/${path}/filter`;
  await Promise.all(
    [...new Set(planned.flatMap((event) => event.filter ?? []))].map((filter) => {
      const paths = planned.filter((event) => event.filter === filter).map(({ path }) => filterOf(path));
      return host.run(['tee', ...paths], { input: filter });
    }),
  );
  const set = await readFiles(
    host,
    planned.map(({ path }) => filterOf(path)),
  );
  return planned.filter(
    ({ path, filter, onlyFiltered }) => !onlyFiltered || filter === undefined || set.get(filterOf(path)) === filter,
  );
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
