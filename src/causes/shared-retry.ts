import type { Attempt } from '../model/facts/attempt.ts';
import type { Segment } from '../model/handshake.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';

/** The SYNs of an attempt, and the one that was answered last before the SYN-ACK. */
export interface Retries {
  readonly first: Segment;
  /** SYNs that nobody answered before the one that was. */
  readonly lost: readonly Segment[];
  /** The SYN after which the SYN-ACK came; undefined when none came. */
  readonly answered?: Segment;
}

/** Which SYNs of an attempt were lost, and which was answered. */
export function retriesOf({ handshake }: Attempt): Retries | undefined {
  const syns = (handshake?.segments ?? []).filter(({ kind, direction }) => kind === 'syn' && direction === 'to-server');
  const [first] = syns;
  if (first === undefined) return undefined;
  const answer = handshake?.segments.find(({ kind, direction }) => kind === 'syn-ack' && direction === 'to-client');
  if (answer === undefined) return { first, lost: syns };
  const before = syns.filter(({ timeNs }) => timeNs <= answer.timeNs);
  const answered = before.at(-1) ?? first;
  return { first, lost: before.filter((syn) => syn !== answered), answered };
}

/** An attempt of a client with these SYNs, one second apart; the last one is answered when `answered`. */
export function retriedAttempt(syns: readonly Partial<Segment>[], answered: boolean): Attempt {
  const base = { copies: 0, seq: 1, ack: 0, payloadBytes: 0, ttl: 64 } as const;
  const segments: Segment[] = syns.map((changes, repeat) => ({
    ...base,
    kind: 'syn',
    direction: 'to-server',
    frame: repeat + 1,
    timeNs: BigInt(repeat) * 1_000_000_000n,
    repeat,
    flags: 2,
    ...changes,
  }));
  const last = segments.at(-1)?.timeNs ?? 0n;
  if (answered) {
    segments.push({
      ...base,
      kind: 'syn-ack',
      direction: 'to-client',
      frame: syns.length + 1,
      timeNs: last + 1_000_000n,
      repeat: 0,
      ack: 2,
      flags: 18,
    });
  }
  const { client, server } = CLIENT_ATTEMPT;
  return {
    ...CLIENT_ATTEMPT,
    syns: syns.length,
    synAcks: answered ? 1 : 0,
    connect: { remote: server, local: client, elapsedMs: 1003, ...(answered ? {} : { errno: 'EINPROGRESS' }) },
    handshake: {
      client,
      server,
      outcome: answered ? 'established' : 'no-reply',
      stage: answered ? 'established' : 'syn',
      segments,
      omittedSegments: 0,
      synRetransmissions: syns.length - 1,
      synAckRetransmissions: 0,
      startedAtNs: 0n,
      endedAtNs: last,
      encapsulation: [],
      findings: [],
    },
  };
}
