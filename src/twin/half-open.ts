import { TCP_STATES } from '../formats/netlink/inet-diag.ts';
import { type CompleteSyn, completeSyn } from './complete-syn.ts';
import { exchange } from './exchange.ts';
import { macAt, SYN_OPTIONS, TCP_SYN, tcpFrame } from './frames.ts';
import type { Notes } from './notes.ts';
import type { Residue } from './residue.ts';
import type { HostState, SocketState } from './state.ts';
import type { SynSpec } from './syn.ts';
import type { Taps } from './tap.ts';
import type { World } from './world.ts';

/** Half-open connections that are made again at most: queues are not longer as a rule. */
const MAX_HALF_OPEN = 8192;

/** The half-open connections of a host, made again in its twin by SYNs of the same clients. */
export class HalfOpen {
  /** How many the kernel has taken. */
  count = 0;
  /** Neighbours that were asked for to answer them, and did not; the kernel asks nobody again for another SYN-ACK meanwhile. */
  unanswered: readonly string[] = [];
  private isDropped = false;
  private readonly taps: Taps;
  private readonly world: World;
  private readonly residue: Residue;
  private readonly frames: readonly {
    readonly syn: CompleteSyn;
    readonly frame: Buffer;
    readonly socket: SocketState;
  }[];
  private readonly keys: ReadonlySet<string>;

  /** @param own the SYN under test: its own half-open connection is left out, or it would be a retransmission. */
  constructor(state: HostState, world: World, taps: Taps, residue: Residue, notes: Notes, own: SynSpec | undefined) {
    this.taps = taps;
    this.world = world;
    this.residue = residue;
    const listening = new Set(state.sockets.filter((one) => one.state === 'LISTEN').map(({ local }) => local.port));
    const sockets = state.sockets.filter(
      (socket) => socket.state === 'SYN-RECV' && listening.has(socket.local.port) && !isOf(socket, own),
    );
    if (sockets.length > MAX_HALF_OPEN)
      notes.missing(`${sockets.length - MAX_HALF_OPEN} of ${sockets.length} half-open connections`);
    this.frames = sockets.slice(0, MAX_HALF_OPEN).map((socket, index) => {
      const syn = describe(socket, state, world, taps.names, own);
      const frame = tcpFrame({
        ...syn,
        destinationMac: macAt(syn.frame, 0),
        flags: TCP_SYN,
        sequence: 1000 + index,
        options: SYN_OPTIONS,
      });
      return { syn, frame, socket };
    });
    this.keys = new Set(sockets.map(keyOf));
  }

  /** Sends the SYNs, and lets the world answer ARP: while the kernel waits for that, a connection can be lost. */
  make(port?: number): void {
    const unanswered = new Set<string>();
    for (const { syn, frame, socket } of this.frames) {
      if (port !== undefined && socket.local.port !== port) continue;
      this.taps.send(syn.device, frame);
      for (const neighbour of exchange(this.taps, this.world, syn).unanswered) unanswered.add(neighbour);
    }
    this.unanswered = [...unanswered];
    this.isDropped = false;
    this.count = this.alive();
  }

  /** Makes those again that the kernel has given up meanwhile. */
  keep(): void {
    if (this.count > 0 && !this.isDropped && this.alive() < this.count) this.make();
  }

  /** Lets the world answer ARP for SYN-ACKs that were sent again. */
  settle(): void {
    const [first] = this.frames;
    if (this.count > 0 && first !== undefined) exchange(this.taps, this.world, first.syn);
  }

  /** Removes them. */
  drop(port?: number): void {
    if (this.frames.length === 0) return;
    this.isDropped = true;
    this.residue.destroySockets(
      ({ local, remote }) =>
        (port === undefined || local.port === port) && this.keys.has(`${remote.address} ${remote.port} ${local.port}`),
    );
  }

  private alive(): number {
    if (this.frames.length === 0) return 0;
    return this.residue
      .sockets([TCP_STATES.synReceived])
      .filter(({ local, remote }) => this.keys.has(`${remote.address} ${remote.port} ${local.port}`)).length;
  }
}

function describe(
  socket: SocketState,
  state: HostState,
  world: World,
  devices: readonly string[],
  own: SynSpec | undefined,
): CompleteSyn {
  const device = socket.device ?? own?.device;
  const family = socket.remote.address.includes(':') ? 6 : 4;
  return completeSyn(
    {
      family,
      source: socket.remote.address,
      sourcePort: socket.remote.port,
      destination: socket.local.address,
      destinationPort: socket.local.port,
      ...(device === undefined ? {} : { device }),
      ...(own?.sourceMac === undefined ? {} : { sourceMac: own.sourceMac }),
    },
    state,
    world,
    devices,
  );
}

function keyOf({ remote, local }: SocketState): string {
  return `${remote.address} ${remote.port} ${local.port}`;
}

function isOf({ remote, local }: SocketState, syn: SynSpec | undefined): boolean {
  return (
    syn !== undefined &&
    remote.address === syn.source &&
    remote.port === syn.sourcePort &&
    local.port === syn.destinationPort
  );
}
