import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import type { RepairStep } from '../../model/repair.ts';
import { quoteCommand } from '../../model/shell-quote.ts';
import { cannot, defineKind, type Kind } from './kind.ts';

type CommandChange = Extract<Change, { kind: 'command' }>;

/** A command that synscope may run: it knows what it changes and how to take that back. */
interface KnownCommand {
  /** The command as it can be run here. @throws HostError when it cannot. */
  fit?(host: Host, argv: readonly string[]): Promise<readonly string[]>;
  readonly matches: (argv: readonly string[]) => boolean;
  readonly text: (argv: readonly string[]) => string;
  readonly dangers: readonly string[];
  /** The state that the command changes. @throws HostError */
  read(host: Host, argv: readonly string[]): Promise<string>;
  /** The commands that bring that state back; the reason where nothing can. */
  undo(argv: readonly string[], before: string): readonly (readonly string[])[] | string;
  readonly isDone?: (argv: readonly string[], state: string) => boolean;
}

/** What no other kind covers: the few commands that causes propose. Others are left to people. */
export const command: Kind = defineKind<'command'>({
  kind: 'command',
  async prepare(host, change) {
    const known = knownCommand(change);
    const argv = (await known.fit?.(host, change.argv)) ?? change.argv;
    const before = await known.read(host, argv);
    const undo = known.undo(argv, before);
    const isDone = known.isDone?.(argv, before) === true;
    const step: RepairStep = {
      change: { ...change, argv },
      text: known.text(argv),
      do: argv,
      undo: typeof undo === 'string' ? [] : undo,
      before,
      dangers: known.dangers,
      ...(typeof undo === 'string' ? { cannotUndo: undo } : {}),
      ...(isDone ? { alreadySo: true as const } : {}),
    };
    return step;
  },
  read: async (host, change) => knownCommand(change).read(host, change.argv),
});

const LIMITS: RegExp = /^--nofile=(\d+):(\d+)$/;

const KNOWN: readonly KnownCommand[] = [
  {
    matches: (argv) =>
      argv.length === 4 && argv[0] === 'prlimit' && argv[1] === '--pid' && isPid(argv[2]) && LIMITS.test(argv[3] ?? ''),
    text: (argv) => `let process ${argv[2]} open ${LIMITS.exec(argv[3] ?? '')?.[1]} files`,
    dangers: [],
    fit: fitLimits,
    async read(host, argv) {
      const { soft, hard } = await readLimits(host, argv[2] ?? '');
      return `--nofile=${soft}:${hard}`;
    },
    undo: (argv, before) => [['prlimit', '--pid', argv[2] ?? '', before]],
    isDone: (argv, state) => state === argv[3],
  },
  {
    matches: (argv) => argv.length >= 3 && argv[0] === 'kill' && argv[1] === '-CONT' && argv.slice(2).every(isPid),
    text: (argv) => `let process ${argv.slice(2).join(', ')} go on`,
    dangers: ['Somebody may have stopped it on purpose'],
    async read(host, argv) {
      const states = [];
      for (const pid of argv.slice(2)) {
        const stat = await host.readFile(`/proc/${pid}/stat`);
        states.push(/^.*\) (\S)/s.exec(stat)?.[1] === 'T' ? 'stopped' : 'running');
      }
      return states.join(' ');
    },
    undo: (argv, before) => {
      const stopped = argv.slice(2).filter((_, index) => before.split(' ')[index] === 'stopped');
      return stopped.length === 0 ? [] : [['kill', '-STOP', ...stopped]];
    },
    isDone: (_, state) => !state.includes('stopped'),
  },
  {
    matches: (argv) =>
      argv.length === 3 &&
      argv[0] === 'systemctl' &&
      argv[1] === 'thaw' &&
      /^[\w@:.\\][\w@:.\\-]*$/.test(argv[2] ?? ''),
    text: (argv) => `thaw ${argv[2]}`,
    dangers: ['Somebody may have frozen it on purpose'],
    read: async (host, argv) =>
      (await host.run(['systemctl', 'show', '-p', 'FreezerState', '--value', argv[2] ?? ''])).stdout.trim() ||
      'unknown',
    undo: (argv) => [['systemctl', 'freeze', argv[2] ?? '']],
    isDone: (_, state) => state === 'running',
  },
  {
    matches: (argv) => argv[0] === 'conntrack' && argv[1] === '-D' && argv.length > 3,
    text: (argv) => `delete the entries of connection tracking that "${quoteCommand(argv.slice(2))}" selects`,
    dangers: ['Connections that pass by an entry may be cut off'],
    read: async () => 'entries come and go',
    undo: () => 'an entry that was deleted comes back only with the next packet of its connection',
  },
  {
    matches: (argv) => argv[0] === 'arping' && argv[1] === '-U' && argv.length === 7,
    text: (argv) => `announce ${argv[6]} on ${argv[5]}, so that the neighbours learn where it is`,
    dangers: ['If another host has the address, its connections come here'],
    read: async () => 'the neighbours keep what they learn',
    undo: () => 'an announcement cannot be taken back',
  },
  {
    matches: (argv) => argv[0] === 'ss' && argv[1] === '-K' && argv.includes('src') && argv.includes('dst'),
    text: (argv) => `close the old connection ${argv.slice(3).join(' ')}`,
    dangers: ['Whoever still uses that connection loses it'],
    read: async () => 'connections come and go',
    undo: () => 'a connection that was closed does not come back',
  },
];

