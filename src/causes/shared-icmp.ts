import type { Attempt } from '../model/facts/attempt.ts';
import type { IcmpError, Segment } from '../model/handshake.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';

/** An ICMP error that answered the SYN, and how long after that SYN it came. */
export interface AnsweringIcmp {
  readonly icmp: IcmpError;
  readonly afterMs: number;
  /** Who sent it: the server itself, this client (its own kernel), or something in between. */
  readonly sender: 'server' | 'self' | 'router';
}

/** The first ICMP error towards the client, when the attempt is seen from the client. */
export function answeringIcmp(attempt: Attempt): AnsweringIcmp | undefined {
  if (attempt.side !== 'client') return undefined;
  const icmp = attempt.icmpErrors.find(({ towards }) => towards === 'client');
  if (icmp === undefined) return undefined;
  const { client, server } = attempt;
  const sender = icmp.from === server.address ? 'server' : icmp.from === client.address ? 'self' : 'router';
  return { icmp, afterMs: delayMs(attempt), sender };
}

/** From the first SYN that could have caused the error to the error. */
function delayMs({ handshake, connect }: Attempt): number {
  const segments = handshake?.segments ?? [];
  const answer = segments.find(({ icmp, direction }) => icmp !== undefined && direction === 'to-client');
  const syn = segments.find(({ kind }) => kind === 'syn');
  if (answer === undefined || syn === undefined) return connect?.elapsedMs ?? 0;
  return Number(answer.timeNs - syn.timeNs) / 1e6;
}

/** `ICMP 3/13 "Communication Administratively Prohibited" from 203.0.113.1 after 12 ms`. */
export function icmpStatement({ icmp, afterMs }: AnsweringIcmp): string {
  const version = icmp.version === 6 ? 'ICMPv6' : 'ICMP';
  return `${version} ${icmp.type}/${icmp.code} "${icmp.name}" from ${icmp.from}, ${Math.round(afterMs)} ms after the SYN`;
}

/** A kernel gives up on a neighbour after three requests, one second each. */
export const NEIGHBOUR_TIMEOUT_MS = 2500;

/** Type and code as one word: `4:3/13`. */
export function icmpKey({ version, type, code }: IcmpError): string {
  return `${version}:${type}/${code}`;
}

/** An attempt of a client whose SYN was answered by an ICMP error; for examples. */
export function icmpAttempt(type: number, code: number, name: string, from: string, afterMs: number = 2): Attempt {
  const icmp: IcmpError = { version: 4, type, code, from, name };
  const base = { repeat: 0, copies: 0, seq: 1, ack: 0, payloadBytes: 0, ttl: 64 } as const;
  const segments: readonly Segment[] = [
    { ...base, kind: 'syn', direction: 'to-server', frame: 1, timeNs: 0n, flags: 2 },
    {
      ...base,
      kind: 'icmp',
      direction: 'to-client',
      frame: 2,
      timeNs: BigInt(Math.round(afterMs * 1e6)),
      flags: 0,
      icmp,
    },
  ];
  const { client, server } = CLIENT_ATTEMPT;
  return {
    ...CLIENT_ATTEMPT,
    syns: 1,
    icmpErrors: [{ ...icmp, towards: 'client' }],
    handshake: {
      client,
      server,
      outcome: 'unreachable',
      stage: 'syn',
      segments,
      omittedSegments: 0,
      synRetransmissions: 0,
      synAckRetransmissions: 0,
      startedAtNs: 0n,
      endedAtNs: BigInt(Math.round(afterMs * 1e6)),
      encapsulation: [],
      findings: [],
    },
    connect: { remote: server, local: client, errno: 'EHOSTUNREACH', elapsedMs: afterMs },
    lastedMs: afterMs,
  };
}
