import type { CommandResult } from '../host/host.ts';
import type { HostState, LinkState, SocketState } from './state.ts';
import type { Explanation, Fidelity, Replay, SynSpec, TwinRole } from './syn.ts';

/** How a twin is built. */
export interface TwinOptions {
  readonly role: TwinRole;
  /**
   * The SYN that will be replayed, where it is known: its own half-open connection is then left out, and an old connection of the
   * same addresses and ports is made again.
   */
  readonly syn?: SynSpec;
}

/** A socket that listens in the twin. */
export interface TwinListener {
  /** What it was made from; of a listener that an experiment added, what it was asked for. */
  readonly socket: SocketState;
  readonly fd: number;
}

/**
 * The copy of a host in the network namespace of this process. Everything but building, {@link Twin.fidelity} and {@link Twin.run}
 * is synchronous: a packet that is written to a device is through the whole kernel when the call returns. Sockets that are opened and
 * programs that are started in this process are in the twin.
 */
export interface Twin {
  readonly state: HostState;
  readonly role: TwinRole;
  /** Interfaces by name; the indexes are those of the host. */
  readonly links: ReadonlyMap<string, LinkState>;
  /** Values of /proc/sys/net (paths as in {@link HostState.sysctls}) that a fresh namespace has with the same devices. */
  readonly freshSysctls: Readonly<Record<string, string>>;
  /** Settings that were written because they differ from the fresh ones. */
  readonly changedSysctls: readonly string[];
  /** Said beside every verdict. Replays add who was taken to answer ARP and ND. */
  readonly assumptions: readonly string[];
  /** What of the state is not in the twin, and what a twin never has. Of a drop that is not reproduced these are the suspects. */
  readonly notCopied: readonly string[];
  /** Neighbours that the host knew as dead (FAILED, INCOMPLETE): `eth0 192.0.2.1`. Nobody answers for them. */
  readonly deadNeighbours: readonly string[];
  /** An old connection of the same addresses and ports was made again: its state. */
  readonly staleConnection: 'ESTAB' | 'TIME-WAIT' | undefined;
  readonly listeners: readonly TwinListener[];
  /** How many half-open connections were made again. */
  readonly halfOpen: number;
  /** Rules hold state that replays use up (limits, quotas, dynamic sets): {@link Twin.resetFilters} follows each replay. */
  readonly hasStatefulFilters: boolean;
  /** SYNs sent so far. */
  readonly replays: number;

  /** Sends the SYN, answers ARP and ND for the outside world, looks at what comes out, and removes what it left behind. */
  replay(syn: SynSpec): Replay;
  /** Sends it `count` times from different source ports with nothing removed in between; ends at the first that is not answered. */
  burst(syn: SynSpec, count: number): readonly Replay[];
  /** Replays once with counters, drop reasons, route look-ups and the trace of nftables. */
  explain(syn: SynSpec): Explanation;
  /** Takes a snapshot of the twin and compares it with the original. */
  fidelity(): Promise<Fidelity>;

  /** Runs a program in the twin (after {@link Twin.replay}s nothing of it is left running). 10 s at most. */
  run(argv: readonly string[], input?: string): Promise<CommandResult>;
  /** The same, while the process waits: 2 to 20 ms. */
  runSync(argv: readonly string[], input?: string): CommandResult;
  /** Undefined when there is no such setting. */
  readSysctl(path: string): string | undefined;
  /** False when the kernel refuses it. */
  writeSysctl(path: string, value: string): boolean;

  /** Opens a listener with the properties of `socket`, its accept queue filled as it says. Undefined when the kernel refuses it. */
  listen(socket: SocketState): TwinListener | undefined;
  close(listener: TwinListener): void;
  /** Makes all listeners of a port anew, in their order, as the state has them; half-open connections as well. */
  restoreListeners(port: number): void;
  /** Takes everything out of the accept queue. */
  emptyAcceptQueue(listener: TwinListener): void;
  /** Removes the half-open connections of a port that were copied. */
  dropHalfOpen(port: number): void;
  restoreHalfOpen(): void;
  /** Removes the old connection of the same addresses and ports; makes it again. */
  dropStaleConnection(): void;
  restoreStaleConnection(): void;

  /** From now on the outside world answers for this neighbour (or as before). `neighbour` as in {@link Twin.deadNeighbours}. */
  setAnswers(neighbour: string, answers: boolean): void;
  /** Who would answer ARP or ND for an address behind an interface; undefined when nobody does. */
  answererOf(device: string, address: string, syn: SynSpec): string | undefined;
  /** Gives a frame (from its Ethernet header on) to an interface, as if it came in. */
  send(device: string, frame: Uint8Array): void;
  /** The frame of a SYN, made from its fields where it has none. */
  frameOf(syn: SynSpec): Uint8Array;

  /**
   * Puts the state that replays use up in rules back (reloads the rules). The search replaces it while rules are changed, so that
   * its changes stay.
   */
  resetFilters: () => void;
  /** Forgets what replays left: neighbours that wait for an answer, connections that are tracked, request sockets. */
  clean(): void;
}
