import type { Attempt } from '../model/facts/attempt.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { EXAMPLE_ATTEMPT } from './shared-examples.ts';
import { listening } from './shared-examples-server.ts';

// Facts of SYNs that meet a socket of an earlier connection with the same ports.

/** A SYN that was answered with an ACK instead of a SYN-ACK. */
export const ANSWERED_BY_ACK: Attempt = {
  ...EXAMPLE_ATTEMPT,
  sightings: [
    ...EXAMPLE_ATTEMPT.sightings,
    { segment: 'ack', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' },
  ],
};

/** Options of an ordinary SYN. */
export const SYN_OPTIONS: NonNullable<Attempt['synOptions']> = {
  windowBytes: 64_240,
  sackPermitted: true,
  timestamps: true,
  mptcp: false,
  md5: false,
  ao: false,
  ecnSetup: false,
};

/** A healthy listener, and a socket in that state with exactly the ends of the example. */
export function withOldSocket(state: string): SocketTable {
  const exact = {
    state,
    local: EXAMPLE_ATTEMPT.server,
    remote: EXAMPLE_ATTEMPT.client,
    receiveQueue: 0,
    sendQueue: 0,
    owners: state === 'TIME-WAIT' ? [] : [{ pid: 811, name: 'nginx' }],
  };
  return { ...listening(), connections: [exact], exact };
}
