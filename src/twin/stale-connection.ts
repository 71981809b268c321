import { TCP_STATES } from '../formats/netlink/inet-diag.ts';
import { systemCalls } from '../host/system.ts';
import type { CompleteSyn } from './complete-syn.ts';
import { type Exchange, judge } from './exchange.ts';
import { macAt, shapeOf, TCP_ACK, TCP_FIN, TCP_SYN, tcpFrame } from './frames.ts';
import type { Listeners } from './listeners.ts';
import type { Notes } from './notes.ts';
import type { Residue } from './residue.ts';
import { closeHard } from './socket-options.ts';
import type { HostState } from './state.ts';
import type { Taps } from './tap.ts';
import { World } from './world.ts';

interface StaleParts {
  readonly syn: CompleteSyn;
  readonly taps: Taps;
  readonly residue: Residue;
  readonly listeners: Listeners;
  readonly notes: Notes;
  readonly send: (syn: CompleteSyn) => Exchange;
}

const OLD_SEQUENCE = 900_000;
/** By how much the clock of the old connection is ahead of that of the SYN: a host that drops it for its timestamp saw a newer one. */
const AHEAD = 1000;
const OPTION_TIMESTAMP = 8;

/**
 * A connection with the addresses and ports of the SYN that the host still knows. It is made again by a handshake, and for TIME-WAIT by an
 * orderly end, before the filters are loaded.
 */
export class StaleConnection {
  readonly state: 'ESTAB' | 'TIME-WAIT';
  private readonly parts: StaleParts;
  private readonly world: World;
  private fd: number | undefined;

  private constructor(state: 'ESTAB' | 'TIME-WAIT', host: HostState, parts: StaleParts) {
    this.state = state;
    this.parts = parts;
    this.world = new World(host);
  }

  /** Undefined when the host knows no such connection. */
  static of(host: HostState, parts: StaleParts): StaleConnection | undefined {
    const { syn } = parts;
    const known = host.sockets.find(
      ({ local, remote }) =>
        local.port === syn.destinationPort && remote.address === syn.source && remote.port === syn.sourcePort,
    );
    const { state } = known ?? {};
    return state === 'ESTAB' || state === 'TIME-WAIT' ? new StaleConnection(state, host, parts) : undefined;
  }

  make(): void {
    const { syn, taps, listeners, send, notes } = this.parts;
    const old = { ...syn, frame: this.frame(TCP_SYN, OLD_SEQUENCE), sequence: OLD_SEQUENCE };
    const { reply, sequence = 0 } = judge('server', syn, this.world, send(old));
    const listener = listeners.all.find(({ socket }) => socket.local.port === syn.destinationPort);
    if (reply === 'syn-ack') taps.send(syn.device, this.frame(TCP_ACK, OLD_SEQUENCE + 1, sequence + 1));
    const fd = reply === 'syn-ack' && listener !== undefined ? systemCalls().accept(listener.fd) : undefined;
    if (fd === undefined) {
      notes.missing(`the old connection (${this.state}) of the same addresses and ports`);
      return;
    }
    this.fd = fd;
    if (this.state === 'ESTAB') return;
    notes.assume('the old connection in TIME-WAIT had seen newer timestamps than those of the SYN');
    systemCalls().close(fd);
    this.fd = undefined;
    taps.drain();
    taps.send(syn.device, this.frame(TCP_FIN | TCP_ACK, OLD_SEQUENCE + 1, sequence + 2));
    taps.drain();
  }

  drop(): void {
    const { syn, residue, taps } = this.parts;
    if (this.fd !== undefined) closeHard(systemCalls(), this.fd);
    this.fd = undefined;
    residue.destroySockets(
      ({ remote }) => remote.address === syn.source && remote.port === syn.sourcePort,
      [TCP_STATES.timeWait, TCP_STATES.established, TCP_STATES.finWait1, TCP_STATES.finWait2],
    );
    taps.drain();
  }

  private frame(flags: number, sequence: number, acknowledgement?: number): Buffer {
    const { syn } = this.parts;
    const timestamp = timestampOf(syn.frame);
    return tcpFrame({
      ...syn,
      destinationMac: macAt(syn.frame, 0),
      flags,
      sequence,
      ...(acknowledgement === undefined ? {} : { acknowledgement }),
      ...(timestamp === undefined ? {} : { options: timestampOption(timestamp + AHEAD) }),
    });
  }
}

/** The timestamp of a SYN (RFC 7323); undefined when it has none. */
function timestampOf(frame: Buffer): number | undefined {
  const { transport } = shapeOf(frame);
  const end = Math.min(frame.length, transport + (frame[transport + 12]! >>> 4) * 4);
  for (let at = transport + 20; at + 10 <= end; ) {
    const kind = frame[at];
    if (kind === 0) return undefined;
    if (kind === OPTION_TIMESTAMP) return frame.readUInt32BE(at + 2);
    at += kind === 1 ? 1 : Math.max(2, frame[at + 1]!);
  }
  return undefined;
}

function timestampOption(value: number): Buffer {
  const option = Buffer.from([1, 1, OPTION_TIMESTAMP, 10, 0, 0, 0, 0, 0, 0, 0, 0]);
  option.writeUInt32BE(value >>> 0, 4);
  return option;
}
