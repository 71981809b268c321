import { type CommandResult, type Host, HostError } from '../host/host.ts';
import { LocalHost } from '../host/local-host.ts';
import { buildNetwork } from './build.ts';
import { buildLinks } from './build-links.ts';
import { buildPolicies, buildQdiscs } from './build-policies.ts';
import { type BuiltSysctls, readSysctl, writeSysctl } from './build-sysctls.ts';
import { connectOut } from './client-replay.ts';
import { type CompleteSyn, completeSyn } from './complete-syn.ts';
import { answerPassedOn, type Exchange, exchange, judge, tcpAnswers } from './exchange.ts';
import { explainReplay } from './explain.ts';
import { compareStates } from './fidelity.ts';
import { hasSynProxy } from './filter-text.ts';
import { Filters, runSync } from './filters.ts';
import { ackTo } from './frames.ts';
import { HalfOpen } from './half-open.ts';
import { noteLimits } from './limits.ts';
import { Listeners, type TwinListener } from './listeners.ts';
import { answersForItself } from './neighbour-probe.ts';
import { Notes } from './notes.ts';
import { Residue } from './residue.ts';
import { Shapers } from './shapers.ts';
import { StaleConnection } from './stale-connection.ts';
import { type HostState, type LinkState, type SocketState, STATE_VERSION } from './state.ts';
import type { Explanation, Fidelity, Replay, SynSpec, TwinRole } from './syn.ts';
import { Taps } from './tap.ts';
import { TrafficFilters } from './traffic-filters.ts';
import { variedPort, withSourcePort } from './vary-syn.ts';
import { World } from './world.ts';

/** How a twin is built. */
export interface TwinOptions {
  readonly role: TwinRole;
  /**
   * The SYN that will be replayed, where it is known: its own half-open connection is then left out, and an old connection of the
   * same addresses and ports is made again.
   */
  readonly syn?: SynSpec;
}

interface TwinParts {
  readonly host: Host;
  readonly notes: Notes;
  readonly taps: Taps;
}

/**
 * The copy of a host in the network namespace of this process. Everything but building, {@link Twin.fidelity} and {@link Twin.run}
 * is synchronous: a packet that is written to a device is through the whole kernel when the call returns. Sockets that are opened and
 * programs that are started in this process are in the twin.
 */
export class Twin {
  readonly state: HostState;
  readonly role: TwinRole;
  /** Interfaces by name; the indexes are those of the host. */
  readonly links: ReadonlyMap<string, LinkState>;
  /**
   * Puts the state that replays use up in rules back (reloads the rules). The search replaces it while rules are changed, so that
   * its changes stay.
   */
  resetFilters: () => void;
  /** SYNs sent so far. */
  replays = 0;
  private readonly host: Host;
  private readonly notes: Notes;
  private readonly taps: Taps;
  private readonly residue: Residue = new Residue();
  /** Filters of tc. */
  readonly traffic: TrafficFilters;
  /** Queueing disciplines. */
  readonly shapers: Shapers;
  private readonly world: World;
  private readonly filters: Filters;
  private readonly sockets: Listeners;
  private readonly hasSynProxy: boolean;
  /** A connection to that port has come up in the last replay, and waits to be accepted. */
  private acceptedOn: number | undefined;
  private sysctls: BuiltSysctls = { fresh: {}, changed: [] };
  private half: HalfOpen | undefined;
  private stale: StaleConnection | undefined;
  /** Frames went in or out since the last clean-up that asked for neighbours. */
  private hasAsked = true;

  private constructor(state: HostState, role: TwinRole, { host, notes, taps }: TwinParts) {
    this.host = host;
    this.notes = notes;
    this.taps = taps;
    this.state = state;
    this.role = role;
    this.links = new Map(state.links.map((link) => [link.name, link]));
    this.world = new World(state);
    this.traffic = new TrafficFilters(state, this.residue.routing);
    this.shapers = new Shapers(state, this.residue.routing);
    this.filters = new Filters(state, this.notes);
    this.sockets = new Listeners(state, this.notes);
    this.hasSynProxy = hasSynProxy(state);
    this.resetFilters = () => this.filters.reload();
  }

