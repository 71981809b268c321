import type { Attempt } from '../model/facts/attempt.ts';
import type { KernelEvent } from '../model/facts/kernel-events.ts';
import type { Endpoint } from '../model/flow.ts';
import type { LookupRecord, Moment, NeighbourRecord, TcpRecord, TraceRecord } from './kernel-trace-records.ts';

/** Events of one attempt that are told; the first ones of many. */
const EVENTS = 200;

/** By the clock of the trace, microseconds. */
export interface TraceWindow {
  readonly fromUs: number;
  readonly toUs: number;
}

/**
 * Picks the events of an attempt by its addresses and ports: tracepoints know no network namespace. Events that tell only addresses
 * belong to it when they are within its time; where that is not known they are left out.
 */
export function eventsOf(
  records: readonly TraceRecord[],
  attempt: Attempt,
  window: TraceWindow | undefined,
): KernelEvent[] {
  const events: KernelEvent[] = [];
  for (const record of records) {
    // A client may have used the same port before.
    if (window !== undefined && record.timeUs < window.fromUs) continue;
    const within = window !== undefined && record.timeUs <= window.toUs;
    if (record.kind === 'lookup') events.push(...lookupEvents(record, attempt, within));
    else if (record.kind === 'tcp') events.push(...tcpEvents(record, attempt));
    else if (within) events.push(neighbourEvent(record));
    if (events.length >= EVENTS) break;
  }
  return events.sort((a, b) => a.timeUs - b.timeUs);
}

function lookupEvents(record: LookupRecord, attempt: Attempt, within: boolean): KernelEvent[] {
  const purpose = purposeOf(record, attempt);
  if (purpose === undefined || (purpose === 'source-check' && !within)) return [];
  const { lookup, cpu, timeUs, dropped, consumed } = record;
  const { table, err, device } = lookup;
  const packet = purpose === 'reply' ? 'syn-ack' : attempt.synAcks === 0 ? 'syn' : 'unknown';
  const events: KernelEvent[] = [
    { kind: 'route-lookup', table, err, purpose, ...(device === undefined ? {} : { device }), cpu, timeUs },
    ...dropped.map(({ free, ...moment }) => dropEvent(free.reason, free.location, packet, moment)),
  ];
  if (consumed !== undefined && purpose === 'reply') {
    const { free, ...moment } = consumed;
    events.push({ kind: 'consumed', location: free.location, packet: 'syn', ...moment });
  }
  return events;
}

/** What a lookup was made for; undefined when it was not for this attempt, or is its way in, which says nothing. */
function purposeOf(
  { lookup }: LookupRecord,
  { side, client, server }: Attempt,
): 'reply' | 'source-check' | 'output' | undefined {
  const { source, destination } = lookup;
  const [here, peer] = side === 'server' ? [server, client] : [client, server];
  if (destination.address !== peer.address) return undefined;
  if (isSame(source, here) && destination.port === peer.port) return side === 'server' ? 'reply' : 'output';
  // connect() looks up its route before it has an address, and before it has a port.
  const unbound = source.address === '0.0.0.0' || source.address === '::' || source.address === here.address;
  if (side === 'client' && destination.port === peer.port && unbound && [0, here.port].includes(source.port)) {
    return 'output';
  }
  return source.address === here.address && source.port === 0 && destination.port === 0 ? 'source-check' : undefined;
}

function tcpEvents(record: TcpRecord, attempt: Attempt): KernelEvent[] {
  const event = tcpEvent(record, attempt);
  if (event === undefined) return [];
  const { dropped } = record;
  if (dropped === undefined) return [event];
  // The flags are printed where a signature was refused: `[ S   ]`. A RST before any SYN-ACK answers the SYN.
  const isSyn = /\[.S.. \]/.test(record.text) || (record.event === 'tcp_send_reset' && attempt.synAcks === 0);
  const packet = isSyn && attempt.side === 'server' ? 'syn' : 'unknown';
  return [event, dropEvent(dropped.free.reason, dropped.free.location, packet, dropped)];
}

function tcpEvent({ event, tcp, cpu, timeUs }: TcpRecord, attempt: Attempt): KernelEvent | undefined {
  const moment = { cpu, timeUs };
  const { source, destination } = tcp;
  const [here, peer] = attempt.side === 'server' ? [attempt.server, attempt.client] : [attempt.client, attempt.server];
  if (event === 'tcp_send_reset') return resetEvent(tcp, attempt, moment);
  if (isSame(source, here) && isSame(destination, peer)) {
    if (event === 'inet_sock_set_state') return stateEvent(tcp, moment);
    if (event === 'tcp_receive_reset') return { kind: 'reset-received', ...moment };
    if (event === 'tcp_retransmit_synack') return { kind: 'syn-ack-retransmitted', ...moment };
    return undefined;
  }
  if (isSame(source, peer) && isSame(destination, here)) {
    if (event === 'tcp_bad_csum') return { kind: 'bad-checksum', ...moment };
    const refused = /^tcp_((?:hash|ao)_.*)$/.exec(event)?.[1];
    return refused === undefined ? undefined : { kind: 'authentication-refused', what: refused, ...moment };
  }
  const ofListener = attempt.side === 'server' && source.port === here.port && destination.port === 0;
  return event === 'inet_sock_set_state' && tcp.oldState === 'LISTEN' && ofListener
    ? stateEvent(tcp, moment)
    : undefined;
}

function stateEvent({ oldState = '?', newState = '?' }: TcpRecord['tcp'], moment: Moment): KernelEvent {
  return { kind: 'state-changed', from: oldState, to: newState, ...moment };
}

/**
 * The server's end may be the one behind a translation, so the client's decides. Kernels before 6.11, which print no reason, name the
 * ends of the packet that is answered instead of those of the RST.
 */
function resetEvent(
  { source, destination, reason, state }: TcpRecord['tcp'],
  { side, client }: Attempt,
  moment: Moment,
): KernelEvent | undefined {
  const [nearServer, nearClient] = side === 'server' ? [source, destination] : [destination, source];
  const server = isSame(nearClient, client)
    ? nearServer
    : reason === undefined && isSame(nearServer, client)
      ? nearClient
      : undefined;
  if (server === undefined) return undefined;
  return {
    kind: 'reset-sent',
    ...(reason === undefined ? {} : { reason }),
    sourcePort: side === 'server' ? server.port : client.port,
    ...(state === undefined || state === 'UNKNOWN' ? {} : { state }),
    ...moment,
  };
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address;
}

function dropEvent(
  reason: string | undefined,
  location: string,
  packet: 'syn' | 'syn-ack' | 'unknown',
  { cpu, timeUs }: { readonly cpu: number; readonly timeUs: number },
): KernelEvent {
  return { kind: 'dropped', reason: reason ?? 'NOT_SPECIFIED', location, packet, cpu, timeUs };
}

function neighbourEvent({ neighbour, cpu, timeUs }: NeighbourRecord): KernelEvent {
  return { kind: 'neighbour-failed', address: neighbour.address, device: neighbour.device, cpu, timeUs };
}
