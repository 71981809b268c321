// What the attempts to each address and port have shown so far.
import {
  EVENT_INFO,
  EVENT_TIME,
  KIND_SYN,
  KIND_SYN_ACK,
  ROW_EVENTS,
  ROW_PORTS,
  ROW_SERVER,
  ROW_STATE,
  STATE_IPV6,
} from '../src/handshake/attempt-layout';
import {
  AT_HOSTS,
  AT_KEY,
  AT_SERVERS,
  HOST,
  HOST_SLOTS_OFFSET,
  HOST_TTL,
  HOSTS_OFFSET,
  MAX_SERVERS,
  SERVER,
  SERVER_ATTEMPTS,
  SERVER_ESTABLISHED,
  SERVER_FASTEST,
  SERVER_HOST,
  SERVER_IPV6,
  SERVER_KEY,
  SERVER_PORT,
  SERVER_TTL,
  SERVERS_OFFSET,
  TTL_VARIES,
} from '../src/handshake/tally-layout';
import { TO_SERVER } from './events';
import { nthEventAt } from './memory';
import { ProbeTable } from './probe-table';
import { foldIpv6 } from './segment';

/** The fastest answer and the TTL are taken from the first so many answered attempts of a server. */
const SAMPLED_ANSWERS: i32 = 256;

const servers = changetype<ProbeTable>(AT_SERVERS);
const hosts = changetype<ProbeTable>(AT_HOSTS);

/** Says where the tables lie. */
export function placeServers(at: i32): void {
  servers.place(at, at + SERVERS_OFFSET, SERVER, MAX_SERVERS, SERVER_KEY);
  hosts.place(at + HOST_SLOTS_OFFSET, at + HOSTS_OFFSET, HOST, MAX_SERVERS, SERVER_KEY);
}

/** The number of the server of the attempt at `base`, given now when it is new; beyond the last one that stands for all others. */
export function serverOf(base: i32): i32 {
  const address = base + (ROW_SERVER << 2);
  const port = portOf(base);
  v128.store(AT_KEY, v128.load(address));
  store<i32>(AT_KEY, port, SERVER_PORT << 2);
  store<i32>(AT_KEY, i32((load<i32>(base, ROW_STATE << 2) & STATE_IPV6) !== 0), SERVER_IPV6 << 2);
  const hash = hashOfHost(base);
  const known = servers.used;
  const server = servers.find(AT_KEY, hashOfServer(hash, port));
  if (server === known) {
    store<i32>(AT_KEY, 0, SERVER_PORT << 2);
    store<i32>(servers.at(server), hosts.find(AT_KEY, hash), SERVER_HOST << 2);
  }
  return server;
}

/** Loads what {@link serverOf} needs besides the row, so that it lies in the processor's cache. */
export function warmServer(base: i32): i32 {
  return load<i32>(servers.guess(hashOfServer(hashOfHost(base), portOf(base))));
}

@inline
function portOf(base: i32): i32 {
  return load<u16>(base, ROW_PORTS << 2);
}

@inline
function hashOfHost(base: i32): i32 {
  const address = base + (ROW_SERVER << 2);
  return foldIpv6(load<i32>(address), load<i32>(address, 4), load<i32>(address, 8), load<i32>(address, 12));
}

@inline
function hashOfServer(host: i32, port: i32): i32 {
  return host ^ (port * <i32>0x9e3779b1);
}

/** Takes the ended attempt at `base` to a server. */
export function noteAttempt(server: i32, base: i32, established: bool): void {
  const at = servers.at(server);
  store<i32>(at, load<i32>(at, SERVER_ATTEMPTS << 2) + 1, SERVER_ATTEMPTS << 2);
  if (!established) return;
  const sampled = load<i32>(at, SERVER_ESTABLISHED << 2);
  store<i32>(at, sampled + 1, SERVER_ESTABLISHED << 2);
  if (sampled < SAMPLED_ANSWERS) noteAnswer(at, base);
}

/** Notes the first answer of an attempt: how long it took from the SYN before it, and its TTL. */
function noteAnswer(server: i32, base: i32): void {
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  let askedNs: f64 = -Infinity;
  for (let nth = 0; nth < used; nth++) {
    const at = nthEventAt(base, nth, used);
    const info = load<i32>(at, EVENT_INFO << 2);
    const kind = info & (15 | TO_SERVER);
    if (kind === (KIND_SYN | TO_SERVER)) askedNs = load<f64>(at, EVENT_TIME << 2);
    if (kind !== KIND_SYN_ACK) continue;
    const fastest = load<i32>(server, SERVER_TTL << 2) === 0 ? Infinity : load<f64>(server, SERVER_FASTEST << 2);
    store<f64>(server, min<f64>(fastest, load<f64>(at, EVENT_TIME << 2) - askedNs), SERVER_FASTEST << 2);
    const ttl = (info >>> 8) & 255;
    noteTtl(server + (SERVER_TTL << 2), ttl);
    noteTtl(hosts.at(load<i32>(server, SERVER_HOST << 2)) + (HOST_TTL << 2), ttl);
    return;
  }
}

/** A TTL says nothing of a host once two of its packets differ. */
function noteTtl(at: i32, ttl: i32): void {
  const known = load<i32>(at);
  if (known === 0) store<i32>(at, ttl + 1);
  else if (known !== ttl + 1) store<i32>(at, TTL_VARIES);
}
