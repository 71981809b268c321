import {
  concernsNetwork,
  type KernelLogLine,
  parseDmesg,
  parseKernelJournal,
} from '../../formats/procfs/kernel-log.ts';
import { parseUptime } from '../../formats/procfs/pressure.ts';
import { type Host, HostError } from '../../host/host.ts';
import { readFileIfAny } from '../../host/read-files.ts';
import { type AttemptScope, type Collector, defineCollector } from './collector.ts';

/** How long before the watch a message may be and still belong to it. */
const BEFORE_MS = 60_000;
const LINES = 100;
const LINE_CHARACTERS = 400;

interface Reading {
  readonly lines: readonly KernelLogLine[];
  readonly source: string;
  /** Clock of the host and its seconds since boot, at the time of the reading. */
  readonly nowMs: number;
  readonly uptimeSeconds?: number;
}

/** What is known before the watch. */
interface Before {
  /** Stamp of the newest message, whatever it is about. */
  readonly newestSeconds?: number;
}

/** The end of the log alone, as syslog(2) gives it: the whole of it takes five times as long. */
const TAIL_COMMAND: readonly string[] = ['dmesg', '-S', '-s', '4096'];

/** What the kernel logged of the network during the watch and in the minute before it. */
export const kernelLog: Collector = defineCollector<'kernelLog', Reading, Before>({
  provides: 'kernelLog',
  baseline: true,
  async read(host) {
    const [{ lines, source }, uptime, nowNs] = await Promise.all([
      readLines(host),
      readFileIfAny(host, '/proc/uptime'),
      host.nowNs(),
    ]);
    const uptimeSeconds = parseUptime(uptime ?? '');
    return {
      lines: lines.filter(({ text }) => concernsNetwork(text)),
      source,
      nowMs: Number(nowNs / 1_000_000n),
      ...(uptimeSeconds === undefined ? {} : { uptimeSeconds }),
    };
  },
  async readBefore(host) {
    const tail = await runIfAny(host, TAIL_COMMAND);
    const lines = tail === undefined ? (await readLines(host)).lines : parseDmesg(tail);
    const newestSeconds = lines.at(-1)?.sinceBootSeconds;
    return newestSeconds === undefined ? {} : { newestSeconds };
  },
  fact(reading, before, scope) {
    const attemptMs = attemptTime(scope) ?? reading.nowMs;
    const firstMs = reading.nowMs - scope.intervalMs - BEFORE_MS;
    const value = reading.lines
      .flatMap((line) => {
        const atMs = timeOf(line, reading, before, scope.intervalMs);
        return atMs === undefined || atMs < firstMs ? [] : [{ atMs, text: line.text.slice(0, LINE_CHARACTERS) }];
      })
      .slice(-LINES)
      .map(({ atMs, text }) => ({ beforeMs: Math.round(attemptMs - atMs), text }));
    return { value, source: reading.source };
  },
});

async function readLines(host: Host): Promise<{ lines: KernelLogLine[]; source: string }> {
  const dmesg = await runIfAny(host, ['dmesg']);
  if (dmesg !== undefined) return { lines: parseDmesg(dmesg), source: 'dmesg' };
  const journal = await runIfAny(host, [
    'journalctl',
    '-k',
    '-b',
    '-q',
    '--no-pager',
    '-o',
    'short-unix',
    '-n',
    '2000',
  ]);
  const lines = parseKernelJournal(journal ?? '');
  // A user who may not read the journal of the system sees an empty one.
  if (lines.length > 0) return { lines, source: 'journalctl -k' };
  throw new HostError('no-permission', "the kernel's log may not be read", {
    hint: 'run as root, or in the group systemd-journal',
  });
}

async function runIfAny(host: Host, argv: readonly string[]): Promise<string | undefined> {
  try {
    const { exitCode, stdout } = await host.run(argv, { timeoutMs: 5000 });
    return exitCode === 0 ? stdout : undefined;
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

/** When the attempt began, by the clock of the host. */
function attemptTime({ attempt }: AttemptScope): number | undefined {
  const startedAtNs = attempt.handshake?.startedAtNs;
  return startedAtNs === undefined ? undefined : Number(startedAtNs / 1_000_000n);
}

/**
 * When a message was logged, milliseconds since 1970. The clock of the kernel's log drifts from that of the host, by seconds in
 * months; a message that was not there at the beginning of the watch came during the watch, whatever its stamp says.
 */
function timeOf(
  line: KernelLogLine,
  { nowMs, uptimeSeconds }: Reading,
  before: Before | undefined,
  intervalMs: number,
): number | undefined {
  if (line.unixMs !== undefined) return line.unixMs;
  if (line.sinceBootSeconds === undefined || uptimeSeconds === undefined) return undefined;
  const stampMs = nowMs - (uptimeSeconds - line.sinceBootSeconds) * 1000;
  const isNew = before?.newestSeconds !== undefined && line.sinceBootSeconds > before.newestSeconds;
  return isNew ? Math.min(nowMs, Math.max(nowMs - intervalMs, stampMs)) : Math.min(nowMs, stampMs);
}
