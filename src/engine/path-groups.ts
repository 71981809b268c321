import { ROW, ROW_CLIENT, ROW_PORTS, ROW_SERVER } from '../handshake/attempt-layout.ts';
import { hashAddress, sameWords } from '../handshake/compare/hash-chains.ts';
import type { Diagnosis, Group } from '../model/diagnosis.ts';
import { formatHost } from '../model/flow.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { PATH_LOCATIONS, type PathLocation, type PathVerdict } from '../model/path.ts';
import { formatCount, formatQuantity } from '../model/text.ts';

/** An attempt that could stand for its group; its diagnosis when that was made anyway. */
interface PathExample {
  readonly story: number;
  readonly rank: number;
  readonly diagnosis: Diagnosis | undefined;
}

/** Attempts of one server that died at the same place, while they are gathered. */
export interface PathGroup {
  readonly rows: Int32Array;
  /** Where the server's address stands in `rows`. */
  readonly serverAt: number;
  readonly port: number;
  readonly location: PathLocation;
  readonly outcome: Outcome;
  readonly clients: Set<number>;
  readonly examples: PathExample[];
  count: number;
  firstNs: number;
  lastNs: number;
}

const MAX_EXAMPLES = 3;
const RANKS: Readonly<Record<PathVerdict['confidence'], number>> = { certain: 100, likely: 50, guess: 0 };

/** Gathers judged attempts into groups. */
export class PathGroups {
  private readonly byHash = new Map<number, PathGroup[]>();

  /** Adds one attempt; `row` is where the capture nearest to the client has it, times are on the clock of the first capture. */
  add(
    attempt: { story: number; rows: Int32Array; row: number; firstNs: number; lastNs: number; syns: number },
    {
      location,
      confidence,
      outcome,
    }: { location: PathLocation; confidence: PathVerdict['confidence']; outcome: Outcome },
    diagnosis?: Diagnosis,
  ): void {
    const { rows, story, firstNs, lastNs } = attempt;
    const base = attempt.row * ROW;
    const port = rows[base + ROW_PORTS]! & 0xffff;
    const hash =
      hashAddress(rows, base + ROW_SERVER) ^
      (port << 8) ^
      (PATH_LOCATIONS.indexOf(location) << 4) ^
      OUTCOMES.indexOf(outcome);
    let bucket = this.byHash.get(hash);
    if (bucket === undefined) {
      bucket = [];
      this.byHash.set(hash, bucket);
    }
    let group = bucket.find(
      (one) =>
        one.port === port &&
        one.location === location &&
        one.outcome === outcome &&
        sameWords(one.rows, one.serverAt, rows, base + ROW_SERVER),
    );
    if (group === undefined) {
      const serverAt = base + ROW_SERVER;
      const times = { firstNs, lastNs };
      group = { rows, serverAt, port, location, outcome, clients: new Set(), examples: [], count: 0, ...times };
      bucket.push(group);
    }
    group.count++;
    group.clients.add(hashAddress(rows, base + ROW_CLIENT));
    group.firstNs = Math.min(group.firstNs, firstNs);
    group.lastNs = Math.max(group.lastNs, lastNs);
    keepClearest(group.examples, { story, rank: RANKS[confidence] + Math.min(attempt.syns, 8), diagnosis });
  }

  /** Everything gathered: most frequent first, what worked in the end and what cannot be told last. */
  all(): PathGroup[] {
    const order = ({ location }: PathGroup): number => (location === 'late' ? 1 : location === 'unmatched' ? 2 : 0);
    return [...this.byHash.values()]
      .flat()
      .sort(
        (a, b) =>
          order(a) - order(b) ||
          b.count - a.count ||
          PATH_LOCATIONS.indexOf(a.location) - PATH_LOCATIONS.indexOf(b.location) ||
          a.firstNs - b.firstNs,
      );
  }
}

function keepClearest(examples: PathExample[], one: PathExample): void {
  if (examples.length === MAX_EXAMPLES && one.rank <= examples.at(-1)!.rank) return;
  const at = examples.findIndex(({ rank }) => rank < one.rank);
  examples.splice(at < 0 ? examples.length : at, 0, one);
  examples.length = Math.min(examples.length, MAX_EXAMPLES);
}

/** Turns a gathered group into what reports show. */
export function pathGroup(group: PathGroup, examples: readonly Diagnosis[], toNs: (ns: number) => bigint): Group {
  const first = examples[0]!;
  const { address, port } = first.handshake.server;
  const clients = group.clients.size;
  return {
    sentence: group.count === 1 ? first.sentence : groupSentence(group, first),
    kind: 'alike',
    server: { address, port },
    outcome: group.outcome,
    location: group.location,
    count: group.count,
    clients,
    firstNs: toNs(group.firstNs),
    lastNs: toNs(group.lastNs),
    examples,
  };
}

function groupSentence({ count, clients, location, port }: PathGroup, example: Diagnosis): string {
  const server = `${formatHost(example.handshake.server.address)}:${port}`;
  const from =
    clients.size === 1
      ? ` from ${example.handshake.client.address}`
      : ` from ${formatQuantity(clients.size, 'client')}`;
  return `${formatCount(count)} attempts${from} to ${server} ${fateOf(location, example.path?.between)}.`;
}

/** What became of attempts, after "they". */
export function fateOf(location: PathLocation, between?: readonly [string, string]): string {
  const place = between === undefined ? '' : ` between ${between[0]} and ${between[1]}`;
  switch (location) {
    case 'lost-before-server':
      return `were lost before the server${place}`;
    case 'server-silent':
      return 'reached the server, which stayed silent';
    case 'answer-lost':
      return `were answered, and the answer was lost on the way back${place}`;
    case 'final-ack-lost':
      return `failed because the final ACK was lost${place}`;
    case 'refused-by-server':
      return 'were refused by the server itself';
    case 'refused-by-middlebox':
      return `were refused by something${place === '' ? ' in between' : place}, not by the server`;
    case 'icmp-from-router':
      return 'were turned away by a router with an ICMP error';
    case 'icmp-from-server':
      return "were turned away by the server's host with an ICMP error";
    case 'client-rejected-answer':
      return 'failed because the client did not accept the answer';
    case 'late':
      return 'worked, but late: packets had to be repeated';
    case 'established':
      return 'worked';
    case 'unmatched':
      return 'failed, and the captures do not show where';
  }
}
