import type { Endpoint } from '../model/flow.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { estimateDistinct } from './distinct.ts';
import { addressAt } from './materialize.ts';
import { isFailure, OUTCOME_RULES } from './outcome.ts';
import {
  AT_GROUPS,
  AT_HOPS,
  AT_LATE,
  AT_OMITTED,
  AT_OUTCOMES,
  AT_RULES,
  AT_TRAITS,
  AT_UNION,
  ESTIMATE_BYTES,
  ESTIMATES_OFFSET,
  GROUP,
  GROUP_CLIENTS,
  GROUP_COUNT,
  GROUP_EXAMPLE,
  GROUP_EXAMPLES,
  GROUP_FIRST,
  GROUP_KNOWN,
  GROUP_LAST,
  GROUP_OUTCOME,
  GROUP_SERVER,
  GROUP_SINGLE,
  GROUPS_OFFSET,
  HOST,
  HOST_TTL,
  HOSTS_OFFSET,
  SERVER,
  SERVER_ATTEMPTS,
  SERVER_ESTABLISHED,
  SERVER_FASTEST,
  SERVER_HOST,
  SERVER_IPV6,
  SERVER_PORT,
  SERVER_TTL,
  SERVERS_OFFSET,
  TRAIT_BY_ERROR,
  TRAIT_BY_RESET,
  TRAIT_ESTABLISHED,
  TRAIT_FAILURE,
  USED_RECORDS,
} from './tally-layout.ts';
import { hopsAway } from './vantage.ts';

/** What is counted of attempts as they end. */
export interface TallyOptions {
  /** Shows established attempts as well. */
  readonly all: boolean;
  /** Leaves out everything that did not fail, also late and undecided attempts. */
  readonly failedOnly: boolean;
  /** Most attempts that are shown by themselves; groups and counts stay complete. */
  readonly limit: number;
}

/** What the attempts to one server have shown so far. */
export interface ServerHistory {
  /** Attempts to this address and port that have ended so far, and how many of them were established. */
  readonly attempts: number;
  readonly established: number;
  /** TTL of its SYN-ACKs, when they all agree. */
  readonly answerTtl?: number;
  /** TTL of the SYN-ACKs of any port of its address, when they all agree. */
  readonly hostTtl?: number;
  /** Shortest time from a SYN to its SYN-ACK. */
  readonly fastestAnswerNs?: number;
}

/** What the scan (`wasm/tally.ts`) counted of the attempts that are over: by outcome, by server, and in groups that ended alike. */
export class Tally {
  private readonly words: Int32Array;
  private readonly floats: Float64Array;
  /** Where the tables lie, in words. */
  private readonly servers: number;
  private readonly hosts: number;
  private readonly firstGroup: number;
  /** Where the registers of estimates lie, in words. */
  private readonly estimates: number;

  private readonly unite: (group: number) => void;

  /**
   * @param at where the tables lie in the memory of the scan, in bytes.
   * @param unite adds the clients of a group to the estimate at {@link AT_UNION}.
   */
  constructor(memory: SharedArrayBuffer, at: number, unite: (group: number) => void) {
    this.unite = unite;
    this.words = new Int32Array(memory);
    this.floats = new Float64Array(memory);
    this.servers = (at + SERVERS_OFFSET) / 4;
    this.hosts = (at + HOSTS_OFFSET) / 4;
    this.firstGroup = (at + GROUPS_OFFSET) / 4;
    this.estimates = (at + ESTIMATES_OFFSET) / 4;
  }

  /** How many attempts had an outcome. */
  count(outcome: Outcome): number {
    return this.floats[AT_OUTCOMES / 8 + OUTCOMES.indexOf(outcome)]!;
  }

  /** Attempts that were established, but only after something was repeated. */
  get late(): number {
    return this.floats[AT_LATE / 8]!;
  }

  /** Attempts that were not shown because of the limit. */
  get omitted(): number {
    return this.floats[AT_OMITTED / 8]!;
  }

  /** Address and port of a server. */
  endpoint(server: number): Endpoint {
    const at = this.servers + server * SERVER;
    return {
      address: addressAt(this.words, at, this.words[at + SERVER_IPV6] === 1),
      port: this.words[at + SERVER_PORT]!,
    };
  }

  /** What is known of a server. */
  history(server: number): ServerHistory {
    const { words } = this;
    const at = this.servers + server * SERVER;
    const ttl = words[at + SERVER_TTL]!;
    const hostTtl = words[this.hosts + words[at + SERVER_HOST]! * HOST + HOST_TTL]!;
    const fastest = ttl === 0 ? Number.POSITIVE_INFINITY : this.floats[(at + SERVER_FASTEST) / 2]!;
    return {
      attempts: words[at + SERVER_ATTEMPTS]!,
      established: words[at + SERVER_ESTABLISHED]!,
      ...(ttl <= 0 ? {} : { answerTtl: ttl - 1 }),
      ...(hostTtl <= 0 ? {} : { hostTtl: hostTtl - 1 }),
      ...(fastest === Number.POSITIVE_INFINITY ? {} : { fastestAnswerNs: fastest }),
    };
  }

