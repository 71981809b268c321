import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, HostError } from '../host/host.ts';
import type { RepairStep } from '../model/repair.ts';
import { RUN_DIRECTORY } from './lock.ts';

/**
 * Runs on the target, in a session of its own, from before the first change until the repair is verified. It undoes what was done
 * when the time is over, when the process that repairs has ended (on the same machine) or has not been heard of for 20 s (on another
 * one), or when it is asked to. Whoever renames the
 * file `armed` decides: only one of the two sides can.
 *
 * Arguments: directory, seconds, pid to watch or nothing; then for each command that undoes: number of the step, count of words, words.
 */
const TIMER = [
  'd=$1 left=$2 pid=$3; shift 3',
  'echo $$ > "$d/pid.new" && mv "$d/pid.new" "$d/pid"',
  'if sleep 0.2 2>/dev/null; then nap=0.2; left=$((left * 5)) patience=100; else nap=1 patience=20; fi',
  'why=asked quiet=0',
  'while [ -e "$d/armed" ]; do',
  '  [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null || { why="synscope ended"; break; }',
  '  [ "$left" -gt 0 ] || { why="time over"; break; }',
  '  if rm "$d/beat" 2>/dev/null; then quiet=0; else quiet=$((quiet + 1)); fi',
  '  [ -n "$pid" ] || [ "$quiet" -lt "$patience" ] || { why="connection lost"; break; }',
  '  left=$((left - 1))',
  '  sleep "$nap"',
  'done',
  'mv "$d/armed" "$d/firing" 2>/dev/null || mv "$d/fire" "$d/firing" 2>/dev/null || exit 0',
  'echo "$why" > "$d/why"',
  // A command that is being run is let end: its step is then undone as well.
  'i=0; while [ "$i" -lt 50 ] && ls "$d"/begun-* >/dev/null 2>&1; do i=$((i + 1)); sleep "$nap"; done',
  'while [ "$#" -gt 1 ]; do',
  '  n=$1 c=$2; shift 2',
  '  words=""; i=1',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own. Only numbers are put together here, never data.
  '  while [ "$i" -le "$c" ]; do words="$words \\"\\${$i}\\""; i=$((i + 1)); done',
  '  if [ -e "$d/done-$n" ]; then eval "$words" >> "$d/log" 2>&1; echo "$n $?" >> "$d/results"; fi',
  '  shift "$c"',
  'done',
  'mv "$d/firing" "$d/rolled-back"',
].join('\n');

/** Makes the directory, starts the timer, and waits until it runs. */
const START = [
  'd=$1 timer=$2; shift 2',
  'umask 077',
  'mkdir -p "$(dirname "$d")" && mkdir "$d" && : > "$d/armed" || exit 73',
  'if command -v setsid >/dev/null 2>&1; then',
  '  setsid sh -c "$timer" sh "$d" "$@" </dev/null >/dev/null 2>&1 &',
  'else',
  '  (trap "" HUP INT; exec sh -c "$timer" sh "$d" "$@") </dev/null >/dev/null 2>&1 &',
  'fi',
  'i=0; while [ ! -s "$d/pid" ] && [ "$i" -lt 50 ]; do i=$((i + 1)); sleep 0.1 2>/dev/null || sleep 1; done',
  'cat "$d/pid"',
].join('\n');

/** Runs a command and notes that it was begun, and done. */
const DO = [
  'd=$1 n=$2; shift 2',
  '[ -e "$d/armed" ] || exit 76',
  ': > "$d/begun-$n" || exit 73',
  '"$@"; s=$?',
  'if [ "$s" = 0 ]; then mv "$d/begun-$n" "$d/done-$n"; else rm -f "$d/begun-$n"; fi',
  'exit "$s"',
].join('\n');

const CLAIM = 'mv "$1/armed" "$1/$2" 2>/dev/null';
const STATE = [
  'cd "$1" 2>/dev/null || exit 1',
  'ls; echo ==why; cat why 2>/dev/null; echo ==results; cat results 2>/dev/null; echo ==log; tail -c 2000 log 2>/dev/null; true',
].join('\n');

/** How often the timer is asked whether it is done. */
const POLL_MS = 100;
const ROLL_BACK_MS = 60_000;

/** What a roll-back by the timer did. */
export interface RolledBack {
  /** Commands that failed, with the number of their step. */
  readonly failed: readonly { readonly step: number; readonly exitCode: number }[];
  readonly log: string;
  /** `asked`, `time over`, `synscope ended`, `connection lost`. */
  readonly why: string;
}

