import {
  EVENT,
  EVENT_INFO,
  KIND_SYN,
  KIND_SYN_ACK,
  ROW,
  ROW_PORTS,
  ROW_SERVER,
  ROW_STATE,
  STATE_IPV6,
} from '../handshake/attempt-layout.ts';
import { type AttemptTable, eventAfter, firstEvent } from '../handshake/attempt-table.ts';
import { foldIpv6 } from '../handshake/fold-address.ts';
import { addressAt } from '../handshake/materialize.ts';
import type { Endpoint } from '../model/flow.ts';
import type { ServerHistory } from './capture-context.ts';
import { ProbeTable } from './probe-table.ts';

/** More servers than this are lumped together: a scan of a whole network must not take the memory. */
const MAX_SERVERS = 50_000;
/** The fastest answer and the TTL are taken from the first so many answered attempts of a server. */
const SAMPLED_ANSWERS = 256;
/** A server: its address, its port, and whether it is IPv6; then what is known of it. */
const KEY = 6;
const KEY_PORT = 4;
const KEY_IPV6 = 5;
const ATTEMPTS = 6;
const ESTABLISHED = 7;
/** Float: shortest time from a SYN to its answer in nanoseconds, once there is a {@link TTL}. */
const FASTEST = 8;
/** TTL of its answers and one, 0 when there is none, or {@link TTL_VARIES}. */
const TTL = 10;
/** Number of its host. */
const HOST = 11;
const SERVER = 12;

/** A host: a server without a port, then the TTL of its answers, coded alike. */
const HOST_TTL = 6;
const HOST_WORDS = 8;

const TTL_VARIES = -1;

/** What the attempts to each address and port of a capture have shown so far; servers are numbers from 0. */
export class ServerHistories {
  private readonly servers = new ProbeTable(MAX_SERVERS, KEY, SERVER);
  private readonly hosts = new ProbeTable(MAX_SERVERS, KEY, HOST_WORDS);
  private readonly key = new Int32Array(KEY);

  /** The server of a row, made when new. Beyond {@link MAX_SERVERS} the last one stands for all others. */
  of({ rows }: AttemptTable, row: number): number {
    const { key } = this;
    const base = row * ROW;
    const at = base + ROW_SERVER;
    key[0] = rows[at]!;
    key[1] = rows[at + 1]!;
    key[2] = rows[at + 2]!;
    key[3] = rows[at + 3]!;
    key[KEY_IPV6] = (rows[base + ROW_STATE]! & STATE_IPV6) === 0 ? 0 : 1;
    key[KEY_PORT] = rows[base + ROW_PORTS]! & 0xffff;
    const hash = foldIpv6(key[0]!, key[1]!, key[2]!, key[3]!);
    const known = this.servers.used;
    const server = this.servers.find(key, hash ^ Math.imul(key[KEY_PORT]!, 0x9e3779b1));
    if (server === known) {
      key[KEY_PORT] = 0;
      this.servers.records[server * SERVER + HOST] = this.hosts.find(key, hash);
    }
    return server;
  }

  /** Takes one ended attempt to a server. */
  note(server: number, table: AttemptTable, row: number, established: boolean): void {
    const { records } = this.servers;
    const at = server * SERVER;
    records[at + ATTEMPTS]!++;
    if (established && records[at + ESTABLISHED]!++ < SAMPLED_ANSWERS) this.noteAnswer(at, table, row);
  }

  /** Address and port of a server. */
  endpoint(server: number): Endpoint {
    const { records } = this.servers;
    const at = server * SERVER;
    return { address: addressAt(records, at, records[at + KEY_IPV6] === 1), port: records[at + KEY_PORT]! };
  }

  /** What the judge is told of a server. */
  history(server: number): ServerHistory {
    const { records, floats } = this.servers;
    const at = server * SERVER;
    const ttl = records[at + TTL]!;
    const hostTtl = this.hosts.records[records[at + HOST]! * HOST_WORDS + HOST_TTL]!;
    const fastest = ttl === 0 ? Number.POSITIVE_INFINITY : floats[(at + FASTEST) / 2]!;
    return {
      attempts: records[at + ATTEMPTS]!,
      established: records[at + ESTABLISHED]!,
      ...(ttl <= 0 ? {} : { answerTtl: ttl - 1 }),
      ...(hostTtl <= 0 ? {} : { hostTtl: hostTtl - 1 }),
      ...(fastest === Number.POSITIVE_INFINITY ? {} : { fastestAnswerNs: fastest }),
    };
  }

  private noteAnswer(at: number, table: AttemptTable, row: number): void {
    const { events, eventTimes } = table;
    let askedNs = Number.NEGATIVE_INFINITY;
    for (let event = firstEvent(table, row); event !== 0; event = eventAfter(table, row, event)) {
      const info = events[event * EVENT + EVENT_INFO]!;
      const toServer = (info & 16) !== 0;
      const timeNs = eventTimes[event * (EVENT / 2)]!;
      if ((info & 15) === KIND_SYN && toServer) askedNs = timeNs;
      if ((info & 15) === KIND_SYN_ACK && !toServer) {
        const { records, floats } = this.servers;
        const fastest = records[at + TTL] === 0 ? Number.POSITIVE_INFINITY : floats[(at + FASTEST) / 2]!;
        floats[(at + FASTEST) / 2] = Math.min(fastest, timeNs - askedNs);
        noteTtl(records, at + TTL, (info >>> 8) & 255);
        noteTtl(this.hosts.records, records[at + HOST]! * HOST_WORDS + HOST_TTL, (info >>> 8) & 255);
        return;
      }
    }
  }
}

/** A TTL says nothing of a host once two of its packets differ. */
function noteTtl(records: Int32Array, at: number, ttl: number): void {
  const known = records[at]!;
  if (known === 0) records[at] = ttl + 1;
  else if (known !== ttl + 1) records[at] = TTL_VARIES;
}
