import { HostError } from '../host.ts';

/** A shell takes its command as one word, and the kernel limits a word to 128 KiB (MAX_ARG_STRLEN). */
const MAX_COMMAND_BYTES = 128 * 1024 - 1;

/** What is said when there is no such program. */
export const NO_SUCH_PROGRAM = 'synscope: there is no such program';

/** The programs of an administrator are found, and messages are in English. */
export const SEARCH_PATH = 'PATH="$PATH:/usr/sbin:/sbin"; LC_ALL=C; export PATH LC_ALL';

const BEGIN = [SEARCH_PATH, `command -v "$1" >/dev/null 2>&1 || { echo "${NO_SUCH_PROGRAM}" >&2; exit 127; }`].join(
  '; ',
);

/** Becomes the command that its arguments are. */
const RUN = `${BEGIN}; exec "$@"`;

/** {@link STREAM} is told so often that we are still there. */
export const HEARTBEAT_MS = 15_000;
/** A network that breaks tells neither side. After so long without a word the program is ended. */
const SILENCE_SECONDS = 60;

/**
 * Runs the command that its arguments are until standard input ends, or says nothing for too long: a program that writes for ever is not
 * left behind when the connection goes. It gets a group of its own where there is setsid(1), so that its children end with it. The one
 * that waits for the end has no hold on the outputs, which would keep the connection.
 */
const STREAM = (silenceSeconds: number): string =>
  [
    BEGIN,
    'exec 3<&0',
    'own=$(command -v setsid)',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own.
    '${own:+setsid} "$@" </dev/null 3<&- & p=$!',
    // Older ones know another way to say how long.
    `listen() { while timeout ${silenceSeconds} sh -c 'read -r word' <&3; do :; done; }`,
    `timeout ${silenceSeconds} true 2>/dev/null || listen() { cat <&3; }`,
    '{ listen; kill -- "-$p" || kill "$p"; } >/dev/null 2>&1 & w=$!',
    'exec 3<&- </dev/null',
    'wait "$p"; s=$?',
    'kill "$w" 2>/dev/null',
    'exit "$s"',
  ].join('\n');

/** How a command is to be run on the other side. */
export interface RemoteCommandOptions {
  /** Ends when standard input ends, instead of reading it. */
  readonly stream?: boolean;
  /** A stream ends after so long without a heartbeat. */
  readonly silenceSeconds?: number;
  /** Runs as root through `sudo -n`. */
  readonly sudo?: boolean;
}

/**
 * One line for the shell of the other side that runs a command with exactly these arguments.
 * @throws HostError when it would be too long, or holds a byte that no argument can hold.
 */
export function remoteCommand(argv: readonly string[], { sudo = false, ...how }: RemoteCommandOptions): string {
  const words = remoteWords(argv, how);
  const line = [...(sudo ? ['sudo', '-n', '--'] : []), ...words].map(quoteForShell).join(' ');
  if (Buffer.byteLength(line) > MAX_COMMAND_BYTES)
    throw new HostError('failed', `the command ${argv[0]} … is too long`);
  return line;
}

/**
 * The arguments for a shell that runs a command with exactly these arguments, after which it says when there is no such program, and ends a
 * stream when standard input ends.
 */
export function remoteWords(
  argv: readonly string[],
  { stream = false, silenceSeconds = SILENCE_SECONDS }: Omit<RemoteCommandOptions, 'sudo'>,
): string[] {
  const [program = ''] = argv;
  if (program === '' || program.startsWith('-')) throw new TypeError(`"${program}" is no program`);
  return ['sh', '-c', stream ? STREAM(silenceSeconds) : RUN, 'sh', ...argv];
}

/**
 * Quotes a word for any POSIX shell: within single quotes everything stands for itself.
 * @throws HostError for a word with a NUL byte.
 */
export function quoteForShell(word: string): string {
  if (word.includes('\0')) throw new HostError('failed', 'an argument of a command cannot hold a NUL byte');
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** The last line of what a program said. */
export function lastLine(text: string): string {
  return text.trim().split(/\r?\n/).at(-1)?.trim() ?? '';
}
