import type { Answer, Entry, Question } from './entry.ts';

/** What stands in place of a secret. */
const HIDDEN = '***';

/** What a recording never holds, in words for its reader. */
export const REDACTED: readonly string[] = [
  'payload of captured packets',
  'arguments of processes',
  'environment of processes, but for proxy settings',
  'user names and passwords in URLs',
  'keys of TCP-MD5, TCP-AO, TCP Fast Open, IPsec, WireGuard and IPv6 address generation',
  'values of words such as password, secret and token',
];

/** Variables of an environment that a diagnosis needs. */
const KEPT_VARIABLES = /^(?:https?|ftp|all|no)_proxy$/i;

interface Rule {
  readonly pattern: RegExp;
  readonly replacement: string;
}

/** Secrets that can be told by how they are written, wherever they are. */
const ANYWHERE: readonly Rule[] = [
  // User and password of a URL, also the user alone: a token may be one.
  { pattern: /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]+@/gi, replacement: `$1${HIDDEN}@` },
  // ss -i as root: md5keys:10.0.0.1=KEY,10.0.0.2/24=KEY
  { pattern: /\b(md5keys:)\S+/g, replacement: `$1${HIDDEN}` },
  // ip xfrm state: enc cbc(aes) 0x..., auth-trunc hmac(sha256) 0x... 128, aead rfc4106(gcm(aes)) 0x... 128
  { pattern: /\b((?:enc|auth|auth-trunc|aead|comp)\s+\S+\s+)(?:0x[0-9a-f]+|"[^"]*")/gi, replacement: `$1${HIDDEN}` },
  // wg show, wg showconf
  { pattern: /\b((?:private|pre-?shared)[ -]?key\s*[:=]\s*)\S+/gi, replacement: `$1${HIDDEN}` },
  { pattern: /\b(authorization:\s*\w+\s+)\S+/gi, replacement: `$1${HIDDEN}` },
  {
    pattern:
      /((?:passw(?:or)?d|passphrase|secret|api[-_]?key|access[-_]?key|token)["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&]+)/gi,
    replacement: `$1${HIDDEN}`,
  },
  // sysctl -a, and grep over the files below
  {
    pattern: /(\b(?:tcp_fastopen_key|stable_secret)\s*[=:]\s*)[^\n]+/g,
    replacement: `$1${HIDDEN}`,
  },
];

const SECRET_FILE = /\/(?:tcp_fastopen_key|stable_secret)$/;
const ENVIRONMENT_FILE = /^\/proc\/\d+\/environ$/;
const ARGUMENTS_FILE = /^\/proc\/\d+\/cmdline$/;

/** Options of ps that have it print arguments. */
const SHOWS_ARGUMENTS = /\b(?:args|cmd|command)\b|^-?[a-zA-Z]*[fFu]/;

/** A copy of an entry without secrets. */
export function redact(entry: Entry): Entry {
  const { question, answer, refusal } = entry;
  return {
    ...entry,
    question: redactQuestion(question),
    ...(answer === undefined ? {} : { answer: redactAnswer(question, answer) }),
    ...(refusal === undefined ? {} : { refusal: { ...refusal, message: redactText(refusal.message) } }),
  };
}

/** A text without the secrets that can be told by how they are written. */
function redactText(text: string): string {
  return ANYWHERE.reduce((sofar, { pattern, replacement }) => sofar.replace(pattern, replacement), text);
}

function redactQuestion(question: Question): Question {
  if (question.op === 'run' && question.input !== undefined) return { ...question, input: redactText(question.input) };
  return question;
}

function redactAnswer(question: Question, answer: Answer): Answer {
  if ('text' in answer) return { text: redactOutput(question, answer.text) };
  if ('stdout' in answer) {
    return { ...answer, stdout: redactOutput(question, answer.stdout), stderr: redactText(answer.stderr) };
  }
  return answer;
}

function redactOutput(question: Question, text: string): string {
  const path = 'path' in question ? question.path : undefined;
  if (path !== undefined && SECRET_FILE.test(path)) return HIDDEN;
  if (path !== undefined && ARGUMENTS_FILE.test(path)) return firstArgument(text);
  if (path !== undefined && ENVIRONMENT_FILE.test(path)) return redactText(keptVariables(text, '\0'));
  if ('argv' in question) {
    const program = (question.argv[0] ?? '').replace(/^.*\//, '');
    if (program === 'env' || (program === 'printenv' && question.argv.length === 1)) {
      return redactText(keptVariables(text, '\n'));
    }
    if (program === 'printenv' && !question.argv.slice(1).every((name) => KEPT_VARIABLES.test(name))) return HIDDEN;
    if (program === 'ps' && question.argv.some((word) => SHOWS_ARGUMENTS.test(word))) return HIDDEN;
    if (program === 'systemctl') return redactText(text.replace(/^(Environment\w*=).*$/gm, `$1${HIDDEN}`));
    if (program === 'grep' || program === 'cat' || program === 'tr') return redactText(redactFilesInLines(text));
  }
  return redactText(text);
}

/** Lines of `grep -H '' FILES`: file, colon, line. */
function redactFilesInLines(text: string): string {
  return text
    .replace(/^(\/proc\/\d+\/cmdline:)(.*)$/gm, (_, file: string, line: string) => file + firstArgument(line))
    .replace(/^(\/proc\/\d+\/environ:)(.*)$/gm, (_, file: string, line: string) => file + keptVariables(line, '\0'))
    .replace(/^(\S*\/(?:tcp_fastopen_key|stable_secret):).*$/gm, `$1${HIDDEN}`);
}

function firstArgument(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : `${text.slice(0, end)}\0${text.slice(end + 1) === '' ? '' : `${HIDDEN}\0`}`;
}

function keptVariables(text: string, separator: string): string {
  return text
    .split(separator)
    .filter((line) => line === '' || KEPT_VARIABLES.test(line.split('=', 1)[0] ?? ''))
    .join(separator);
}
