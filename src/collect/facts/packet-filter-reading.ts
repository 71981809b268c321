import { type IpSet, parseIpsetSave } from '../../formats/iptables/ipset.ts';
import { type IptablesTable, parseIptablesSave } from '../../formats/iptables/save-file.ts';
import { usedIpsets } from '../../formats/iptables/tables.ts';
import { type ChainDevices, lacksDevices, parseChainDevices } from '../../formats/nft/chain-devices.ts';
import { type NftDump, parseNftDump } from '../../formats/nft/dump.ts';
import { foreignFamilies } from '../../formats/nft/foreign.ts';
import { type CommandResult, type Host, HostError, type RunOptions } from '../../host/host.ts';
import { readFileIfAny } from '../../host/read-files.ts';

/** Tables of one variant of iptables. */
export interface IptablesReading {
  readonly tool: 'iptables' | 'ip6tables' | 'iptables-legacy' | 'ip6tables-legacy';
  readonly family: 4 | 6;
  readonly tables: readonly IptablesTable[];
}

/** All rule sets of netfilter, as they were read at one moment. */
export interface PacketFilterReading {
  readonly nft?: NftDump;
  /** Devices of chains that the JSON of nft leaves out. */
  readonly devices?: ChainDevices;
  readonly iptables: readonly IptablesReading[];
  /** Sets of ipset; absent when no rule asks for one, or they could not be read. */
  readonly ipsets?: ReadonlyMap<string, IpSet>;
  readonly unread: readonly { readonly tool: string; readonly reason: string }[];
  /** The commands that gave it. */
  readonly sources: readonly string[];
  /** When it was complete, by the clock of the host, nanoseconds since 1970. */
  readonly atNs: bigint;
}

const NFT: readonly string[] = ['nft', '-j', 'list', 'ruleset'];
const TERSE: readonly string[] = ['nft', '-j', '-t', 'list', 'ruleset'];
/** Large rule sets take seconds to list. */
const RUN: RunOptions = { timeoutMs: 20_000, maxBytes: 64 << 20 };

/**
 * Reads every rule set of netfilter with as few commands as its contents allow: one when all is native nftables.
 * @throws HostError when nothing can be read.
 */
export async function readPacketFilter(host: Host): Promise<PacketFilterReading> {
  const reader = new Reader(host);
  const [nft, names4 = '', names6 = ''] = await Promise.all([
    reader.nft(),
    readFileIfAny(host, '/proc/net/ip_tables_names'),
    readFileIfAny(host, '/proc/net/ip6_tables_names'),
  ]);
  const devices = nft !== undefined && lacksDevices(nft) ? await reader.devices() : undefined;
  const foreign = nft === undefined ? new Set<string>() : foreignFamilies(nft);
  const iptables: IptablesReading[] = [];
  for (const [family, names] of [
    [4, names4],
    [6, names6],
  ] as const) {
    const hasLegacy = names.trim() !== '';
    if (nft === undefined ? !hasLegacy : foreign.has(family === 4 ? 'ip' : 'ip6')) {
      const reading = await reader.iptables(family, 'nft', nft !== undefined);
      if (reading !== undefined) iptables.push(reading);
    }
    if (hasLegacy) {
      const reading = await reader.iptables(family, 'legacy', true);
      if (reading !== undefined) iptables.push(reading);
    }
  }
  if (nft === undefined && iptables.length === 0) reader.giveUp();
  const ipsets = iptables.some(({ tables }) => usedIpsets(tables).size > 0) ? await reader.ipsets() : undefined;
  return {
    ...(nft === undefined ? {} : { nft }),
    ...(devices === undefined ? {} : { devices }),
    iptables,
    ...(ipsets === undefined ? {} : { ipsets }),
    unread: reader.unread,
    sources: reader.sources,
    atNs: await host.nowNs(),
  };
}

/** What a command printed, or why it printed nothing. */
type Answer =
  | { readonly text: string }
  | { readonly problem: string; readonly missing: boolean; readonly tooMuch?: boolean };

class Reader {
  readonly unread: { readonly tool: string; readonly reason: string }[] = [];
  readonly sources: string[] = [];
  private readonly host: Host;
  private failure: HostError | undefined;