  /**
   * Builds the copy in the namespace of this process, which must be a fresh one.
   * @throws HostError when it cannot be built at all; what is only not copied is in {@link Twin.notCopied}.
   */
  static async build(original: HostState, { role, syn }: TwinOptions): Promise<Twin> {
    if (original.version !== STATE_VERSION) {
      throw new HostError(
        'failed',
        `the state is of version ${original.version}, and this synscope knows ${STATE_VERSION}`,
      );
    }
    const parts = { host: new LocalHost(), notes: new Notes(), taps: new Taps({ vouches: hasSynProxy(original) }) };
    const state = await buildLinks(original, parts.taps, parts.host, parts.notes);
    const twin = new Twin(state, role, parts);
    for (const { what, reason } of state.notRead) twin.notes.missing(`${what}: ${reason}`);
    if (state.trafficFilters === undefined) {
      for (const hook of state.filterHooks) twin.notes.missing(`filters of tc at ${hook}`);
    }
    if (state.bpfPrograms.length > 0) {
      twin.notes.missing(`BPF programs in the way: ${[...new Set(state.bpfPrograms)].slice(0, 8).join(', ')}`);
    }
    noteLimits(state, twin.notes);
    twin.sysctls = await buildNetwork(state, twin.host, twin.notes);
    // Before the filters: what stands in queues came in before them, or past them.
    twin.buildSockets(syn);
    await Promise.all([
      twin.filters.load(twin.host),
      buildPolicies(state, twin.host, twin.notes),
      buildQdiscs(state, twin.host, twin.notes).then(() => {
        twin.shapers.build(twin.notes);
        return twin.traffic.build(twin.host, twin.notes);
      }),
    ]);
    twin.clean();
    return twin;
  }

  /** Values of /proc/sys/net (paths as in {@link HostState.sysctls}) that a fresh namespace has with the same devices. */
  get freshSysctls(): Readonly<Record<string, string>> {
    return this.sysctls.fresh;
  }

  /** Settings that were written because they differ from the fresh ones. */
  get changedSysctls(): readonly string[] {
    return this.sysctls.changed;
  }

  /** Said beside every verdict. Replays add who was taken to answer ARP and ND. */
  get assumptions(): readonly string[] {
    return this.notes.assumptions;
  }

  /** What of the state is not in the twin. Of a drop that is not reproduced these are the suspects. */
  get notCopied(): readonly string[] {
    return this.notes.notCopied;
  }

  /** Neighbours that the host knew as dead (FAILED, INCOMPLETE): `eth0 192.0.2.1`. Nobody answers for them. */
  get deadNeighbours(): readonly string[] {
    return this.world.deadNeighbours;
  }

  /** An old connection of the same addresses and ports was made again: its state. */
  get staleConnection(): 'ESTAB' | 'TIME-WAIT' | undefined {
    return this.stale?.state;
  }

  get listeners(): readonly TwinListener[] {
    return this.sockets.all;
  }

  /** How many half-open connections were made again. */
  get halfOpen(): number {
    return this.half?.count ?? 0;
  }

  /** Rules hold state that replays use up (limits, quotas, dynamic sets): {@link Twin.resetFilters} follows each replay. */
  get hasStatefulFilters(): boolean {
    return this.filters.hasState;
  }

  /** Sends the SYN, answers ARP and ND for the outside world, looks at what comes out, and removes what it left behind. */
  replay(syn: SynSpec): Replay {
    const complete = this.complete(syn);
    this.half?.keep();
    const replay = this.sendAndJudge(complete);
    this.cleanAfter(complete.source, [complete.sourcePort], replay);
    return replay;
  }

  /** Sends it `count` times from different source ports with nothing removed in between; ends at the first that is not answered. */
  burst(syn: SynSpec, count: number): readonly Replay[] {
    const first = this.complete(syn);
    const replays: Replay[] = [];
    const ports: number[] = [];
    for (let number = 0; number < count; number++) {
      const one = number === 0 ? first : withSourcePort(first, variedPort(first.sourcePort, number));
      ports.push(one.sourcePort);
      const replay = this.sendAndJudge(one);
      replays.push(replay);
      if (!replay.isAnswered) break;
    }
    this.cleanAfter(first.source, ports, undefined);
    return replays;
  }

