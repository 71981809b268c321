import { type Host, HostError } from '../../host/host.ts';
import type { PersistentChange } from '../../model/repair.ts';

/** Writes standard input to a file that appears under its name only when it is complete and on the disk. */
const WRITE = [
  'umask 022',
  'mkdir -p "$(dirname "$1")" || exit 1',
  'cat > "$1.synscope-new" || exit 1',
  // When whoever writes is killed, the end of what it sent looks like the end of the file.
  '[ "$(wc -c < "$1.synscope-new")" -eq "$3" ] || { rm -f "$1.synscope-new"; echo "it was cut off" >&2; exit 1; }',
  // Who may read it stays as it was; a new one is as readable as its kind must be.
  'if [ -e "$1" ]; then chmod --reference="$1" "$1.synscope-new" 2>/dev/null; chown --reference="$1" "$1.synscope-new" 2>/dev/null; else chmod "$2" "$1.synscope-new"; fi',
  'sync "$1.synscope-new" 2>/dev/null || sync',
  'mv "$1.synscope-new" "$1"',
].join('\n');

const BACK_UP = 'cp -p -- "$1" "$2" && { sync "$2" 2>/dev/null || sync; }';

/**
 * Writes the lasting form of a repair, after a copy of what the file held.
 * @param onReady is told the name of the copy before the file is touched.
 * @returns the name of the copy; undefined when there was no file. @throws HostError
 */
export async function writePersistent(
  host: Host,
  change: PersistentChange,
  id: string,
  onReady: (backup: string | undefined) => void,
): Promise<string | undefined> {
  const { path, content, current } = change;
  const now = await readIfAny(host, path);
  if (now !== current)
    throw new HostError('failed', `${path} has changed since the plan was made; it is left as it is`);
  let backup: string | undefined;
  if (current !== undefined) {
    backup = `${path}.before-synscope-${id}`;
    await must(host, ['sh', '-c', BACK_UP, 'sh', path, backup]);
  }
  onReady(backup);
  await write(host, path, /netplan|NetworkManager/.test(path) ? '600' : '644', content);
  return backup;
}

/**
 * Takes the lasting form back: the file holds again what it held, or is gone.
 * @returns why it was left as it is; undefined when it was taken back. @throws HostError
 */
export async function takeBackPersistent(
  host: Host,
  { path, content, current }: PersistentChange,
): Promise<string | undefined> {
  const now = await readIfAny(host, path);
  if (now === current) return undefined;
  if (now !== content) return `${path} has been changed by somebody else since; it is left as it is`;
  if (current === undefined) await must(host, ['rm', '--', path]);
  else await write(host, path, '644', current);
  return undefined;
}

/** What a file holds; undefined when there is none. @throws HostError */
export async function readIfAny(host: Host, path: string): Promise<string | undefined> {
  try {
    return await host.readFile(path);
  } catch (error) {
    if (error instanceof HostError && error.code === 'not-found') return undefined;
    throw error;
  }
}

function write(host: Host, path: string, mode: string, text: string): Promise<void> {
  return must(host, ['sh', '-c', WRITE, 'sh', path, mode, String(Buffer.byteLength(text))], text);
}

async function must(host: Host, argv: readonly string[], input?: string): Promise<void> {
  const { exitCode, stderr } = await host.run(argv, input === undefined ? {} : { input });
  if (exitCode !== 0) throw new HostError('failed', `${argv.at(4) ?? argv.at(-1)} cannot be written: ${stderr.trim()}`);
}
