import { decodeAnswer, type NetlinkAnswer, NLMSG_DONE, NLMSG_ERROR } from '../formats/netlink/answer.ts';
import {
  decodeMessages,
  encodeRequests,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
} from '../formats/netlink/message.ts';
import { HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import type { Enter } from './read-text.ts';
import { errnoName, type SystemCalls, systemCalls } from './system.ts';
import { isSystemError } from './system-error.ts';

/** Which part of the kernel a netlink socket talks to (linux/netlink.h). */
export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const BUFFER_BYTES = 8 * 1024 * 1024;
/** The kernel fills datagrams of a dump up to 32 KiB, or the size of what was read before. */
const DATAGRAM_BYTES = 1024 * 1024;
/** The kernel answers within the call that sends; a socket that waits longer never gets an answer. */
const LONGEST_WAIT_SECONDS = 10;
/** Requests that go with one call: their answers must fit into the buffer of the socket. */
const AT_ONCE = 64;
/** A dump with gaps is made anew so often. */
const DUMP_TRIES = 5;

/** A request that the kernel refused. */
export class NetlinkRefusal extends Error {
  override readonly name: string = 'NetlinkRefusal';
  /** For example `EPERM`. */
  readonly code: string;
  readonly answer: NetlinkAnswer;

  constructor(doing: string, answer: NetlinkAnswer) {
    const code = errnoName(answer.errno);
    super(`${doing}: ${code}${answer.message === undefined ? '' : ` (${answer.message})`}`);
    this.code = code;
    this.answer = answer;
  }
}

/**
 * Questions and requests to the kernel. All calls are synchronous: the kernel answers before the call that asked returns. The bodies
 * of messages are copies that belong to the caller.
 */
export interface NetlinkSocket {
  /**
   * All messages of a dump, in their order.
   * @throws NetlinkRefusal when the kernel refuses it.
   */
  dump(type: number, body: Uint8Array): NetlinkMessage[];
  /** The one message that answers a question; undefined when the kernel refuses it. */
  ask(type: number, body: Uint8Array): NetlinkMessage | undefined;
  /** Sends one request and gives what the kernel says of it; errno 0 when it was done. */
  request(request: NetlinkRequest): NetlinkAnswer;
  /** Sends many requests; the answers are in their order. */
  requestAll(requests: readonly NetlinkRequest[]): NetlinkAnswer[];
  /**
   * Sends requests as one batch of nfnetlink: all are done, or none.
   */
  batch(begin: NetlinkRequest, requests: readonly NetlinkRequest[], end: NetlinkRequest): BatchResult;
  close(): void;
}

/** What came of a batch. */
export interface BatchResult {
  readonly errors: readonly { readonly index: number; readonly answer: NetlinkAnswer }[];
  /** What requests with NLM_F_ECHO led to, by their index. */
  readonly echoes: ReadonlyMap<number, readonly NetlinkMessage[]>;
}

/**
 * Opens a netlink socket in the network namespace that `enter` leads into; that of this process unless given.
 * @throws HostError where it cannot be had.
 */
export function openNetlink(protocol: number, enter: Enter = here): NetlinkSocket {
  try {
    const calls = systemCalls();
    const fd = enter(() => calls.socket(AF_NETLINK, SOCK_RAW, protocol));
    return new SyncSocket(calls, bound(calls, fd, [SOL_SOCKET, SO_RCVTIMEO, seconds(LONGEST_WAIT_SECONDS)]));
  } catch (error) {
    throw hostFailure(error, 'the kernel cannot be asked by netlink');
  }
}

/**
 * All messages of one dump, in the network namespace that `enter` leads into.
 * @throws HostError where the kernel cannot be asked, or refuses.
 */
export function dumpNetlink(protocol: number, type: number, body: Uint8Array, enter: Enter): readonly NetlinkMessage[] {
  const socket = openNetlink(protocol, enter);
  try {
    return socket.dump(type, body);
  } catch (error) {
    if (error instanceof NetlinkRefusal) throw new HostError('failed', error.message, { cause: error });
    throw error;
  } finally {
    socket.close();
  }
}

/** What {@link watchNetlink} tells. */
export interface NetlinkListener {
  /** The body is a copy that belongs to the receiver. */
  onMessage(message: NetlinkMessage): void;
  /** Messages were lost, because too many came at once: what is known of the state is out of date. */
  onLost(): void;
  /** The socket cannot be read any more. */
  onError(error: Error): void;
}

/**
 * Tells what the kernel announces: changes of routes, links, addresses, neighbours, rules, filters. In the network namespace
 * that `enter` leads into; that of this process unless given. What changes after this returns is told.
 * @param groups numbers of multicast groups, for example of `RTNLGRP`.
 * @throws HostError where it cannot be had.
 */
export function watchNetlink(
  protocol: number,
  groups: readonly number[],
  listener: NetlinkListener,
  enter: Enter = here,
): { close(): void } {
  try {
    const calls = systemCalls();
    const fd = enter(() => calls.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol));
    bound(calls, fd);
    try {
      for (const group of groups) calls.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, words(group));
    } catch (error) {
      calls.close(fd);
      throw error;
    }
    return new Subscription(calls, fd, listener);
  } catch (error) {
    throw hostFailure(error, 'changes of the network cannot be watched by netlink');
  }
}

