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
export interface ServerRecord extends ServerHistory {
  readonly words: Int32Array;
  readonly ipv6: boolean;
  readonly port: number;
  attempts: number;
  established: number;
  answerTtl?: number;
  fastestAnswerNs?: number;
  /** Set once two SYN-ACKs had different TTLs: then the TTL says nothing. */
  ttlVaries: boolean;
}

/** More servers than this are lumped together: a scan of a whole network must not take the memory. */
const MAX_SERVERS = 50_000;
/** The fastest answer and the TTL are taken from the first so many answered attempts of a server. */
const SAMPLED_ANSWERS = 256;

/** All servers of one capture. */
export class ServerRecords {
  private readonly byHash = new Map<number, ServerRecord[]>();
  private known = 0;
  /** Everything beyond the most servers that are told apart. */
  private readonly others: ServerRecord = createRecord(new Int32Array(4), false, 0);

  /** The record of a row's server, made when new. */
  of({ rows }: AttemptTable, row: number): ServerRecord {
    const base = row * ROW;
    const server = base + ROW_SERVER;
    const port = rows[base + ROW_PORTS]! & 0xffff;
    const ipv6 = (rows[base + ROW_STATE]! & STATE_IPV6) !== 0;
    const hash = foldIpv6(rows[server]!, rows[server + 1]!, rows[server + 2]!, rows[server + 3]!) ^ (port << 14);
    const chain = this.byHash.get(hash);
    const found = chain?.find(
      (record) =>
        record.port === port &&
        record.ipv6 === ipv6 &&
        record.words[0] === rows[server] &&
        record.words[1] === rows[server + 1] &&
        record.words[2] === rows[server + 2] &&
        record.words[3] === rows[server + 3],
    );
    if (found !== undefined) return found;
    if (this.known >= MAX_SERVERS) return this.others;
    this.known++;
    const record = createRecord(rows.slice(server, server + 4), ipv6, port);
    if (chain === undefined) this.byHash.set(hash, [record]);
    else chain.push(record);
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
      noteTtl(record, (info >>> 8) & 255);
      const tookNs = timeNs - asked;
      if (asked >= 0 && tookNs < (record.fastestAnswerNs ?? Number.POSITIVE_INFINITY)) record.fastestAnswerNs = tookNs;
      return;
    }
    if (event === last) return;
  }
}

function noteTtl(record: ServerRecord, ttl: number): void {
  if (record.ttlVaries) return;
  if (record.answerTtl === undefined) {
    record.answerTtl = ttl;
  } else if (record.answerTtl !== ttl) {
    record.ttlVaries = true;
    delete record.answerTtl;
  }
}

function createRecord(words: Int32Array, ipv6: boolean, port: number): ServerRecord {
  return { words, ipv6, port, attempts: 0, established: 0, ttlVaries: false };
}
