import { type CommandResult, HostError } from '../host.ts';

/**
 * How commands run as root on a machine: not at all; all of them, by a shell that sudo runs; or each by itself, where sudo allows it.
 */
export type SudoUse = 'not' | 'shell' | SingleCommands;

/** These need no right, and one that may be run as root may do anything: sudo is never asked for them. */
const NEVER_AS_ROOT: ReadonlySet<string> = new Set(['python3', 'sh', 'env', 'getent', 'dig', 'ping', 'date', 'id']);

/** What sudo says when it does not run a command. */
const REFUSAL = /^(?:sudo: |Sorry, user )/m;

/**
 * Finds out what sudo allows there without a password.
 * @param run runs a command without sudo.
 * @throws HostError `no-permission` when it allows nothing.
 */
export async function sudoUse(
  host: string,
  run: (argv: readonly string[]) => Promise<CommandResult>,
): Promise<SudoUse> {
  const list = await run(['sudo', '-n', '-l']);
  if (list.exitCode !== 0 || REFUSAL.test(list.stderr)) throw sudoRefused(host, list.stderr);
  const rights = /^\s+\(.*$/ms.exec(list.stdout)?.[0] ?? '';
  const asShell = /\bALL\b|\/(?:ba|da)?sh\b/.test(rights)
    ? await run(['sudo', '-n', '--', 'sh', '-c', ':'])
    : undefined;
  if (asShell?.exitCode === 0) return 'shell';
  const programs = [...rights.matchAll(/\/([\w.+-]+)(?=[\s,]|$)/gm)].map(([, name = '']) => name);
  if (programs.length === 0) throw sudoRefused(host, asShell?.stderr ?? list.stderr);
  return new SingleCommands(programs);
}

/** Runs commands as root, each by itself, where sudo allows it, and otherwise without. */
export class SingleCommands {
  private readonly programs: ReadonlySet<string>;
  /** Commands that it refused: it keeps a log of them, and is not asked again. */
  private readonly refused = new Set<string>();

  /** @param programs of which sudo allows some commands. */
  constructor(programs: readonly string[]) {
    this.programs = new Set(programs.filter((name) => !NEVER_AS_ROOT.has(name)));
  }

  /** @param run runs a command without sudo. */
  async run(argv: readonly string[], run: (argv: readonly string[]) => Promise<CommandResult>): Promise<CommandResult> {
    const key = argv.join('\0');
    const name = argv[0]?.split('/').at(-1) ?? '';
    if (!this.programs.has(name) || this.refused.has(key)) return run(argv);
    const result = await run(['sudo', '-n', '--', ...argv]);
    if (result.exitCode !== 1 || result.stdout !== '' || !REFUSAL.test(result.stderr)) return result;
    this.refused.add(key);
    return run(argv);
  }
}

/** Why sudo runs nothing there. */
export function sudoRefused(host: string, stderr: string): HostError {
  const said = stderr.trim().split(/\r?\n/).at(-1)?.trim() ?? '';
  return new HostError(
    'no-permission',
    `sudo on ${host} refuses: ${said.replace(/^sudo: /, '') || 'it allows nothing'}`,
    {
      hint: 'let that user run commands through sudo without a password (docs/hosts.md says which), or use ssh:root@…',
    },
  );
}