class SyncSocket implements NetlinkSocket {
  private readonly calls: SystemCalls;
  private readonly fd: number;
  private readonly buffer: Uint8Array = new Uint8Array(DATAGRAM_BYTES);
  private sequence = 1;

  constructor(calls: SystemCalls, fd: number) {
    this.calls = calls;
    this.fd = fd;
  }

  dump(type: number, body: Uint8Array): NetlinkMessage[] {
    let messages: NetlinkMessage[] = [];
    for (let tries = 0; tries < DUMP_TRIES; tries++) {
      messages = [];
      if (!this.dumpOnce(type, body, messages)) return messages;
    }
    return messages;
  }

  /** Fills `messages`; true when the state changed meanwhile. */
  private dumpOnce(type: number, body: Uint8Array, messages: NetlinkMessage[]): boolean {
    const sequence = this.send([{ type, flags: NLM_F_DUMP, body }]);
    let hasGaps = false;
    for (;;) {
      for (const message of this.receive()) {
        if (message.sequence !== sequence) continue;
        hasGaps ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          const answer = decodeAnswer(message);
          if (answer !== undefined && answer.errno !== 0) throw new NetlinkRefusal(`dump of type ${type}`, answer);
          return hasGaps;
        }
        messages.push(message);
      }
    }
  }

  ask(type: number, body: Uint8Array): NetlinkMessage | undefined {
    const sequence = this.send([{ type, flags: 0, body }]);
    for (;;) {
      const message = this.receive().find((one) => one.sequence === sequence);
      if (message !== undefined) return message.type === NLMSG_ERROR ? undefined : message;
    }
  }

  request(request: NetlinkRequest): NetlinkAnswer {
    return this.requestAll([request])[0]!;
  }

  requestAll(requests: readonly NetlinkRequest[]): NetlinkAnswer[] {
    const answers: NetlinkAnswer[] = [];
    for (let first = 0; first < requests.length; first += AT_ONCE) {
      const part = requests.slice(first, first + AT_ONCE);
      const sequence = this.send(part.map((request) => ({ ...request, flags: request.flags | NLM_F_ACK })));
      let missing = part.length;
      while (missing > 0) {
        for (const message of this.receive()) {
          const index = message.sequence - sequence;
          const answer = index >= 0 && index < part.length ? decodeAnswer(message) : undefined;
          if (answer === undefined || message.type !== NLMSG_ERROR) continue;
          answers[first + index] = answer;
          missing -= 1;
        }
      }
    }
    return answers;
  }

  batch(begin: NetlinkRequest, requests: readonly NetlinkRequest[], end: NetlinkRequest): BatchResult {
    const errors: { index: number; answer: NetlinkAnswer }[] = [];
    const echoes = new Map<number, readonly NetlinkMessage[]>();
    if (requests.length === 0) return { errors, echoes };
    // Errors are always answered. The acknowledgement of the last request comes after all else: what was done is told before.
    const last = requests.length - 1;
    const body = requests.map((one, index) => (index === last ? { ...one, flags: one.flags | NLM_F_ACK } : one));
    const sequence = this.send([begin, ...body, end]) + 1;
    for (let isOver = false; !isOver; ) {
      for (const message of this.receive()) {
        const index = message.sequence - sequence;
        if (index < -1 || index > requests.length) continue;
        const answer = message.type === NLMSG_ERROR ? decodeAnswer(message) : undefined;
        if (answer === undefined) {
          if (message.type > NLMSG_MIN_TYPE) echoes.set(index, [...(echoes.get(index) ?? []), message]);
          continue;
        }
        if (answer.errno !== 0) errors.push({ index, answer });
        // An error of the begin or the end is one of the whole batch, and the only one.
        isOver ||= index === last || index === -1 || index === requests.length;
      }
    }
    return { errors, echoes };
  }

  close(): void {
    this.calls.close(this.fd);
  }

  /** Sends requests in one datagram; returns the sequence number of the first. */
  private send(requests: readonly NetlinkRequest[]): number {
    const first = this.sequence + 1;
    this.sequence += requests.length;
    attempt('the kernel does not take a request', () =>
      this.calls.sendto(this.fd, encodeRequests(requests, first), 0, KERNEL),
    );
    return first;
  }

  private receive(): readonly NetlinkMessage[] {
    const length = attempt('the kernel does not answer', () => this.calls.recv(this.fd, this.buffer, 0));
    return decodeMessages(this.buffer.slice(0, length)).messages;
  }
}

