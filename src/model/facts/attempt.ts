import type { Endpoint, Flow } from '../flow.ts';
import type { Handshake, IcmpError, SynOptions } from '../handshake.ts';

/** Which end of the connection the host is whose facts are judged. */
export type Side = 'server' | 'client';

/** What `connect()` to one address did. */
export interface ConnectResult {
  readonly remote: Endpoint;
  /** Where the kernel bound the socket; absent when connect() failed before that. */
  readonly local?: Endpoint;
  /** Symbolic errno, for example `ECONNREFUSED`; absent when it connected. `TIMEDOUT-LOCAL` is our own patience, not the kernel's. */
  readonly errno?: string;
  readonly elapsedMs: number;
  /** What happened within a moment after it connected: nothing, data, an orderly end, a reset. */
  readonly afterwards?: 'silent' | 'data' | 'closed' | 'reset';
}

/** How packets of the attempt passed the interfaces of the host, as its own capture shows it. */
export interface Sighting {
  readonly segment: 'syn' | 'syn-ack' | 'ack' | 'rst' | 'icmp' | 'other';
  readonly direction: 'in' | 'out';
  /** Name of the interface; absent when the capture did not record it. */
  readonly device?: string;
  readonly count: number;
  /** The frame was addressed to another host's MAC (`otherhost`), to all (`broadcast`), to a group (`multicast`), or to this host. */
  readonly linkDestination: 'host' | 'otherhost' | 'broadcast' | 'multicast' | 'unknown';
}

/** Somebody else than the server whose SYN-ACK acknowledges the SYN of the attempt. */
export interface ForeignAnswer extends Endpoint {
  readonly count: number;
}

/**
 * The attempt that is judged: one that was watched, or one that is only supposed (`listen --from`: would a SYN from there be
 * answered?).
 */
export interface Attempt extends Flow {
  readonly side: Side;
  /** False when no packet of it was seen because none was sent. */
  readonly observed: boolean;
  readonly family: 4 | 6;
  /** The watched attempt, with its segments; absent when it was not observed, or nothing could be captured. */
  readonly handshake?: Handshake;
  /** Whether packets could be captured at all; when false, nothing in `sightings` is not evidence of absence. */
  readonly captured: boolean;
  /** SYNs of this attempt that this host's capture holds, retransmissions included. */
  readonly syns: number;
  /** SYN-ACKs of this attempt that this host's capture holds. */
  readonly synAcks: number;
  readonly sightings: readonly Sighting[];
  /** ICMP errors that quote a packet of the attempt, in either direction. */
  readonly icmpErrors: readonly (IcmpError & { readonly towards: Side })[];
  /** Of its first SYN. */
  readonly synOptions?: SynOptions;
  /** TTL or hop limit with which the SYN (on the server) or the answer (on the client) arrived. */
  readonly arrivedTtl?: number;
  /** TCP flags of the first packet, when it is not a plain SYN. */
  readonly oddFlags?: number;
  /** SYN-ACKs for it that came from another address or port than the one that was asked; only on the client, absent when there are none. */
  readonly foreignAnswers?: readonly ForeignAnswer[];
  /** The client's own view; only on the client. */
  readonly connect?: ConnectResult;
  /** Interface through which the first SYN came in; the one with the route when the attempt is only supposed. */
  readonly inDevice?: string;
  /** From the first to the last thing seen, in milliseconds. */
  readonly lastedMs: number;
}

/** Other attempts of the same watch, against which this one is held. */
export interface Surroundings {
  /** Attempts to the same port that were answered with a SYN-ACK, and those that were not answered at all. */
  readonly answered: number;
  readonly unanswered: number;
  /** Attempts to the same port that were answered by RST. */
  readonly reset: number;
  /** Of the same client address. */
  readonly sameClient: { readonly answered: number; readonly unanswered: number; readonly reset: number };
  /** Client addresses with an answered, and with an unanswered attempt. */
  readonly answeredClients: readonly string[];
  readonly unansweredClients: readonly string[];
  /** SYNs to the port in all, by all clients. */
  readonly syns: number;
  /** Packets that the capture saw come in, by interface; absent when it cannot hold all of them any more. */
  readonly received?: Readonly<Record<string, number>>;
  /** RSTs that answered a SYN of this client on any port: they prove the way back. */
  readonly resetsToClient: number;
  /** Half-open attempts of many sources at once, as a flood makes them. */
  readonly floodSources: number;
}

/** ARP requests or neighbour solicitations of the watch, by what they asked for. */
export interface NeighbourActivity {
  readonly device?: string;
  readonly target: string;
  /** Sent by this host (`out`), or by a neighbour that looks for `target` (`in`). */
  readonly direction: 'in' | 'out';
  readonly requests: number;
  readonly replies: number;
  /** Link-layer addresses that answered; two of them mean a duplicate address. */
  readonly answeredBy: readonly string[];
}