  /** Sends it from `count` different source ports, one after the other with everything removed in between. */
  spread(syn: SynSpec, count: number): readonly Replay[] {
    const first = this.complete(syn);
    return Array.from({ length: count }, (_, number) => {
      const one = number === 0 ? first : withSourcePort(first, variedPort(first.sourcePort, number));
      const replay = this.sendAndJudge(one);
      this.cleanAfter(one.source, [one.sourcePort], replay);
      return replay;
    });
  }

  /** Replays once with counters, drop reasons, route look-ups and the trace of nftables. */
  explain(syn: SynSpec): Explanation {
    return explainReplay(syn, this.filters.hasNft, () => this.replay(syn));
  }

  /** Takes a snapshot of the twin and compares it with the original. */
  fidelity(): Promise<Fidelity> {
    return compareStates(this.state, this.host);
  }

  /** Runs a program in the twin. 10 s at most. @throws HostError when there is no such program. */
  run(argv: readonly string[], input?: string): Promise<CommandResult> {
    return this.host.run(argv, input === undefined ? {} : { input });
  }

  /** The same, while the process waits: 2 to 20 ms. Exit code 127 when there is no such program. */
  runSync(argv: readonly string[], input?: string): CommandResult {
    return runSync(argv, input);
  }

  /** A setting by its path below /proc/sys/net; undefined when there is none. */
  readSysctl(path: string): string | undefined {
    return readSysctl(path);
  }

  /** False when the kernel refuses it. */
  writeSysctl(path: string, value: string): boolean {
    return writeSysctl(path, value);
  }

  /** Opens a listener with the properties of `socket`, its accept queue filled as it says. Undefined when the kernel refuses it. */
  listen(socket: SocketState): TwinListener | undefined {
    return this.sockets.listen(socket);
  }

  close(listener: TwinListener): void {
    this.sockets.close(listener);
  }

  /** Makes all listeners of a port anew with one of the state as another; half-open connections as well. */
  replaceListener(socket: SocketState, changed: SocketState): void {
    this.sockets.replace(socket, changed);
    this.half?.make(socket.local.port);
  }

  /** Makes all listeners of a port anew, in their order, as the state has them; half-open connections as well. */
  restoreListeners(port: number): void {
    this.sockets.restore(port);
    this.half?.make(port);
  }

  /** Takes everything out of the accept queue. */
  emptyAcceptQueue(listener: TwinListener): void {
    this.sockets.empty(listener);
  }

  /** Removes the half-open connections of a port that were copied. */
  dropHalfOpen(port: number): void {
    this.half?.drop(port);
  }

  restoreHalfOpen(): void {
    this.half?.make();
  }

  /** Removes the old connection of the same addresses and ports. */
  dropStaleConnection(): void {
    this.stale?.drop();
    // Its last packet asked for neighbours, and nobody answered.
    this.hasAsked = true;
    this.clean();
  }

  /** Makes it again. */
  restoreStaleConnection(): void {
    this.stale?.make();
    this.hasAsked = true;
    this.clean();
  }

  /** From now on the outside world answers for this neighbour (or as before). `neighbour` as in {@link Twin.deadNeighbours}. */
  setAnswers(neighbour: string, answers: boolean): void {
    this.world.setAnswers(neighbour, answers);
    this.hasAsked = true;
    this.clean();
  }

  /** Who would answer ARP or ND for an address behind an interface; undefined when nobody does. */
  answererOf(device: string, address: string, syn: SynSpec): string | undefined {
    return this.world.answererOf(device, address, this.complete(syn), new Set());
  }

  /** Everything that a description of a SYN leaves open, decided: interface, sender, TTL, frame. */
  complete(syn: SynSpec): CompleteSyn {
    return completeSyn(syn, this.state, this.world, this.taps.names);
  }

  /** Gives a frame (from its Ethernet header on) to an interface, as if it came in; what comes of it is thrown away. */
  send(device: string, frame: Uint8Array): void {
    this.taps.send(device, frame);
    this.taps.drain();
    this.hasAsked = true;
  }

