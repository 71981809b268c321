import { type CommandResult, type Host, HostError } from '../../../host/host.ts';

/** What an {@link AnsweringHost} knows. */
export interface Answers {
  /** Files by path; those that are not here do not exist. */
  readonly files?: Readonly<Record<string, string>>;
  /** Standard output by command line (arguments joined by spaces), or the whole result; the rest does not exist as programs. */
  readonly commands?: Readonly<Record<string, string | CommandResult>>;
  /** Programs that do not exist although their answer could be made of `files`: `grep`. */
  readonly without?: readonly string[];
  readonly nowMs?: number;
}

/** A host that answers from recorded files and command output, and remembers what it was asked. */
export class AnsweringHost implements Host {
  readonly spec: string = 'answers';
  readonly asked: string[] = [];
  private readonly answers: Answers;

  constructor(answers: Answers) {
    this.answers = answers;
  }

  async readFile(path: string): Promise<string> {
    const text = this.answers.files?.[path];
    if (text === undefined) throw new HostError('not-found', `${path} does not exist`);
    if (text === 'EACCES') throw new HostError('no-permission', `${path} may not be read`);
    return text;
  }

  async listDirectory(path: string): Promise<readonly string[]> {
    const names = Object.keys(this.answers.files ?? {}).flatMap((file) =>
      file.startsWith(`${path}/`) ? [file.slice(path.length + 1).split('/')[0] ?? ''] : [],
    );
    if (names.length === 0) throw new HostError('not-found', `${path} does not exist`);
    return [...new Set(names)].sort();
  }

  async run(argv: readonly string[]): Promise<CommandResult> {
    const line = argv.join(' ');
    this.asked.push(line);
    const answer = this.answers.commands?.[line];
    if (answer !== undefined) return typeof answer === 'string' ? { exitCode: 0, stdout: answer, stderr: '' } : answer;
    if (argv[0] === 'grep' && this.answers.without?.includes('grep') !== true) return this.grep(argv.slice(5));
    throw new HostError('not-found', `there is no ${argv[0]}`);
  }

  private grep(paths: readonly string[]): CommandResult {
    const lines = paths.flatMap((path) => {
      const text = this.answers.files?.[path];
      if (text === undefined || text === 'EACCES' || text === '') return [];
      return text
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => `${path}:${line}\n`);
    });
    return { exitCode: 0, stdout: lines.join(''), stderr: '' };
  }

  stream(): never {
    throw new HostError('not-recorded', 'nothing is streamed');
  }

  async capture(): Promise<never> {
    throw new HostError('not-recorded', 'nothing is captured');
  }

  async connect(): Promise<never> {
    throw new HostError('not-recorded', 'nothing is connected');
  }

  async nowNs(): Promise<bigint> {
    return BigInt(this.answers.nowMs ?? 0) * 1_000_000n;
  }

  async close(): Promise<void> {}
}
