import type { Attempt, Sighting } from '../model/facts/attempt.ts';
import type { Connection, SocketTable } from '../model/facts/sockets.ts';
import type { Handshake, Outcome, Segment } from '../model/handshake.ts';
import { EXAMPLE_ATTEMPT_V4, HEALTHY_LISTENER } from './shared-examples.ts';

// Attempts that got as far as a SYN-ACK, with which examples begin.

const CLIENT_ISN = 1000;
const SERVER_ISN = 5000;

/** One step of {@link exampleHandshake}: what the client (`>`) or the server (`<`) sent. */
export type ExampleStep = '>syn' | '<syn-ack' | '>ack' | '>data' | '<rst' | '>rst' | '<wrong-syn-ack' | '<ack';

const FLAGS: Readonly<Record<string, number>> = { syn: 0x02, 'syn-ack': 0x12, ack: 0x10, data: 0x18, rst: 0x04 };

/** The segments of an attempt, a second between them, and what follows from them for the attempt. */
function exampleHandshake(outcome: Outcome, ...steps: readonly ExampleStep[]): Partial<Attempt> {
  const { client, server } = EXAMPLE_ATTEMPT_V4;
  const segments = steps.map((step, index): Segment => {
    const fromClient = step.startsWith('>');
    const wrong = step === '<wrong-syn-ack';
    const kind = (wrong ? 'syn-ack' : step.slice(1)) as Segment['kind'];
    return {
      kind,
      direction: fromClient ? 'to-server' : 'to-client',
      frame: index + 1,
      timeNs: BigInt(index) * 1_000_000_000n,
      repeat: steps.slice(0, index).filter((earlier) => earlier === step).length,
      copies: 0,
      seq: fromClient ? (kind === 'syn' ? CLIENT_ISN : CLIENT_ISN + 1) : SERVER_ISN,
      ack: kind === 'syn' ? 0 : fromClient ? SERVER_ISN + 1 : wrong ? CLIENT_ISN + 7777 : CLIENT_ISN + 1,
      flags: FLAGS[kind] ?? 0,
      payloadBytes: kind === 'data' ? 5 : 0,
      ttl: 60,
    };
  });
  const many = (step: ExampleStep): number => steps.filter((one) => one === step).length;
  const handshake: Handshake = {
    client,
    server,
    outcome,
    stage: 'ack',
    segments,
    omittedSegments: 0,
    synRetransmissions: Math.max(0, many('>syn') - 1),
    synAckRetransmissions: Math.max(0, many('<syn-ack') - 1),
    clientIsn: CLIENT_ISN,
    serverIsn: SERVER_ISN,
    startedAtNs: 0n,
    endedAtNs: BigInt(steps.length) * 1_000_000_000n,
    encapsulation: [],
    findings: [],
  };
  return {
    handshake,
    syns: many('>syn'),
    synAcks: many('<syn-ack'),
    sightings: sightingsOf(steps),
    lastedMs: (steps.length - 1) * 1000,
  };
}

/** The server's view of such an attempt. */
export function serverSaw(outcome: Outcome, ...steps: readonly ExampleStep[]): Attempt {
  return { ...EXAMPLE_ATTEMPT_V4, ...exampleHandshake(outcome, ...steps) };
}

/** The client's view of such an attempt. */
export function clientSaw(
  outcome: Outcome,
  connect: Omit<NonNullable<Attempt['connect']>, 'remote'>,
  ...steps: readonly ExampleStep[]
): Attempt {
  const { server, inDevice: _, ...rest } = EXAMPLE_ATTEMPT_V4;
  const seen = exampleHandshake(outcome, ...steps);
  return {
    ...rest,
    ...seen,
    side: 'client',
    server,
    sightings: (seen.sightings ?? []).map((one) => ({ ...one, direction: one.direction === 'in' ? 'out' : 'in' })),
    connect: { remote: server, ...connect },
  };
}

function sightingsOf(steps: readonly ExampleStep[]): Sighting[] {
  return [...new Set(steps)].map((step) => {
    const kind = step === '<wrong-syn-ack' ? 'syn-ack' : step.slice(1);
    return {
      segment: kind === 'data' ? 'ack' : (kind as Sighting['segment']),
      direction: step.startsWith('>') ? 'in' : 'out',
      device: 'eth0',
      count: steps.filter((one) => one === step).length,
      linkDestination: step.startsWith('>') ? 'host' : 'unknown',
    };
  });
}

/** The half-open connection of the example. */
export const HALF_OPEN: Connection = {
  state: 'SYN-RECV',
  local: EXAMPLE_ATTEMPT_V4.server,
  remote: EXAMPLE_ATTEMPT_V4.client,
  receiveQueue: 0,
  sendQueue: 0,
  owners: [],
};

/** A listener on which so many connections wait, and the half-open one of the example. */
export function waiting(acceptQueue: number, backlog: number): SocketTable {
  return {
    ...HEALTHY_LISTENER,
    matching: HEALTHY_LISTENER.matching.map((one) => ({ ...one, acceptQueue, backlog })),
    connections: [HALF_OPEN],
    exact: HALF_OPEN,
    synReceived: 1,
  };
}