  /** Forgets what replays left: neighbours that wait for an answer, connections that are tracked, limits that were used up. */
  clean(): void {
    // A neighbour that is forgotten while a packet waits for it takes the connection along.
    this.half?.settle();
    if (this.hasAsked) this.residue.forgetNeighbours(NOBODY);
    this.hasAsked = false;
    this.residue.forgetConnections();
    if (this.filters.hasState) this.resetFilters();
  }

  private buildSockets(syn: SynSpec | undefined): void {
    if (syn !== undefined && this.role === 'server' && this.complete(syn).isSigned) this.sockets.withoutSignatures();
    this.sockets.make();
    this.half = new HalfOpen(this.state, this.world, this.taps, this.residue, this.notes, syn);
    this.half.make();
    this.clean();
    if (syn === undefined || this.role !== 'server') return;
    this.stale = StaleConnection.of(this.state, {
      syn: this.complete(syn),
      taps: this.taps,
      residue: this.residue,
      listeners: this.sockets,
      notes: this.notes,
      send: (complete) => this.pass(complete),
    });
    this.stale?.make();
  }

  private sendAndJudge(syn: CompleteSyn): Replay {
    this.replays++;
    if (this.role === 'client') return connectOut(syn, this.taps, this.world, (asked) => this.note(asked));
    const passed = this.pass(syn);
    const unanswered = [...new Set([...passed.unanswered, ...(this.half?.unanswered ?? [])])];
    const replay = judge(this.role, syn, this.world, { ...passed, unanswered });
    // What kept the answer back may have kept back what asks for a neighbour as well.
    this.note(replay.reply === 'silence');
    if (this.role !== 'server' || !replay.isAnswered) return replay;
    if (this.hasSynProxy && this.isResetAfterAck(syn, passed))
      return { ...replay, isAnswered: false, remark: 'reset-after-ack' };
    if (!syn.isSupposed) return replay;
    // Had nobody asked for its address, the SYN would not have come.
    this.hasAsked = true;
    const isHeard = answersForItself(syn, this.state, this.taps, this.world);
    if (isHeard === undefined) return { ...replay, remark: 'unasked' };
    return isHeard ? replay : { ...replay, isAnswered: false, remark: 'no-arp-answer' };
  }

  /** What a SYN proxy answered is a connection only when the ACK gets back to it: sends that. */
  private isResetAfterAck(syn: CompleteSyn, { departures }: Exchange): boolean {
    const { synAck } = tcpAnswers(syn, departures);
    if (synAck === undefined) return false;
    this.taps.send(this.portOf(syn.device), ackTo(synAck.frame, synAck.shape, syn.sourceMac));
    const after = exchange(this.taps, this.world, syn);
    this.note(after.asked);
    const { isReset } = tcpAnswers(syn, after.departures);
    if (!isReset) this.acceptedOn = syn.destinationPort;
    return isReset;
  }

  /** Sends a frame through the device it came in by: one of its ports where that is a bridge. */
  private pass(syn: CompleteSyn): Exchange {
    this.taps.drain();
    this.taps.send(this.portOf(syn.device), syn.frame);
    const assumed = new Set<string>();
    const isServer = this.role === 'server';
    const answer = isServer ? answerPassedOn(this.taps, this.world, syn, assumed) : undefined;
    const result = exchange(this.taps, this.world, syn, answer);
    this.note(result.asked);
    return { ...result, assumed: [...result.assumed, ...assumed] };
  }

  private portOf(device: string): string {
    if (this.taps.has(device)) return device;
    const ports = this.state.links.filter(({ master, name }) => master === device && this.taps.has(name));
    return (
      (ports.find(({ flags }) => flags.includes('UP') && !flags.includes('NO-CARRIER')) ?? ports[0])?.name ?? device
    );
  }

  private note(asked: boolean): void {
    this.hasAsked ||= asked;
  }

  private cleanAfter(client: string, ports: readonly number[], replay: Replay | undefined): void {
    if (this.acceptedOn !== undefined) this.restoreListeners(this.acceptedOn);
    this.acceptedOn = undefined;
    // After a reset there is none; after anything else, also after silence, there may be.
    if (replay?.reply !== 'rst') {
      this.residue.destroySockets(({ remote }) => remote.address === client && ports.includes(remote.port));
    }
    this.clean();
  }
}

const NOBODY: ReadonlySet<string> = new Set();