  constructor(host: Host) {
    this.host = host;
  }

  /** The rule set of nf_tables; undefined without the program. */
  async nft(): Promise<NftDump | undefined> {
    const answer = await this.run(NFT);
    if ('problem' in answer) {
      if (answer.tooMuch) return this.terse(answer.problem);
      if (!answer.missing) this.miss('nft', answer.problem);
      else if (/^nf_tables /m.test((await readFileIfAny(this.host, '/proc/modules')) ?? '')) {
        this.miss('nft', 'nf_tables is loaded, and nft is not installed');
      }
      return undefined;
    }
    const dump = parseNftDump(answer.text);
    if (dump === undefined) this.miss('nft', 'the output of "nft -j list ruleset" is not understood');
    return dump;
  }

  /** Rules without the elements of named sets, which may be millions; what hangs on them stays in doubt. */
  private async terse(problem: string): Promise<NftDump | undefined> {
    const answer = await this.run(TERSE);
    const dump = 'problem' in answer ? undefined : parseNftDump(answer.text, { terse: true });
    this.miss(dump === undefined ? 'nft' : 'nft sets', problem);
    return dump;
  }

  /** The text form, for the devices of chains. */
  async devices(): Promise<ChainDevices | undefined> {
    const answer = await this.run(['nft', '-t', 'list', 'ruleset']);
    return 'problem' in answer ? undefined : parseChainDevices(answer.text);
  }

  async ipsets(): Promise<ReadonlyMap<string, IpSet> | undefined> {
    const answer = await this.run(['ipset', 'save']);
    if ('text' in answer) return parseIpsetSave(answer.text);
    this.miss('ipset', answer.problem);
    return undefined;
  }

  /** Tables of one variant; a host with only one variant has it under the plain name. */
  async iptables(family: 4 | 6, variant: 'nft' | 'legacy', mustExist: boolean): Promise<IptablesReading | undefined> {
    const plain = family === 4 ? 'iptables' : 'ip6tables';
    const tool = variant === 'nft' ? plain : (`${plain}-legacy` as const);
    let answer = await this.run([`${plain}-${variant}-save`, '-c']);
    if ('problem' in answer && answer.missing) answer = await this.run([`${plain}-save`, '-c']);
    if ('text' in answer) return { tool, family, tables: parseIptablesSave(answer.text) };
    if (mustExist || !answer.missing) this.miss(tool, answer.problem);
    return undefined;
  }

  /** @throws HostError that says why nothing could be read. */
  giveUp(): never {
    throw (
      this.failure ??
      new HostError('not-found', 'no program that lists the rules of the packet filter is installed', {
        hint: 'install nftables',
      })
    );
  }

  private async run(argv: readonly string[]): Promise<Answer> {
    let result: CommandResult;
    try {
      result = await this.host.run(argv, RUN);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      const missing = error.code === 'not-found';
      if (!missing) this.failure ??= error;
      // It took too long, or wrote too much.
      const tooMuch = error.code === 'timed-out' || error.code === 'failed';
      return { problem: error.message, missing, tooMuch };
    }
    if (result.exitCode === 0) {
      this.sources.push(argv.join(' '));
      return { text: result.stdout };
    }
    this.failure ??= failureOf(argv, result);
    const said = result.stderr.trim().split('\n')[0] ?? '';
    return { problem: said === '' ? `it ended with ${result.exitCode}` : said.slice(0, 200), missing: false };
  }

  private miss(tool: string, reason: string): void {
    this.unread.push({ tool, reason });
  }
}

function failureOf(argv: readonly string[], { stderr, exitCode }: CommandResult): HostError {
  if (/not permitted|permission denied|must be root|you need to be root/i.test(stderr)) {
    return new HostError('no-permission', 'the rules of the packet filter may only be listed by root', {
      hint: 'run as root',
    });
  }
  if (/json support not compiled/i.test(stderr)) {
    return new HostError('failed', 'nft was built without JSON support', {
      hint: 'install an nft that was built with it',
    });
  }
  const said = stderr.trim().split('\n')[0] ?? '';
  const how = said === '' ? `ended with ${exitCode}` : `failed: ${said.slice(0, 200)}`;
  return new HostError('failed', `"${argv.join(' ')}" ${how}`);
}
