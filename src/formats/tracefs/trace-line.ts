/** One event as trace_pipe prints it. */
export interface TraceLine {
  /** Name of the task that ran, which need not be the one that caused it. */
  readonly task: string;
  readonly cpu: number;
  /** In a softirq: packets that came in, and timers. Absent where the line does not tell. */
  readonly softirq?: boolean;
  /** By the clock of the trace, microseconds. */
  readonly timeUs: number;
  /** Name of the event, without its system. */
  readonly event: string;
  readonly arguments: string;
}

const LINE = /^\s*(.{1,16})-\d+\s+\[(\d{1,5})\](?:\s+([^\s\d]\S{3,6}))?\s+(\d{1,12})\.(\d{6}): (\w+): (.*)$/;

/**
 * Parses a line of trace_pipe (Documentation/trace/ftrace.rst): task, process id, CPU, flags, time, event, arguments. The third flag
 * is `s` in a softirq and `H` in a hard interrupt that met one. A task may have any name, so what is before the process id is not trusted.
 * @returns undefined for anything else.
 */
export function parseTraceLine(line: string): TraceLine | undefined {
  const [, task, cpu, flags, seconds, micros, event, text] = LINE.exec(line) ?? [];
  if (task === undefined || event === undefined || text === undefined) return undefined;
  return {
    task: task.trim(),
    cpu: Number(cpu),
    ...(flags === undefined ? {} : { softirq: flags[2] === 's' || flags[2] === 'H' }),
    timeUs: Number(seconds) * 1e6 + Number(micros),
    event,
    arguments: text,
  };
}

/** How many events a line of trace_pipe says were lost: `CPU:1 [LOST 1234 EVENTS]`; 0 for any other line. */
export function lostEvents(line: string): number {
  return Number(/^CPU:\d+ \[LOST (\d{1,15}) EVENTS\]/.exec(line)?.[1] ?? 0);
}