/** What is read is copied at once: one buffer does for all subscriptions. */
let subscriptionBuffer: Uint8Array | undefined;

class Subscription {
  private readonly calls: SystemCalls;
  private readonly fd: number;
  private readonly listener: NetlinkListener;
  private readonly watch: ReturnType<SystemCalls['watch']>;
  private closed = false;

  constructor(calls: SystemCalls, fd: number, listener: NetlinkListener) {
    this.calls = calls;
    this.fd = fd;
    this.listener = listener;
    this.watch = calls.watch(fd, 'readable', () => this.read());
    this.watch.resume();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.watch.close();
    this.calls.close(this.fd);
  }

  /** Takes what is there, but not for ever: others want the thread, too. */
  private read(): void {
    subscriptionBuffer ??= new Uint8Array(64 * 1024);
    for (let datagrams = 0; datagrams < 256 && !this.closed; datagrams++) {
      let length: number;
      try {
        length = this.calls.recv(this.fd, subscriptionBuffer, 0);
      } catch (error) {
        const code = isSystemError(error) ? error.code : undefined;
        if (code === 'EAGAIN' || code === 'EINTR') return;
        if (code === 'ENOBUFS') {
          this.listener.onLost();
          continue;
        }
        this.close();
        this.listener.onError(error as Error);
        return;
      }
      for (const message of decodeMessages(subscriptionBuffer.slice(0, length)).messages) {
        if (this.closed) return;
        this.listener.onMessage(message);
      }
    }
  }
}

/** Prepares and binds a netlink socket; closes it when that fails. */
function bound(calls: SystemCalls, fd: number, ...options: (readonly [number, number, Uint8Array])[]): number {
  try {
    for (const [force, modest] of [
      [SO_RCVBUFFORCE, SO_RCVBUF],
      [SO_SNDBUFFORCE, SO_SNDBUF],
    ] as const) {
      const isForced = optional(() => calls.setsockopt(fd, SOL_SOCKET, force, words(BUFFER_BYTES)));
      if (!isForced) optional(() => calls.setsockopt(fd, SOL_SOCKET, modest, words(BUFFER_BYTES)));
    }
    // Older kernels know not all of these, and do without.
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      optional(() => calls.setsockopt(fd, SOL_NETLINK, option, words(1)));
    }
    for (const [level, option, value] of options) calls.setsockopt(fd, level, option, value);
    calls.bind(fd, KERNEL);
    return fd;
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

function attempt<T>(doing: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (isSystemError(error) && error.code === 'EAGAIN') {
      throw new HostError('timed-out', `${doing}: no answer within ${LONGEST_WAIT_SECONDS} s`, { cause: error });
    }
    throw hostFailure(error, doing);
  }
}

function optional(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
}

function here<T>(run: () => T): T {
  return run();
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

/** `struct timeval`. */
function seconds(value: number): Uint8Array {
  return new Uint8Array(BigInt64Array.of(BigInt(value), 0n).buffer);
}

/** `struct sockaddr_nl` of the kernel, and of a socket that takes any port. */
const KERNEL: Uint8Array = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
/** Types below belong to netlink itself. */
const NLMSG_MIN_TYPE = 0x10;
