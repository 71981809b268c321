import { type CommandResult, HostError } from '../host.ts';

/**
 * How commands run as root on a machine: not at all; all of them, by a shell that sudo runs; or each by itself, where sudo allows it.
 */
export type SudoUse = 'not' | 'shell' | SingleCommands;

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
  const rights = parseRights(list.stdout);
  const asShell = rights.some(({ program }) => /^(?:ALL|(?:ba|da)?sh)$/.test(program))
    ? await run(['sudo', '-n', '--', 'sh', '-c', ':'])
    : undefined;
  if (asShell?.exitCode === 0) return 'shell';
  if (rights.length === 0) throw sudoRefused(host, asShell?.stderr ?? list.stderr);
  return new SingleCommands(rights);
}

/** A command that sudo allows. */
interface Right {
  /** Name of the program without its folder, or `ALL`. */
  readonly program: string;
  /** What the arguments, with spaces between them, have to be, or begin with; absent for any. */
  readonly words?: string;
  readonly isBeginning: boolean;
}

/** Reads what `sudo -l` lists. Of patterns only the plain text that they begin with counts: sudo itself has the last word. */
function parseRights(text: string): Right[] {
  const list = [...text.matchAll(/^\s+\(.*$/gm)].map(([line]) => line.replace(/\([^)]*\) (?:[A-Z_]+: )*/, ''));
  return list.flatMap((line) =>
    line.split(/(?<!\\),\s+/).flatMap((one): Right[] => {
      const [, path = '', words = ''] = /^\s*(?:[A-Z_]+: )*(\S+)\s*(.*?)\s*$/.exec(one) ?? [];
      const program = path.split('/').at(-1) ?? '';
      if (program === '' || path.startsWith('!')) return [];
      if (words === '') return [{ program, isBeginning: false }];
      if (words === '""') return [{ program, words: '', isBeginning: false }];
      const pattern = words.startsWith('^') ? words.slice(1) : words;
      const plain = /^(?:[^\\*?[\](){}+|^$]|\\[^\w])*/.exec(pattern)?.[0] ?? '';
      return [{ program, words: plain.replace(/\\(.)/g, '$1'), isBeginning: plain.length < words.length }];
    }),
  );
}

/** Runs commands as root, each by itself, where sudo allows it, and otherwise without. */
export class SingleCommands {
  private readonly rights: readonly Right[];
  /** Commands that it refused all the same: it keeps a log of them, and is not asked again. */
  private readonly refused = new Set<string>();

  constructor(rights: readonly Right[]) {
    this.rights = rights;
  }

  /** @param run runs a command without sudo. */
  async run(argv: readonly string[], run: (argv: readonly string[]) => Promise<CommandResult>): Promise<CommandResult> {
    const key = argv.join('\0');
    if (!this.isAllowed(argv) || this.refused.has(key)) return run(argv);
    const result = await run(['sudo', '-n', '--', ...argv]);
    if (result.exitCode !== 1 || result.stdout !== '' || !REFUSAL.test(result.stderr)) return result;
    this.refused.add(key);
    return run(argv);
  }

  private isAllowed([path = '', ...args]: readonly string[]): boolean {
    const name = path.split('/').at(-1);
    const given = args.join(' ');
    return this.rights.some(
      ({ program, words, isBeginning }) =>
        (program === name || program === 'ALL') &&
        (words === undefined || words === given || (isBeginning && given.startsWith(words))),
    );
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
