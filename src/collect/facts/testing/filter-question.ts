import { readFileSync } from 'node:fs';
import type { CommandResult } from '../../../host/host.ts';
import type { Attempt } from '../../../model/facts/attempt.ts';
import { type Fact, isUnavailable } from '../../../model/facts/fact.ts';
import type { FilterHit, PacketFilter } from '../../../model/facts/packet-filter.ts';
import { type Facts, gatherFacts, readBaseline } from '../gather.ts';
import { packetFilter } from '../packet-filter.ts';
import { AnsweringHost } from './answering-host.ts';
import { plainFacts } from './filter-scope.ts';

/** The command that lists nftables. */
export const NFT: string = 'nft -j list ruleset';
/** The command that lists what iptables-nft manages. */
const SAVE: string = 'iptables-nft-save -c';

/** Reads a fixture. */
export function fixture(path: string): string {
  return readFileSync(new URL(`../../../../fixtures/${path}`, import.meta.url), 'utf8');
}

/** Answers of a host with rules of iptables-nft. */
export function iptablesFixture(name: string, more: Record<string, string> = {}): Record<string, string> {
  return { [NFT]: fixture(`iptables/${name}.json`), [SAVE]: fixture(`iptables/${name}.save`), ...more };
}

/** The attempt that is asked about: from 198.51.100.20 to 192.0.2.1 unless given. */
export interface Question {
  readonly port: number;
  readonly client?: string;
  readonly server?: string;
  readonly side?: 'server' | 'client';
  readonly observed?: boolean;
  /** What else is different. */
  readonly attempt?: Partial<Attempt>;
}

/** When the clock of the host stood at the first reading, in nanoseconds. */
export const BASELINE_NS: bigint = 1_000_000_000n;

function attemptOf({
  port,
  client = '198.51.100.20',
  server = '192.0.2.1',
  side = 'server',
  observed = false,
  attempt = {},
}: Question): Attempt {
  return {
    side,
    observed,
    captured: observed,
    family: server.includes(':') ? 6 : 4,
    client: { address: client, port: 50204 },
    server: { address: server, port },
    syns: observed ? 1 : 0,
    synAcks: 0,
    sightings: [],
    icmpErrors: [],
    inDevice: 'eth0',
    lastedMs: 0,
    ...attempt,
  };
}

/** Other facts of a host that never saw an invalid packet, so that only what rules say decides. */
function factsFor(attempt: Attempt, more: Facts = {}): Facts {
  return { ...plainFacts(attempt, { port: attempt.server.port }), ...more };
}

/** Output of commands by command line. */
export type Commands = Record<string, string | CommandResult>;

/** What else a host knows. */
export interface More {
  readonly known?: Facts;
  /** What it answered before the watch. */
  readonly before?: Commands;
  readonly files?: Readonly<Record<string, string>>;
  /** Filled with the commands that were asked for after the watch. */
  readonly asked?: string[];
}

/** The fact that a host gives that answers so. */
export async function filterOf(commands: Commands, question: Question, more: More = {}): Promise<PacketFilter> {
  const fact = await filterFactOf(commands, question, more);
  if (isUnavailable(fact)) throw new Error(fact.reason);
  return fact.value;
}

/** The same, also when it cannot be had. */
export async function filterFactOf(
  commands: Commands,
  question: Question,
  { known = {}, before, files = {}, asked = [] }: More = {},
): Promise<Fact<PacketFilter>> {
  const attempt = attemptOf(question);
  const scope = { side: attempt.side, port: attempt.server.port };
  const baseline =
    before === undefined
      ? undefined
      : await readBaseline(
          new AnsweringHost({ commands: before, files, nowMs: Number(BASELINE_NS) / 1e6 }),
          [packetFilter],
          scope,
        );
  const host = new AnsweringHost({ commands, files });
  const facts = await gatherFacts(
    host,
    [packetFilter],
    { ...scope, attempt, known: factsFor(attempt, known) },
    baseline,
  );
  asked.push(...host.asked);
  if (facts.packetFilter === undefined) throw new Error('the fact was not made');
  return facts.packetFilter;
}

/** Hits in short: the packet, the verdict, how sure, and the text. */
export function short(filter: PacketFilter, packet: FilterHit['packet'] = 'syn-in'): string[] {
  return filter.hits
    .filter((hit) => hit.packet === packet)
    .map(({ verdict, certainty, conditions, text }) => `${verdict} ${certainty} [${conditions.join(' ')}] ${text}`);
}
