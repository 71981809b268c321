import { encodeSocketAddress } from '../host/socket-address.ts';
import { type SystemCalls, systemCalls } from '../host/system.ts';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { formatHost } from '../model/flow.ts';
import type { Notes } from './notes.ts';
import { DEFAULT_BACKLOG, releaseGroup, setListenerOptions, setOption, steerGroup } from './socket-options.ts';
import type { HostState, SocketState } from './state.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
/** Connections that wait to be accepted: more than this are not made. */
const MAX_WAITING = 4096;
/** An address of the loopback interface to which nobody binds: what is connected to it comes to a listener of any address. */
const LOOPBACK_V4 = '127.83.83.83';

/** A socket that listens in the twin. */
export interface TwinListener {
  /** What it was made from; of a listener that an experiment added, what it was asked for. */
  readonly socket: SocketState;
  readonly fd: number;
}

interface Listener extends TwinListener {
  /** Connections that wait in its accept queue. */
  readonly waiting: number[];
}

/** The sockets that listen in the twin, and what waits in their queues. */
export class Listeners {
  private open: Listener[] = [];
  /** Sockets of the state that are made otherwise for now. */
  private readonly replaced: Map<SocketState, SocketState> = new Map();
  private wantsSignatures = true;
  private readonly state: HostState;
  private readonly notes: Notes;
  private readonly calls: SystemCalls = systemCalls();
  /** Rules tell sockets by the user that they belong to. */
  private readonly needsUsers: boolean;

  constructor(state: HostState, notes: Notes) {
    this.state = state;
    this.notes = notes;
    this.needsUsers =
      state.rules.some(({ line }) => line.includes('uidrange')) ||
      /skuid|skgid/.test(state.nft?.text ?? '') ||
      state.iptables.some(({ text }) => text.includes('--uid-owner'));
  }

  get all(): readonly TwinListener[] {
    return this.open;
  }

  /** From now on listeners want no signatures: that of the SYN was taken out. */
  withoutSignatures(): void {
    this.wantsSignatures = false;
    if (this.state.sockets.some(({ options }) => options?.md5Peers !== undefined)) {
      this.notes.missing('the keys of TCP-MD5: whether the signature of the SYN is right is not known');
    }
  }

  /** Makes those of the state, of one port or all. */
  make(port?: number): void {
    const wanted = this.state.sockets.filter(
      ({ state, local }) => state === 'LISTEN' && (port === undefined || local.port === port),
    );
    const made = inOrder(wanted).flatMap((socket) => this.openOne(this.replaced.get(socket) ?? socket) ?? []);
    for (const listener of made) if (listener.socket.receiveQueue > 0) this.fill(listener);
  }

  /** Closes all of a port and makes those of the state anew: the order within a group of SO_REUSEPORT decides who gets what. */
  restore(port: number): void {
    for (const socket of this.replaced.keys()) if (socket.local.port === port) this.replaced.delete(socket);
    this.remake(port);
  }

  /** Makes all of a port anew, with one of the state as another. */
  replace(socket: SocketState, changed: SocketState): void {
    this.replaced.set(socket, changed);
    this.remake(socket.local.port);
  }

  private remake(port: number): void {
    for (const listener of this.open.filter(({ socket }) => socket.local.port === port)) this.close(listener);
    this.make(port);
  }

  /** Undefined when the kernel refuses it. */
  listen(socket: SocketState): TwinListener | undefined {
    const listener = this.openOne(socket);
    if (listener !== undefined && socket.receiveQueue > 0) this.fill(listener);
    return listener;
  }

  private openOne(socket: SocketState): Listener | undefined {
    const fd = this.create(socket);
    try {
      const { options: { md5Peers: _, ...unsigned } = {}, ...rest } = socket;
      setListenerOptions(
        this.calls,
        fd,
        this.wantsSignatures ? socket : { ...rest, options: unsigned },
        this.isShared(socket),
      );
      this.calls.bind(fd, this.addressOf(socket));
      this.calls.listen(fd, socket.sendQueue ?? DEFAULT_BACKLOG);
    } catch (error) {
      this.calls.close(fd);
      if (!isSystemError(error)) throw error;
      this.notes.missing(`the listener ${nameOf(socket)}: ${systemReason(error)}`);
      return undefined;
    }
    const listener: Listener = { socket, fd, waiting: [] };
    this.open.push(listener);
    if (socket.options?.hasForeignFilter === true)
      this.notes.missing(`the eBPF filter of the listener ${nameOf(socket)}`);
    return listener;
  }

