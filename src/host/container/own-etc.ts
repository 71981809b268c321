import { type CommandResult, HostError, type RunOptions } from '../host.ts';

/** Files of /etc that differ from those of the machine for programs of one namespace or container. */
export interface OwnEtc {
  /**
   * Text of a file below /etc as programs there see it; undefined when they see that of the machine.
   * @throws HostError when they see none, or it cannot be read.
   */
  readFile(path: string): Promise<string | undefined>;
  /** Sockets of the machine that those programs cannot reach. */
  hiddenSockets(): Promise<readonly string[]>;
}

/** What decides about the look-up of names, and what glibc takes where the file is missing (nsswitch.conf(5), resolv.conf(5)). */
const RESOLVER_FILES: ReadonlyMap<string, string> = new Map([
  ['hosts', ''],
  ['resolv.conf', ''],
  ['nsswitch.conf', 'hosts: files dns\n'],
  ['gai.conf', ''],
]);
/** Names of {@link RESOLVER_FILES}. */
export const RESOLVER_FILE_NAMES: readonly string[] = [...RESOLVER_FILES.keys()];

/** Services of the machine that answer for the C library where their socket is reached: nscd, systemd-resolved. */
export const NAME_SERVICE_SOCKETS: readonly string[] = [
  '/run/nscd/socket',
  '/var/run/nscd/socket',
  '/run/systemd/resolve/io.systemd.Resolve',
  '/run/dbus/system_bus_socket',
];

/** Programs that look up names. */
const RESOLVERS: ReadonlySet<string> = new Set(['getent', 'dig']);

/** Said on standard error when everything is in place: what is said before it is not said by the program. */
const READY = 'synscope: ready';

/**
 * Runs a program with other files in /etc, whose texts come through standard input, in a mount namespace that ends with it; all else
 * stays as it is. Arguments: name and length of each file, `--`, sockets to hide, `--`, the program.
 */
const WITH_OWN_ETC = `
set -e
umask 022
mount -t tmpfs -o mode=0755 tmpfs /tmp
while [ "$1" != -- ]; do
  : > "/tmp/$1"
  if [ "$2" -gt 0 ]; then dd bs="$2" count=1 iflag=fullblock of="/tmp/$1" 2>/dev/null; fi
  if [ -e "/etc/$1" ]; then mount --bind "/tmp/$1" "/etc/$1"; fi
  shift 2
done
shift
while [ "$1" != -- ]; do
  if [ -e "$1" ]; then mount --bind /dev/null "$1"; fi
  shift
done
shift
umount /tmp
command -v "$1" >/dev/null || exit 127
echo "${READY}" >&2
exec "$@" </dev/null
`;

/** /sys shows the devices of the network namespace that it was mounted in. */
const WITH_OWN_SYSFS = `mount -t sysfs sysfs /sys && echo "${READY}" >&2 && exec "$@"`;

/** Begins a command that runs with mounts of its own; the arguments of {@link WITH_OWN_SYSFS} and its kind follow. */
const PRIVATELY: readonly string[] = ['unshare', '--mount', '--propagation=private', 'sh', '-c'];

/** Runs a command in the network namespace, with the files of the machine. */
export type RunThere = (argv: readonly string[], options: RunOptions) => Promise<CommandResult>;

/**
 * Runs a command so that it sees what belongs to its network namespace beyond sockets and /proc/net: the devices in /sys, and its own
 * files in /etc where it looks up names.
 * @throws HostError
 */
export async function runInOwnView(
  argv: readonly string[],
  options: RunOptions,
  { etc, run }: { readonly etc: OwnEtc | undefined; readonly run: RunThere },
): Promise<CommandResult> {
  if (argv.some(isOfDevices)) return runPrivately([WITH_OWN_SYSFS, 'sh', ...argv], options, { argv, run });
  const isAffected = etc !== undefined && options.input === undefined && RESOLVERS.has(argv[0] ?? '');
  const files = isAffected ? await resolverFiles(etc) : [];
  if (etc === undefined || files.length === 0) return run(argv, options);
  const hidden = await etc.hiddenSockets();
  const sizes = files.flatMap(([name, text]) => [name, `${Buffer.byteLength(text)}`]);
  const input = files.map(([, text]) => text).join('');
  const words = [WITH_OWN_ETC, 'sh', ...sizes, '--', ...hidden, '--', ...argv];
  return runPrivately(words, { ...options, input }, { argv, run });
}

async function runPrivately(
  words: readonly string[],
  options: RunOptions,
  { argv, run }: { readonly argv: readonly string[]; readonly run: RunThere },
): Promise<CommandResult> {
  const { exitCode, stdout, stderr } = await run([...PRIVATELY, ...words], options);
  const ready = `${READY}\n`;
  const at = stderr.indexOf(ready);
  if (at >= 0) return { exitCode, stdout, stderr: stderr.slice(at + ready.length) };
  const [program = ''] = argv;
  if (exitCode === 127) throw new HostError('not-found', `${program} cannot be run: there is no such program`);
  const reason = stderr.trim().split('\n').at(-1) || `exit code ${exitCode}`;
  const denied = /ermission|not permitted/.test(reason);
  throw new HostError(
    denied ? 'no-permission' : 'failed',
    `${program} cannot be run with mounts of its own: ${reason}`,
  );
}

/** Whether a path, or an argument of a command, is about a network device. */
export function isOfDevices(path: string): boolean {
  return /^\/sys\/(class\/net|devices)(\/|$)/.test(path);
}

async function resolverFiles(etc: OwnEtc): Promise<readonly (readonly [name: string, text: string])[]> {
  const files = await Promise.all(
    [...RESOLVER_FILES].map(async ([name, missing]): Promise<(readonly [string, string])[]> => {
      try {
        const text = await etc.readFile(`/etc/${name}`);
        return text === undefined ? [] : [[name, text]];
      } catch (error) {
        if (!(error instanceof HostError) || error.code !== 'not-found') throw error;
        return [[name, missing]];
      }
    }),
  );
  return files.flat();
}
