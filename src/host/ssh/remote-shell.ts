import { HostError } from '../host.ts';
import { NO_SUCH_PROGRAM, quoteForShell, SEARCH_PATH } from './remote-command.ts';

/** Longer requests are slow: a shell reads its input byte by byte. */
const MAX_REQUEST_BYTES = 64 * 1024;

/**
 * A shell that runs one command after the other as it is told on standard input, each line being one of
 *
 * - `r TOKEN - 'program' 'argument'...`: run it without input; `r TOKEN + 'input' 'program' ...`: with this input,
 * - `d`: its answer has arrived,
 * - `k`: kill it.
 *
 * Both of its outputs stand between `TOKEN<` and `TOKEN>`; after the latter, standard output has the exit code. While a command runs the
 * shell goes on reading, so the end of its input, which is the end of the connection, ends what runs, with its children.
 */
const SERVE = [
  SEARCH_PATH,
  'own=$(command -v setsid)',
  "N='\n'",
  'p=',
  // Kills what runs, in the shell that waits for it: only there its number cannot belong to another process by now.
  'stop() { x=1; [ -z "$c" ] || kill -s KILL -- "-$c" 2>/dev/null || kill -s KILL "$c" 2>/dev/null; }',
  'run() {',
  '  t=$1 i=$2 x= c= w=',
  '  shift 2',
  '  trap stop TERM',
  '  echo "$t<"; echo "$t<" >&2',
  '  [ "$i" = - ] || { w=$1; shift; }',
  `  if ! command -v "$1" >/dev/null 2>&1; then echo "${NO_SUCH_PROGRAM}" >&2; s=127`,
  '  else',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own.
  '    if [ "$i" = - ]; then ${own:-exec} "$@" </dev/null & c=$!',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own.
  '    else printf %s "$w" | ${own:-exec} "$@" & c=$!; fi',
  '    [ -z "$x" ] || stop',
  '    wait "$c"; s=$?',
  '    [ -z "$x" ] || wait "$c"',
  '  fi',
  '  echo "$t>" >&2; echo "$t>$s"',
  '}',
  'r() { run "$@" & p=$!; }',
  'd() { [ -z "$p" ] || wait "$p"; p=; }',
  'k() { [ -z "$p" ] || kill "$p"; }',
  // It is there.
  'echo',
  'while IFS= read -r line; do eval "$line"; done',
  'k; d',
].join('\n');

/** The arguments of a shell that serves {@link shellRequest}s. */
export const SHELL_WORDS: readonly string[] = ['sh', '-c', SERVE, 'sh'];

/** Says that the answer to a request has arrived. */
export const SHELL_DONE = 'd\n';
/** Kills what runs. */
export const SHELL_KILL = 'k\n';

/**
 * The line that asks a shell to run a command; undefined when it would be too long for that.
 * @param token of letters and digits, which nobody can guess.
 * @throws HostError when it holds a byte that no argument can hold.
 */
export function shellRequest(token: string, argv: readonly string[], input: string | undefined): string | undefined {
  const words = [...(input === undefined ? ['-'] : ['+', input]), ...argv];
  if (words.reduce((sum, word) => sum + word.length, 0) > MAX_REQUEST_BYTES) return undefined;
  // A request is one line.
  const line = words.map((word) => quoteForShell(word).replaceAll('\n', `'"$N"'`)).join(' ');
  return `r ${token} ${line}\n`;
}

/** One output of the shell, of which the part between the marks of a request is wanted. */
export class MarkedOutput {
  private readonly begin: Buffer;
  private readonly end: Buffer;
  private readonly pieces: Buffer[] = [];
  private readonly keepBytes: number;
  /** What may be the first part of a mark. */
  private rest: Buffer = Buffer.alloc(0);
  private begun = false;
  /** What stands between the end mark and the end of its line, when it has come. */
  tail: string | undefined;
  /** Bytes that came between the marks, kept or not. */
  bytes = 0;

  /** @param keepBytes after so many, the rest is only counted. */
  constructor(token: string, keepBytes: number) {
    this.keepBytes = keepBytes;
    this.begin = Buffer.from(`${token}<\n`);
    this.end = Buffer.from(`${token}>`);
  }

  /** Whether the command was begun. */
  get hasBegun(): boolean {
    return this.begun;
  }

  /** What came between the marks. */
  text(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }

  /** Takes what came. */
  push(chunk: Buffer): void {
    if (this.tail !== undefined) return;
    let data = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    if (!this.begun) {
      const at = data.indexOf(this.begin);
      if (at < 0) {
        this.rest = data.subarray(-this.begin.length);
        return;
      }
      this.begun = true;
      data = data.subarray(at + this.begin.length);
    }
    const at = data.indexOf(this.end);
    const lineEnd = at < 0 ? -1 : data.indexOf(0x0a, at);
    const keep = at < 0 ? Math.max(0, data.length - this.end.length) : at;
    if (this.bytes < this.keepBytes) this.pieces.push(data.subarray(0, keep));
    this.bytes += keep;
    this.rest = data.subarray(keep);
    if (lineEnd >= 0) this.tail = data.toString('latin1', at + this.end.length, lineEnd);
  }
}

/** Reads the exit code behind an end mark. @throws HostError */
export function parseExitCode(tail: string): number {
  if (!/^\d{1,3}$/.test(tail)) throw new HostError('failed', 'the shell there says no exit code');
  return Number(tail);
}
