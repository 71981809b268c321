import {
  type AttemptTable,
  EVENT,
  EVENT_INFO,
  EVENT_NEXT,
  KIND_SYN,
  KIND_SYN_ACK,
  ROW,
  ROW_FIRST_EVENT,
  ROW_LAST_EVENT,
  ROW_PORTS,
  ROW_SERVER,
  ROW_STATE,
  STATE_IPV6,
} from '../handshake/attempt-table.ts';
import { foldIpv6 } from '../handshake/flow-index.ts';
import type { ServerHistory } from './capture-context.ts';

/** What the attempts to one address and port of a capture have shown so far. */
export interface ServerRecord {
  readonly words: Int32Array;
  readonly ipv6: boolean;
  readonly port: number;
  attempts: number;
  established: number;
  fastestAnswerNs?: number;
  readonly ttl: TtlRecord;
  /** Shared by all ports of the address. */
  readonly hostTtls: TtlRecord;
}

/** The TTL of a host's SYN-ACKs; it says nothing once two of them differ. */
interface TtlRecord {
  value?: number;
  varies: boolean;
}

/** More servers than this are lumped together: a scan of a whole network must not take the memory. */
const MAX_SERVERS = 50_000;
/** The fastest answer and the TTL are taken from the first so many answered attempts of a server. */
const SAMPLED_ANSWERS = 256;

/** All servers of one capture. */
export class ServerRecords {
  private readonly byHash = new Map<number, ServerRecord[]>();
  private readonly hosts = new Map<number, ServerRecord[]>();
  private known = 0;
  /** Everything beyond the most servers that are told apart. */
  private readonly others: ServerRecord = createRecord(new Int32Array(4), false, 0, { varies: true });

  /** The record of a row's server, made when new. */
  of({ rows }: AttemptTable, row: number): ServerRecord {
    const base = row * ROW;
    const server = base + ROW_SERVER;
    const port = rows[base + ROW_PORTS]! & 0xffff;
    const ipv6 = (rows[base + ROW_STATE]! & STATE_IPV6) !== 0;
    const hostHash = foldIpv6(rows[server]!, rows[server + 1]!, rows[server + 2]!, rows[server + 3]!);
    const hash = hostHash ^ (port << 14);
    const chain = this.byHash.get(hash);
    const found = chain?.find((record) => record.port === port && isHost(record, rows, server, ipv6));
    if (found !== undefined) return found;
    if (this.known >= MAX_SERVERS) return this.others;
    this.known++;
    const ports = this.hosts.get(hostHash);
    const hostTtls = ports?.find((other) => isHost(other, rows, server, ipv6))?.hostTtls ?? { varies: false };
    const record = createRecord(rows.slice(server, server + 4), ipv6, port, hostTtls);
    if (chain === undefined) this.byHash.set(hash, [record]);
    else chain.push(record);
    // One port of each address is enough to find what its ports share.
    if (ports === undefined) this.hosts.set(hostHash, [record]);
    else if (!ports.some((other) => isHost(other, rows, server, ipv6))) ports.push(record);
    return record;
  }

  /** Whether a record stands for all the servers beyond the limit. */
  isOverflow(record: ServerRecord): boolean {
    return record === this.others;
  }
}

/** Takes one ended attempt into the record of its server. */
export function noteAttempt(record: ServerRecord, table: AttemptTable, row: number, established: boolean): void {
  record.attempts++;
  if (!established) return;
  record.established++;
  if (record.established <= SAMPLED_ANSWERS) noteAnswer(record, table, row);
}

function noteAnswer(record: ServerRecord, { rows, events, eventTimes }: AttemptTable, row: number): void {
  const base = row * ROW;
  const last = rows[base + ROW_LAST_EVENT]!;
  let asked = -1;
  for (let event = rows[base + ROW_FIRST_EVENT]!; event !== 0; event = events[event * EVENT + EVENT_NEXT]!) {
    const info = events[event * EVENT + EVENT_INFO]!;
    const toServer = (info & 16) !== 0;
    const timeNs = eventTimes[event * (EVENT / 2)]!;
    if ((info & 15) === KIND_SYN && toServer) asked = timeNs;
    if ((info & 15) === KIND_SYN_ACK && !toServer) {
      noteTtl(record.ttl, (info >>> 8) & 255);
      noteTtl(record.hostTtls, (info >>> 8) & 255);
      const tookNs = timeNs - asked;
      if (asked >= 0 && tookNs < (record.fastestAnswerNs ?? Number.POSITIVE_INFINITY)) record.fastestAnswerNs = tookNs;
      return;
    }
    if (event === last) return;
  }
}

function noteTtl(record: TtlRecord, ttl: number): void {
  if (record.varies) return;
  if (record.value === undefined) {
    record.value = ttl;
  } else if (record.value !== ttl) {
    record.varies = true;
    delete record.value;
  }
}

/** What the judge is told of a server. */
export function historyOf({ attempts, established, ttl, hostTtls, fastestAnswerNs }: ServerRecord): ServerHistory {
  return {
    attempts,
    established,
    ...(ttl.value === undefined ? {} : { answerTtl: ttl.value }),
    ...(hostTtls.value === undefined ? {} : { hostTtl: hostTtls.value }),
    ...(fastestAnswerNs === undefined ? {} : { fastestAnswerNs }),
  };
}

function isHost(record: ServerRecord, rows: Int32Array, at: number, ipv6: boolean): boolean {
  const { words } = record;
  return (
    record.ipv6 === ipv6 &&
    words[0] === rows[at] &&
    words[1] === rows[at + 1] &&
    words[2] === rows[at + 2] &&
    words[3] === rows[at + 3]
  );
}

function createRecord(words: Int32Array, ipv6: boolean, port: number, hostTtls: TtlRecord): ServerRecord {
  return { words, ipv6, port, attempts: 0, established: 0, ttl: { varies: false }, hostTtls };
}