  /** How many clients some groups had together: one that was in several of them counts once. */
  clientsOf(groups: readonly AttemptGroup[]): ClientCount {
    const listed = groups.reduce((sum, group) => sum + (group.listedClients ?? Number.POSITIVE_INFINITY), 0);
    if (listed <= COUNTED_CLIENTS) {
      return { count: new Set(groups.flatMap((group) => group.clientWords)).size, isExact: true };
    }
    const union = this.words.subarray(AT_UNION / 4, (AT_UNION + ESTIMATE_BYTES) / 4).fill(0);
    const attempts = groups.reduce((sum, group) => {
      this.unite((group.at - this.firstGroup) / GROUP);
      return sum + group.count;
    }, 0);
    return { count: Math.min(attempts, estimateDistinct(union)), isExact: false };
  }

  /** Every group, in order of first appearance. */
  groups(): AttemptGroup[] {
    const { words, floats, firstGroup, estimates } = this;
    const memory: GroupMemory = { words, floats, estimates };
    return Array.from(
      { length: words[AT_GROUPS / 4 + USED_RECORDS]! },
      (_, group) => new AttemptGroup(memory, firstGroup + group * GROUP),
    );
  }
}

/** How many clients there were. */
export interface ClientCount {
  readonly count: number;
  /** Otherwise it is an estimate: within 5 % or so. */
  readonly isExact: boolean;
}

/** So many clients are counted one by one when groups are taken together. */
const COUNTED_CLIENTS = 2000;

/** Where groups lie; the registers of estimates from a word on. */
interface GroupMemory {
  readonly words: Int32Array;
  readonly floats: Float64Array;
  readonly estimates: number;
}

/** Attempts to one server that ended alike. Read where they are: there can be hundreds of thousands of groups. */
export class AttemptGroup {
  private readonly memory: GroupMemory;
  /** Its first word. */
  readonly at: number;

  constructor(memory: GroupMemory, at: number) {
    this.memory = memory;
    this.at = at;
  }

  /** Number of the server: see {@link Tally.endpoint}. */
  get server(): number {
    return this.word(GROUP_SERVER);
  }

  get outcome(): Outcome {
    return OUTCOMES[this.word(GROUP_OUTCOME)]!;
  }

  get count(): number {
    return this.word(GROUP_COUNT);
  }

  /** How many clients it is of. */
  get clients(): ClientCount {
    const listed = this.listedClients;
    if (listed !== undefined) return { count: listed, isExact: true };
    const { words, estimates } = this.memory;
    const first = estimates + (~this.word(GROUP_KNOWN) * ESTIMATE_BYTES) / 4;
    const estimated = estimateDistinct(words.subarray(first, first + ESTIMATE_BYTES / 4));
    return { count: Math.min(this.count, estimated), isExact: false };
  }

  /** How many clients it lists; undefined when they are only estimated. */
  get listedClients(): number | undefined {
    const known = this.word(GROUP_KNOWN);
    return known < 0 ? undefined : known;
  }

  /** The clients that it lists, folded to a word each. */
  get clientWords(): number[] {
    const first = this.at + GROUP_CLIENTS;
    return Array.from(this.memory.words.subarray(first, first + (this.listedClients ?? 0)));
  }

  get isOfOneClient(): boolean {
    return this.word(GROUP_KNOWN) === 1;
  }

  /** Attempts without any repeated SYN: floods and scans do not retry. */
  get single(): number {
    return this.word(GROUP_SINGLE);
  }

  /** Start of the first attempt, since the start of the capture. */
  get firstNs(): number {
    return this.memory.floats[(this.at + GROUP_FIRST) / 2]!;
  }

  /** End of the last attempt, since the start of the capture. */
  get lastNs(): number {
    return this.memory.floats[(this.at + GROUP_LAST) / 2]!;
  }

  /** Rows of the clearest attempts, best first. */
  get examples(): readonly number[] {
    const first = this.at + GROUP_EXAMPLE;
    return Array.from(this.memory.words.subarray(first, first + this.word(GROUP_EXAMPLES)));
  }

  private word(word: number): number {
    return this.memory.words[this.at + word]!;
  }
}

/** Writes to where the scan looks for it how an attempt ended by its state, and what matters about each outcome. */
export function writeTallyRules(memory: SharedArrayBuffer): void {
  new Int32Array(memory, AT_RULES, OUTCOME_RULES.length).set(OUTCOME_RULES);
  new Uint8Array(memory, AT_TRAITS, OUTCOMES.length).set(OUTCOMES.map(traitsOf));
  new Uint8Array(memory, AT_HOPS, 256).set(Array.from({ length: 256 }, (_, ttl) => hopsAway(ttl) + 1));
}

function traitsOf(outcome: Outcome): number {
  return (
    (isFailure(outcome) ? TRAIT_FAILURE : 0) |
    (outcome === 'established' ? TRAIT_ESTABLISHED : 0) |
    (outcome === 'unreachable' ? TRAIT_BY_ERROR : 0) |
    (outcome === 'refused' ? TRAIT_BY_RESET : 0)
  );
}
