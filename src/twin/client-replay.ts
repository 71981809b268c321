import { encodeSocketAddress } from '../host/socket-address.ts';
import { systemCalls } from '../host/system.ts';
import { isSystemError, systemReason } from '../host/system-error.ts';
import type { CompleteSyn } from './complete-syn.ts';
import { type Departure, exchange } from './exchange.ts';
import { IPPROTO_TCP, macAt, synAckTo, TCP_ACK, TCP_RST, TCP_SYN } from './frames.ts';
import { closeHard, setOption } from './socket-options.ts';
import type { Replay, ReplyKind } from './syn.ts';
import type { Taps } from './tap.ts';
import type { World } from './world.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;

/**
 * Opens the connection from the twin of a client: its SYN has to leave towards somebody who lives, and the SYN-ACK that comes back, from the
 * same interface, has to be answered by an ACK.
 */
export function connectOut(syn: CompleteSyn, taps: Taps, world: World, note: (asked: boolean) => void): Replay {
  const calls = systemCalls();
  const isV4 = syn.family === 4;
  const fd = calls.socket(isV4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  taps.drain();
  try {
    let refusal: string | undefined;
    try {
      setOption(calls, fd, 'reuseAddress', 1);
      if (!isUnspecified(syn.source)) calls.bind(fd, addressOf(syn.source, syn.sourcePort));
      calls.connect(fd, addressOf(syn.destination, syn.destinationPort));
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (error.code !== 'EINPROGRESS') refusal = `connect(): ${error.code} (${systemReason(error)})`;
    }
    let sent: Departure | undefined;
    let reply: ReplyKind = 'silence';
    const { unanswered, assumed, asked } = exchange(taps, world, syn, (departure) => {
      const flags = flagsOf(departure);
      if (flags === undefined) return;
      if ((flags & (TCP_SYN | TCP_ACK)) === TCP_SYN && sent === undefined) {
        sent = departure;
        reply = 'syn-sent';
        if (world.isAlive(macAt(departure.frame, 0), syn))
          taps.send(departure.device, synAckTo(departure.frame, departure.shape));
      } else if (sent !== undefined && (flags & TCP_RST) !== 0) reply = 'rst';
      else if (sent !== undefined && (flags & (TCP_SYN | TCP_ACK)) === TCP_ACK) reply = 'syn-ack';
    });
    note(asked);
    const nextHop = sent === undefined ? undefined : macAt((sent as Departure).frame, 0);
    const isDead = nextHop !== undefined && !world.isAlive(nextHop, syn);
    return {
      reply,
      isAnswered: (reply as ReplyKind) === 'syn-ack',
      ...(sent === undefined ? {} : { device: (sent as Departure).device }),
      ...(nextHop === undefined ? {} : { nextHop }),
      ...(isDead ? { remark: 'dead-next-hop' as const } : {}),
      unanswered,
      assumed,
      ...(refusal === undefined ? {} : { detail: refusal }),
    };
  } finally {
    closeHard(calls, fd);
    taps.drain();
  }
}

function flagsOf({ frame, shape }: Departure): number | undefined {
  return shape.protocol === IPPROTO_TCP && shape.transport + 20 <= frame.length
    ? frame[shape.transport + 13]
    : undefined;
}

function addressOf(address: string, port: number): Uint8Array {
  const encoded = encodeSocketAddress(address, port, 0);
  if (encoded === undefined) throw new TypeError(`${address} is no address`);
  return encoded;
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
