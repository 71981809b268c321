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
import { createProbeTable, type ProbeTable } from './probe-table.ts';

/** More servers than this are lumped together: a scan of a whole network must not take the memory. */
const MAX_SERVERS = 50_000;
/** The fastest answer and the TTL are taken from the first so many answered attempts of a server. */
const SAMPLED_ANSWERS = 256;
/** Words of a server: its address, its port, and whether it is IPv6. */
const KEY = 6;
const KEY_PORT = 4;
const KEY_IPV6 = 5;

const TTL_UNKNOWN = -1;
const TTL_VARIES = -2;

/** What the attempts to each address and port of a capture have shown so far, in columns; servers are numbers from 0. */
export class ServerHistories {
  private readonly servers: ProbeTable = createProbeTable(MAX_SERVERS, KEY);
  private readonly hosts: ProbeTable = createProbeTable(MAX_SERVERS, KEY);
  private readonly attempts = new Int32Array(MAX_SERVERS);
  private readonly established = new Int32Array(MAX_SERVERS);
  private readonly ttl = new Int16Array(MAX_SERVERS).fill(TTL_UNKNOWN);
  private readonly hostOf = new Int32Array(MAX_SERVERS);
  private readonly hostTtl = new Int16Array(MAX_SERVERS).fill(TTL_UNKNOWN);
  private readonly fastest = new Float64Array(MAX_SERVERS).fill(Number.POSITIVE_INFINITY);
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
      this.hostOf[server] = this.hosts.find(key, hash);
    }
    return server;
  }

  /** Takes one ended attempt to a server. */
  note(server: number, table: AttemptTable, row: number, established: boolean): void {
    this.attempts[server]!++;
    if (established && this.established[server]!++ < SAMPLED_ANSWERS) this.noteAnswer(server, table, row);
  }

  /** Address and port of a server. */
  endpoint(server: number): Endpoint {
    const { keys } = this.servers;
    const at = server * KEY;
    return { address: addressAt(keys, at, keys[at + KEY_IPV6] === 1), port: keys[at + KEY_PORT]! };
  }

  /** What the judge is told of a server. */
  history(server: number): ServerHistory {
    const ttl = this.ttl[server]!;
    const hostTtl = this.hostTtl[this.hostOf[server]!]!;
    const fastest = this.fastest[server]!;
    return {
      attempts: this.attempts[server]!,
      established: this.established[server]!,
      ...(ttl < 0 ? {} : { answerTtl: ttl }),
      ...(hostTtl < 0 ? {} : { hostTtl }),
      ...(fastest === Number.POSITIVE_INFINITY ? {} : { fastestAnswerNs: fastest }),
    };
  }

  private noteAnswer(server: number, table: AttemptTable, row: number): void {
    const { events, eventTimes } = table;
    let askedNs = Number.NEGATIVE_INFINITY;
    for (let event = firstEvent(table, row); event !== 0; event = eventAfter(table, row, event)) {
      const info = events[event * EVENT + EVENT_INFO]!;
      const toServer = (info & 16) !== 0;
      const timeNs = eventTimes[event * (EVENT / 2)]!;
      if ((info & 15) === KIND_SYN && toServer) askedNs = timeNs;
      if ((info & 15) === KIND_SYN_ACK && !toServer) {
        noteTtl(this.ttl, server, (info >>> 8) & 255);
        noteTtl(this.hostTtl, this.hostOf[server]!, (info >>> 8) & 255);
        this.fastest[server] = Math.min(this.fastest[server]!, timeNs - askedNs);
        return;
      }
    }
  }
}

/** A TTL says nothing of a host once two of its packets differ. */
function noteTtl(ttls: Int16Array, index: number, ttl: number): void {
  const known = ttls[index]!;
  if (known === TTL_UNKNOWN) ttls[index] = ttl;
  else if (known !== ttl) ttls[index] = TTL_VARIES;
}
