import type { Attempt } from '../model/facts/attempt.ts';
import type { Listener, SocketTable } from '../model/facts/sockets.ts';
import { EXAMPLE_ATTEMPT, HEALTHY_LISTENER } from './shared-examples.ts';

// Facts with which the examples of the server's TCP, and of the way back, begin.

/** An attempt with four SYNs that nobody answered. */
export const FOUR_SYNS: Attempt = { ...EXAMPLE_ATTEMPT, syns: 4, lastedMs: 7080 };

/** The same when nothing was sent: would a SYN be answered? */
export const SUPPOSED: Attempt = { ...EXAMPLE_ATTEMPT, observed: false, captured: false, syns: 0, sightings: [] };

/** An attempt whose SYN this host answered with RST. */
export const REFUSED: Attempt = {
  ...EXAMPLE_ATTEMPT,
  sightings: [
    ...EXAMPLE_ATTEMPT.sightings,
    { segment: 'rst', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' },
  ],
  lastedMs: 0,
};

/** An attempt that this host answered three times, and whose client kept on repeating its SYN. */
export const ANSWERED_IN_VAIN: Attempt = {
  ...EXAMPLE_ATTEMPT,
  syns: 3,
  synAcks: 4,
  sightings: [
    { segment: 'syn', direction: 'in', device: 'eth0', count: 3, linkDestination: 'host' },
    { segment: 'syn-ack', direction: 'out', device: 'eth0', count: 4, linkDestination: 'unknown' },
  ],
  lastedMs: 3050,
};

/** Sockets with one listener on the port of the example that takes the SYN, changed like this. */
export function listening(changes: Partial<Listener> = {}): SocketTable {
  const [healthy] = HEALTHY_LISTENER.matching;
  const listener: Listener = { ...healthy!, ...changes };
  return { ...HEALTHY_LISTENER, listeners: [listener], matching: [listener] };
}

/** Sockets in which the only listener on the port does not take the SYN. */
export function listeningElsewhere(why: 'address' | 'family' | 'device', changes: Partial<Listener>): SocketTable {
  const { matching, ...others } = listening(changes);
  return { ...others, matching: [], mismatched: matching.map((listener) => ({ listener, why })) };
}

/** Sockets of a host on which nothing listens. */
export const NOTHING_LISTENS: SocketTable = {
  listeners: [],
  matching: [],
  mismatched: [],
  connections: [],
  synReceived: 0,
};