  close(listener: TwinListener): void {
    const known = this.open.find((one) => one === listener);
    if (known === undefined) return;
    this.open = this.open.filter((one) => one !== known);
    this.calls.close(known.fd);
    for (const fd of known.waiting) this.calls.close(fd);
  }

  /** Accepts everything that waits, and closes it. */
  empty(listener: TwinListener): void {
    for (let count = 0; count < 2 * MAX_WAITING; count++) {
      const fd = this.calls.accept(listener.fd);
      if (fd === undefined) break;
      this.calls.close(fd);
    }
    const known = this.open.find((one) => one === listener);
    for (const fd of known?.waiting.splice(0) ?? []) this.calls.close(fd);
  }

  private create({ family, uid }: SocketState): number {
    const make = (): number => this.calls.socket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (!this.needsUsers || uid === undefined || uid === 0 || process.seteuid === undefined) return make();
    try {
      process.seteuid(uid);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.notes.missing(`the user ${uid} of listeners: without root all belong to one user`);
      return make();
    }
    try {
      return make();
    } finally {
      process.seteuid(0);
    }
  }

  /** Several sockets of one address and port can only be a group of SO_REUSEPORT. */
  private isShared(socket: SocketState): boolean {
    if (socket.options?.reuseport === true) return true;
    const key = nameOf(socket);
    return this.state.sockets.filter((one) => one.state === 'LISTEN' && nameOf(one) === key).length > 1;
  }

  /** Has the whole group of a listener hand new connections to it alone while `run` makes them. */
  private steered(listener: Listener, run: () => void): void {
    const group = this.open.filter(({ socket }) => nameOf(socket) === nameOf(listener.socket));
    const isSteered = group.length > 1 && steerGroup(this.calls, listener.fd, group.indexOf(listener));
    try {
      run();
    } finally {
      if (isSteered) releaseGroup(this.calls, listener.fd);
    }
  }

  private addressOf({ local, family, device }: SocketState): Uint8Array {
    const isMapped = family === 6 && !local.address.includes(':');
    const scope = this.state.links.find(({ name }) => name === device)?.index ?? 0;
    const encoded = encodeSocketAddress(isMapped ? '::' : local.address, local.port, scope);
    if (encoded === undefined) throw new TypeError(`${local.address} is no address`);
    if (isMapped) {
      const plain = encodeSocketAddress(local.address, local.port, 0);
      // ::ffff:192.0.2.1
      encoded.set([0xff, 0xff, ...(plain?.subarray(4, 8) ?? [])], 18);
    }
    return encoded;
  }

  /** Fills the accept queue as far as it was on the host, by connections over the loopback interface that nobody accepts. */
  private fill(listener: Listener): void {
    const { socket } = listener;
    const wanted = Math.min(socket.receiveQueue, MAX_WAITING);
    const target = this.loopbackOf(socket);
    const connect = (): void => {
      for (let count = 0; target !== undefined && count < wanted; count++) {
        const fd = this.calls.socket(socket.family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
        listener.waiting.push(fd);
        try {
          if (socket.device !== undefined) setOption(this.calls, fd, 'device', socket.device);
          this.calls.connect(fd, target);
        } catch (error) {
          if (!isSystemError(error)) throw error;
          if (error.code !== 'EINPROGRESS') break;
        }
      }
    };
    this.steered(listener, connect);
    if (target === undefined || socket.receiveQueue > wanted) {
      this.notes.missing(
        `the accept queue of ${nameOf(socket)} (${socket.receiveQueue} of ${socket.sendQueue ?? '?'})`,
      );
    }
  }

  private loopbackOf(socket: SocketState): Uint8Array | undefined {
    const { address, port } = socket.local;
    if (address === '0.0.0.0') return encodeSocketAddress(LOOPBACK_V4, port, 0);
    return address === '::' ? encodeSocketAddress('::1', port, 0) : this.addressOf(socket);
  }
}

/**
 * In the order in which they were opened: of a group of SO_REUSEPORT the kernel lists those of IPv4 newest first, and those of IPv6 oldest first
 * (`__inet_hash()`).
 */
function inOrder(listed: readonly SocketState[]): readonly SocketState[] {
  return [...listed.filter(({ family }) => family === 4).reverse(), ...listed.filter(({ family }) => family === 6)];
}

/** What a report calls a listener. */
function nameOf({ local, device, family, v6only }: SocketState): string {
  const scope = device === undefined ? '' : `%${device}`;
  const only = family === 6 && local.address === '::' && v6only === true ? ' (IPv6 only)' : '';
  return `${formatHost(local.address)}${scope}:${local.port}${only}`;
}
