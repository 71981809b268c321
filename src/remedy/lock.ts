import { type Host, HostError } from '../host/host.ts';
import type { RepairOwner } from './journal/entry.ts';
import { isAlive } from './owner.ts';

/** Where repairs leave what concerns only this boot of a target. */
export const RUN_DIRECTORY = '/run/synscope';

/** A lock that says nothing of its owner was being made when its maker ended. */
const NAMELESS_SECONDS = 30;

/** What a lock says of who holds it. */
interface LockOwner extends RepairOwner {
  readonly repair: string;
  /** Seconds since 1970 by the clock of the target; nobody holds it for longer. */
  readonly until: number;
}

/** Makes the lock, or tells who holds it: making a directory succeeds for one only. */
const TAKE = [
  'umask 077',
  'mkdir -p "$1" || exit 1',
  'if mkdir "$2" 2>/dev/null; then',
  '  now=$(date +%s)',
  '  printf "%s %s\\n" "$((now + $4))" "$3" > "$2/owner.new" && mv "$2/owner.new" "$2/owner" && exit 0',
  '  exit 1',
  'fi',
  'echo "$(date +%s) $(stat -c %Y "$2" 2>/dev/null || echo 0)"',
  'cat "$2/owner" 2>/dev/null',
  'exit 75',
].join('\n');

/**
 * Moves a stale lock away, when it is still the one that was read. Of several that try one does it at a time: between its look and its
 * move nobody can have put a new lock in the place of the stale one. A breaker that died is forgotten after a minute.
 */
const BREAK = [
  'age() { echo "$(($(date +%s) - $(stat -c %Y "$1" 2>/dev/null || date +%s)))"; }',
  'if ! mkdir "$1.break" 2>/dev/null; then',
  '  [ "$(age "$1.break")" -gt 60 ] && rmdir "$1.break"',
  '  exit 1',
  'fi',
  'trap \'rmdir "$1.break"\' EXIT',
  'if [ -n "$3" ]; then',
  '  [ "$(cat "$1/owner" 2>/dev/null)" = "$3" ] || exit 1',
  'else',
  '  [ ! -e "$1/owner" ] && [ "$(age "$1")" -gt "$4" ] || exit 1',
  'fi',
  'mv "$1" "$1.stale.$2" && rm -rf "$1.stale.$2"',
].join('\n');

const RELEASE = 'case "$(cat "$1/owner" 2>/dev/null)" in *"$2"*) rm -rf "$1";; esac';

/** The right to repair one network namespace of one machine: it lies on the target, so that it holds whoever comes, from wherever. */
export class TargetLock {
  private readonly host: Host;
  private readonly path: string;
  private readonly mark: string;

  private constructor(host: Host, path: string, mark: string) {
    this.host = host;
    this.path = path;
    this.mark = mark;
  }

  /**
   * Takes the lock.
   * @param namespace of the target, as `readlink /proc/self/ns/net` prints it.
   * @param holdSeconds after which it counts as forgotten.
   * @throws HostError when somebody else holds it, or it cannot be made.
   */
  static async take(
    host: Host,
    namespace: string,
    repair: string,
    owner: RepairOwner,
    holdSeconds: number,
  ): Promise<TargetLock> {
    const path = `${RUN_DIRECTORY}/fix.${namespace.replace(/\D/g, '') || 'lock'}.lock`;
    const text = JSON.stringify({ ...owner, repair });
    for (let tries = 0; ; tries += 1) {
      const { exitCode, stdout, stderr } = await host.run([
        'sh',
        '-c',
        TAKE,
        'sh',
        RUN_DIRECTORY,
        path,
        text,
        String(holdSeconds),
      ]);
      if (exitCode === 0) return new TargetLock(host, path, repair);
      if (exitCode !== 75) throw cannotLock(stderr);
      const held = readHeld(stdout);
      if (!held.isStale || tries === 3) throw heldBy(held.owner);
      await host.run(['sh', '-c', BREAK, 'sh', path, repair, held.line, String(NAMELESS_SECONDS)]);
    }
  }

  /** Gives the lock back; one that somebody else holds by now stays. */
  async release(): Promise<void> {
    await this.host.run(['sh', '-c', RELEASE, 'sh', this.path, `"repair":"${this.mark}"`]);
  }
}

interface HeldLock {
  readonly owner: LockOwner | undefined;
  /** As it stands in the file. */
  readonly line: string;
  readonly isStale: boolean;
}

function readHeld(printed: string): HeldLock {
  const [times = '', line = ''] = printed.split('\n');
  const [now = 0, made = 0] = times.split(' ').map(Number);
  const [, until, json = ''] = /^(\d+) (\{.*\})$/.exec(line) ?? [];
  if (until === undefined) return { owner: undefined, line, isStale: now - made > NAMELESS_SECONDS };
  try {
    const owner: LockOwner = { ...(JSON.parse(json) as RepairOwner & { repair: string }), until: Number(until) };
    return { owner, line, isStale: now > owner.until || isAlive(owner) === false };
  } catch {
    return { owner: undefined, line, isStale: now > Number(until) };
  }
}

function heldBy(owner: LockOwner | undefined): HostError {
  if (owner === undefined)
    return new HostError('failed', 'another repair of this host has just begun', { hint: 'try again in a minute' });
  return new HostError(
    'failed',
    `another repair of this host is being made: ${String(owner.repair)}, by process ${Number(owner.pid)} on ${String(owner.hostname)}`,
    { hint: 'two repairs at once could undo each other; wait until it has ended' },
  );
}

function cannotLock(stderr: string): HostError {
  const said = stderr.trim().split('\n')[0] ?? '';
  const denied = /ermission denied|not permitted|Read-only/.test(said);
  return new HostError(denied ? 'no-permission' : 'failed', `a repair needs ${RUN_DIRECTORY} on the host: ${said}`, {
    ...(denied ? { hint: 'run as root; with --on ssh: use --sudo or ssh:root@…' } : {}),
  });
}
