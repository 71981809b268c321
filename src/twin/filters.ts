import { spawnSync } from 'node:child_process';
import { type CommandResult, type Host, HostError } from '../host/host.ts';
import { canRunQuickly, runQuicklySync } from '../host/quick-process.ts';
import { hasState, isUntrusted, type NftInput, nftInput } from './filter-text.ts';
import type { Notes } from './notes.ts';
import type { HostState, SavedRules } from './state.ts';

const TIMEOUT_MS = 60_000;
const MAX_BYTES = 64 << 20;
/** Without privileges on the machine its own lock cannot be opened; nobody else changes these rules. */
const OWN_LOCK = ['env', 'XTABLES_LOCKFILE=/dev/null'];

/** The rules of netfilter in the twin. */
export class Filters {
  /** Some of them keep state that packets use up. */
  readonly hasState: boolean;
  private readonly state: HostState;
  private readonly nft: NftInput | undefined;
  private readonly notes: Notes;

  constructor(state: HostState, notes: Notes) {
    this.state = state;
    this.notes = notes;
    this.hasState = hasState(state);
    const nft = nftInput(state);
    if (nft !== undefined && isUntrusted(nft.text)) notes.missing('rules of nftables: they name files to include');
    else this.nft = nft;
  }

  /** Rules of nftables, also of iptables-nft. */
  get hasNft(): boolean {
    return this.nft !== undefined || this.state.iptables.some(({ tool }) => tool.endsWith('-nft'));
  }

  /** Loads everything into a namespace that has none of it. */
  async load(host: Host): Promise<void> {
    const { ipsets, iptables } = this.state;
    if (ipsets !== undefined) await this.restore(host, 'sets of ipset', [['ipset', 'restore']], ipsets);
    // Two programs at once could refuse each other.
    for (const saved of iptables) {
      if (isUnsafe(saved)) this.notes.missing(`rules of ${saved.tool}: they name files`);
      else await this.restore(host, `rules of ${saved.tool}`, restoreCommands(saved), saved.text);
    }
    if (this.nft !== undefined) await this.loadNft(host, this.nft);
  }

  /** Loads everything anew, while the process waits. */
  reload(): void {
    if (this.hasNft) {
      runSync(['nft', 'flush', 'ruleset']);
    }
    for (const saved of this.state.iptables) {
      if (isUnsafe(saved)) continue;
      for (const argv of restoreCommands(saved)) if (runSync(argv, saved.text).exitCode === 0) break;
    }
    if (this.nft !== undefined) runSync(nftCommand(this.nft), this.nft.text);
  }

  private async loadNft(host: Host, nft: NftInput): Promise<void> {
    const whole = await attempt(host, nftCommand(nft), nft.text);
    if (whole === undefined) return;
    if (nft.pieces.length < 2) {
      this.notes.missing(`${nft.pieces[0]?.name ?? 'rules of nftables'}: ${whole}`);
      return;
    }
    for (const { name, text } of nft.pieces) {
      const said = await attempt(host, nftCommand(nft), text);
      if (said !== undefined) this.notes.missing(`${name}: ${said}`);
    }
  }

  private async restore(
    host: Host,
    what: string,
    commands: readonly (readonly string[])[],
    input: string,
  ): Promise<void> {
    let said: string | undefined;
    for (const argv of commands) {
      said = await attempt(host, argv, input);
      if (said === undefined) return;
    }
    this.notes.missing(`${what}: ${said}`);
  }
}

/** Runs a program while the process waits. */
export function runSync(argv: readonly string[], input?: string): CommandResult {
  const environment = { ...process.env, LC_ALL: 'C' };
  if (!canRunQuickly()) return spawnAndWait(argv, environment, input);
  const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, maxStderrBytes: MAX_BYTES };
  try {
    const name = argv[0] ?? '';
    return runQuicklySync({ argv, name, environment, ...limits, ...(input === undefined ? {} : { input }) });
  } catch (error) {
    if (error instanceof HostError) return { exitCode: 127, stdout: '', stderr: error.message };
    throw error;
  }
}

function spawnAndWait(argv: readonly string[], env: NodeJS.ProcessEnv, input?: string): CommandResult {
  const [program = '', ...rest] = argv;
  const { status, stdout, stderr, error } = spawnSync(program, rest, {
    ...(input === undefined ? {} : { input }),
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_BYTES,
    env,
  });
  if (error !== undefined) return { exitCode: 127, stdout: '', stderr: error.message };
  return { exitCode: status ?? 128, stdout, stderr };
}

/** What went wrong, in the words of the program; undefined when nothing did. */
async function attempt(host: Host, argv: readonly string[], input: string): Promise<string | undefined> {
  try {
    const { exitCode, stderr } = await host.run(argv, { input, timeoutMs: TIMEOUT_MS });
    if (exitCode === 0) return undefined;
    return stderr.trim().split('\n')[0]?.slice(0, 200) ?? `${argv[0]} ended with ${exitCode}`;
  } catch (error) {
    if (error instanceof HostError) return error.message;
    throw error;
  }
}

function nftCommand({ form }: NftInput): readonly string[] {
  // With -j it opens /dev/stdin once more, which a socket, as Node gives one, does not allow.
  return form === 'json' ? ['sh', '-c', 'cat | nft -j -f -'] : ['nft', '-f', '-'];
}

/** A machine with only one variant of iptables has it under the plain name. */
function restoreCommands({ tool }: SavedRules): readonly (readonly string[])[] {
  const plain = tool.replace(/-.*$/, '');
  return [
    [...OWN_LOCK, `${tool}-restore`, '-c'],
    [...OWN_LOCK, `${plain}-restore`, '-c'],
  ];
}

/** Names of extensions become names of files. */
function isUnsafe({ text }: SavedRules): boolean {
  return /(?:^|\s)(?:-m|-j|-g|--match|--jump|--goto)\s+\S*\//m.test(text);
}