/** The timer that takes a repair back when nobody says that it helped. */
export class DeadManTimer {
  readonly directory: string;
  readonly pid: number;
  private readonly host: Host;

  private constructor(host: Host, directory: string, pid: number) {
    this.host = host;
    this.directory = directory;
    this.pid = pid;
  }

  /** Directory of the timer of a repair on its target. */
  static directoryOf(repair: string): string {
    return `${RUN_DIRECTORY}/repair-${repair}`;
  }

  /**
   * Starts it on the target.
   * @param watchPid ends with the process of this number; only where that is on the same machine.
   * @throws HostError when it does not run.
   */
  static async start(
    host: Host,
    repair: string,
    steps: readonly RepairStep[],
    seconds: number,
    watchPid: number | undefined,
  ): Promise<DeadManTimer> {
    const directory = DeadManTimer.directoryOf(repair);
    const undo = steps
      .map(({ undo: commands }, step) => commands.flatMap((words) => [String(step), String(words.length), ...words]))
      .toReversed()
      .flat();
    const { exitCode, stdout, stderr } = await host.run([
      ...['sh', '-c', START, 'sh', directory, TIMER],
      ...[String(seconds), watchPid === undefined ? '' : String(watchPid), ...undo],
    ]);
    const pid = Number(stdout.trim());
    if (exitCode !== 0 || !Number.isInteger(pid) || pid < 1) {
      throw new HostError(
        'failed',
        `the timer that would undo the repair does not start: ${stderr.trim() || 'it does not run'}`,
      );
    }
    return new DeadManTimer(host, directory, pid);
  }

  /** Makes a change under the eyes of the timer; the exit code is data. @throws HostError */
  run(step: number, argv: readonly string[]): ReturnType<Host['run']> {
    return this.host.run(['sh', '-c', DO, 'sh', this.directory, String(step), ...argv], { timeoutMs: 30_000 });
  }

  /** Says that the one who repairs is still there; only a timer on another machine waits for it. @throws HostError */
  async beat(): Promise<void> {
    await this.host.run(['sh', '-c', ': > "$1/beat"', 'sh', this.directory]);
  }

  /** Ends it without undoing anything; false when it was faster. @throws HostError */
  async disarm(): Promise<boolean> {
    return (await this.host.run(['sh', '-c', CLAIM, 'sh', this.directory, 'disarmed'])).exitCode === 0;
  }

  /** Lets it undo everything now, or waits until it has. @returns undefined when the timer does not run any more. @throws HostError */
  async rollBack(): Promise<RolledBack | undefined> {
    await this.host.run(['sh', '-c', CLAIM, 'sh', this.directory, 'fire']);
    const untilMs = performance.now() + ROLL_BACK_MS;
    for (;;) {
      const state = await timerState(this.host, this.directory);
      if (state?.names.includes('rolled-back')) return state;
      const runs = await this.host.run(['kill', '-0', String(this.pid)]);
      if (runs.exitCode !== 0) {
        const last = await timerState(this.host, this.directory);
        return last?.names.includes('rolled-back') ? last : undefined;
      }
      if (performance.now() > untilMs)
        throw new HostError('timed-out', 'the timer does not come to an end with undoing');
      await sleep(POLL_MS);
    }
  }

  /** Removes its directory. */
  async remove(): Promise<void> {
    await removeTimer(this.host, this.directory);
  }
}

/** What the directory of a timer tells: which files there are, and what undoing did; undefined when there is none. @throws HostError */
export async function timerState(
  host: Host,
  directory: string,
): Promise<(RolledBack & { readonly names: readonly string[] }) | undefined> {
  const { exitCode, stdout } = await host.run(['sh', '-c', STATE, 'sh', directory]);
  if (exitCode !== 0) return undefined;
  const [, names = '', why = '', results = '', log = ''] =
    /^([\s\S]*?)==why\n([\s\S]*?)==results\n([\s\S]*?)==log\n([\s\S]*)$/.exec(stdout) ?? [];
  const failed = results.split('\n').flatMap((line) => {
    const [, step, code] = /^(\d+) (\d+)$/.exec(line) ?? [];
    return code === undefined || code === '0' ? [] : [{ step: Number(step), exitCode: Number(code) }];
  });
  return { names: names.trim().split('\n'), failed, log: log.trim(), why: why.trim() };
}

/** Removes the directory of a timer. @throws HostError */
export async function removeTimer(host: Host, directory: string): Promise<void> {
  if (!directory.startsWith(`${RUN_DIRECTORY}/repair-`)) return;
  await host.run(['rm', '-rf', '--', directory]);
}