/** Whether synscope may run a command itself. */
export function isKnownCommand({ argv }: CommandChange): boolean {
  return KNOWN.some(({ matches }) => matches(argv));
}

function knownCommand({ argv }: CommandChange): KnownCommand {
  const known = KNOWN.find(({ matches }) => matches(argv));
  if (known === undefined)
    throw cannot(`"${quoteCommand(argv)}" is for a person to run: synscope does not know how to undo it`);
  return known;
}

function isPid(word: string | undefined): boolean {
  return /^[1-9]\d{0,9}$/.test(word ?? '');
}

/** Soft and hard RLIMIT_NOFILE of a process, as proc(5) prints them. @throws HostError */
async function readLimits(host: Host, pid: string): Promise<{ readonly soft: string; readonly hard: string }> {
  const limits = await host.readFile(`/proc/${pid}/limits`);
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  if (soft === undefined || hard === undefined) throw cannot(`the limits of process ${pid} cannot be read`);
  return { soft, hard };
}

/** CAP_SYS_RESOURCE (linux/capability.h). */
const CAP_SYS_RESOURCE = 24n;

/** The hard limit stays where it is high enough; raising it takes a privilege that root of a container often lacks (setrlimit(2)). */
async function fitLimits(host: Host, argv: readonly string[]): Promise<readonly string[]> {
  const [prlimit = '', flag = '', pid = '', wish = ''] = argv;
  const { soft, hard } = await readLimits(host, pid);
  const wanted = Number(LIMITS.exec(wish)?.[1]);
  const highest = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
  const to = (limits: string): readonly string[] => [prlimit, flag, pid, `--nofile=${limits}`];
  if (wanted <= highest) return to(`${wanted}:${hard}`);
  const status = await host.run(['cat', '/proc/self/status']);
  const capabilities = /^CapEff:\s*([\da-f]+)$/m.exec(status.stdout)?.[1];
  const mayRaise = capabilities === undefined || ((BigInt(`0x${capabilities}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
  if (mayRaise) return argv;
  if (Number(soft) < highest) return to(`${hard}:${hard}`);
  throw cannot(
    `process ${pid} may have ${hard} files open at most, and to raise that limit needs CAP_SYS_RESOURCE, which is missing here`,
    'raise it where the process is started (LimitNOFILE= of its unit, ulimit -Hn), or on the machine outside of the container',
  );
}
