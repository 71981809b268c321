import type { Attempt, ConnectResult, Side, Sighting, Surroundings } from '../../model/facts/attempt.ts';
import type { Flow } from '../../model/flow.ts';
import type { Handshake } from '../../model/handshake.ts';

/** The attempt of a watched handshake, as the facts of a host speak of it. */
export function watchedAttempt(
  handshake: Handshake,
  side: Side,
  sightings: readonly Sighting[],
  connect?: ConnectResult,
): Attempt {
  const { client, server, segments } = handshake;
  const arriving = side === 'server' ? 'to-server' : 'to-client';
  const first = segments.find(({ direction, kind }) => direction === arriving && kind !== 'icmp');
  const opening = segments.find(({ direction, kind }) => direction === 'to-server' && kind !== 'icmp');
  const odd = opening !== undefined && (opening.flags & 0x17) !== 0x02 ? opening.flags : undefined;
  const inDevice = sightings.find(
    ({ segment, direction }) => segment === (side === 'server' ? 'syn' : 'syn-ack') && direction === 'in',
  )?.device;
  return {
    client,
    server,
    side,
    observed: true,
    captured: true,
    family: client.address.includes(':') ? 6 : 4,
    handshake,
    syns: segments.some(({ kind }) => kind === 'syn') ? handshake.synRetransmissions + 1 : 0,
    synAcks: segments.some(({ kind }) => kind === 'syn-ack') ? handshake.synAckRetransmissions + 1 : 0,
    sightings,
    icmpErrors: segments.flatMap(({ icmp, direction }) =>
      icmp === undefined
        ? []
        : [{ ...icmp, towards: direction === 'to-client' ? ('client' as const) : ('server' as const) }],
    ),
    ...(handshake.clientOptions === undefined ? {} : { synOptions: handshake.clientOptions }),
    ...(first === undefined ? {} : { arrivedTtl: first.ttl }),
    ...(odd === undefined ? {} : { oddFlags: odd }),
    ...(connect === undefined ? {} : { connect }),
    ...(inDevice === undefined ? {} : { inDevice }),
    lastedMs: Number((handshake.endedAtNs - handshake.startedAtNs) / 1_000_000n),
  };
}

/** An attempt of which no packet was seen: because none was sent (`observed` false), or because none came. */
export function unseenAttempt(
  flow: Flow,
  side: Side,
  {
    observed,
    captured,
    connect,
  }: { readonly observed: boolean; readonly captured: boolean; readonly connect?: ConnectResult },
): Attempt {
  return {
    ...flow,
    side,
    observed,
    captured,
    family: flow.server.address.includes(':') || flow.client.address.includes(':') ? 6 : 4,
    syns: 0,
    synAcks: 0,
    sightings: [],
    icmpErrors: [],
    ...(connect === undefined ? {} : { connect }),
    lastedMs: connect?.elapsedMs ?? 0,
  };
}

/** The handshake of an attempt that nobody saw, for reports. */
export function unseenHandshake(flow: Flow, atNs: bigint): Handshake {
  return {
    ...flow,
    outcome: 'in-progress',
    stage: 'syn',
    segments: [],
    omittedSegments: 0,
    synRetransmissions: 0,
    synAckRetransmissions: 0,
    startedAtNs: atNs,
    endedAtNs: atNs,
    encapsulation: [],
    findings: [],
  };
}

/** At most so many client addresses are named. */
const MAX_CLIENTS = 100;

/** What other attempts of the same watch say, held against one of them. */
export class SurroundingsLog {
  private answered = 0;
  private unanswered = 0;
  private reset = 0;
  private readonly clients = new Map<string, { answered: number; unanswered: number; reset: number }>();
  private readonly seen = new Set<string>();

  /** Counts one attempt that has ended or was judged; the same key is counted once. */
  add(handshake: Handshake, key: string): void {
    if (this.seen.has(key) || this.seen.size > 100_000) return;
    this.seen.add(key);
    const { outcome, segments, client } = handshake;
    const kind = segments.some((segment) => segment.kind === 'syn-ack')
      ? 'answered'
      : outcome === 'refused'
        ? 'reset'
        : 'unanswered';
    this.count(client.address, kind);
  }

  /** Counts one attempt of which no more is known than how it was answered. */
  count(client: string, kind: 'answered' | 'unanswered' | 'reset'): void {
    this[kind]++;
    let entry = this.clients.get(client);
    if (entry === undefined) {
      if (this.clients.size >= 10_000) return;
      entry = { answered: 0, unanswered: 0, reset: 0 };
      this.clients.set(client, entry);
    }
    entry[kind]++;
  }

  /** @param syns SYNs to the port, of all clients. */
  about(client: string, syns: number): Surroundings {
    const named = (kind: 'answered' | 'unanswered'): string[] =>
      [...this.clients]
        .filter(([, counts]) => counts[kind] > 0)
        .slice(0, MAX_CLIENTS)
        .map(([address]) => address);
    const sameClient = this.clients.get(client) ?? { answered: 0, unanswered: 0, reset: 0 };
    const unansweredClients = named('unanswered');
    return {
      answered: this.answered,
      unanswered: this.unanswered,
      reset: this.reset,
      sameClient: { ...sameClient },
      answeredClients: named('answered'),
      unansweredClients,
      syns,
      resetsToClient: sameClient.reset,
      floodSources: unansweredClients.length >= MAX_CLIENTS ? this.clients.size : 0,
    };
  }
}
