import type { BaselineScope } from '../collect/facts/collector.ts';
import { type Baseline, type Facts, gatherFacts, readBaseline } from '../collect/facts/gather.ts';
import { HOST_COLLECTORS } from '../collect/facts/index.ts';
import { type KernelTraceWatch, watchKernel } from '../collect/kernel-trace.ts';
import { type RuleTraceWatch, watchRules } from '../collect/rule-trace.ts';
import { SurroundingsLog, watchedAttempt } from '../collect/watch/attempt-of.ts';
import { foreignAnswers } from '../collect/watch/foreign-answers.ts';
import { interfaceNames } from '../collect/watch/interface-names.ts';
import { LiveHandshakes } from '../collect/watch/live-handshakes.ts';
import { type InterfaceNames, neighbourActivityOf, receivedBy, sightingsOf } from '../collect/watch/sightings.ts';
import type { IpLink } from '../formats/iproute/addr.ts';
import { parseIpMonitor } from '../formats/iproute/monitor.ts';
import { type Host, type HostCapture, HostError, type HostStream } from '../host/host.ts';
import { keepFromChildren } from '../host/system.ts';
import type { NotSeen } from '../model/diagnosis.ts';
import type { Attempt, ConnectResult, Surroundings } from '../model/facts/attempt.ts';
import { isUnavailable } from '../model/facts/fact.ts';
import type { NetworkChange } from '../model/facts/routing.ts';
import type { Handshake } from '../model/handshake.ts';

/** Text of the monitor that is kept: the latest. */
const MONITOR_CHARACTERS = 1_000_000;

/**
 * Everything that is watched on a host while attempts come or are made: packets, the tracepoints of the kernel, changes of routes and
 * links; and what was read before. Each part that cannot be had is left out, and said so.
 */
export class HostWatch {
  readonly live: LiveHandshakes;
  readonly surroundings: SurroundingsLog = new SurroundingsLog();
  /** Why no packets are seen; undefined when they are. */
  uncaptured: NotSeen | undefined;
  /** Why packets are not seen any more: the capture broke. {@link stop} throws it. */
  broken: HostError | undefined;
  private readonly host: Host;
  private readonly scope: BaselineScope;
  private readonly onPackets: ((chunk: Uint8Array) => void) | undefined;
  /** Names of interfaces by index. */
  names: InterfaceNames = new Map();
  private baseline: Baseline | undefined;
  private capture: HostCapture | undefined;
  private trace: KernelTraceWatch | undefined;
  private readonly allowChanges: boolean;
  private rules: RuleTraceWatch | undefined;
  private monitor: HostStream | undefined;
  private monitored = '';
  private packetsEnded = false;
  private giveBack: () => void = () => {};
  private readonly pumping: Promise<void>[] = [];
  private pumpingPackets: Promise<void> = Promise.resolve();

  /**
   * @param onPackets gets the capture as it comes; the bytes are good until it returns.
   * @param allowChanges lets it put a trace rule into nftables while it watches.
   */
  constructor(
    host: Host,
    scope: BaselineScope,
    onPackets?: (chunk: Uint8Array) => void,
    { allowChanges = false }: { readonly allowChanges?: boolean } = {},
  ) {
    this.allowChanges = allowChanges;
    this.host = host;
    this.scope = scope;
    this.onPackets = onPackets;
    this.live = new LiveHandshakes(scope.port);
  }

  /** Whether packets are seen. */
  get captures(): boolean {
    return this.capture !== undefined;
  }

  /** Whether no more packets come: those of a recording are over at once. */
  get isOver(): boolean {
    return this.packetsEnded;
  }

  /** Packets that the capture lost. */
  get lost(): number {
    return this.capture?.lost() ?? 0;
  }

  /** A moment after which no packet was missed, by the clock of the host; undefined before it is watched. */
  get sinceNs(): bigint | undefined {
    return this.baseline?.atNs;
  }

  /** Resolves when nothing that happens from now on is missed. */
  async start(): Promise<void> {
    const { host, scope } = this;
    const capturing = this.startCapture();
    // Before the baseline: what it adds to the rules is no change of the host.
    const tracing = this.allowChanges ? watchRules(host, scope.side, scope.port) : Promise.resolve(undefined);
    tracing.catch(() => {});
    this.monitor = host.stream(['env', 'TZ=UTC', 'ip', '-ts', 'monitor', 'link', 'address', 'route', 'rule']);
    this.pumping.push(this.pumpMonitor(this.monitor));
    [this.trace, this.rules, this.baseline] = await Promise.all([
      watchKernel(host, scope.port),
      tracing,
      // Packets first: whatever moves a counter after the baseline is seen.
      Promise.all([capturing, tracing]).then(() => readBaseline(host, HOST_COLLECTORS, scope)),
    ]);
    const links = this.baseline.readings.get('links') as readonly IpLink[] | undefined;
    this.names =
      links === undefined ? await interfaceNames(host) : new Map(links.map(({ index, name }) => [index, name]));
    host.beginWatch?.();
  }

  /**
   * Ends the capture; those that came have been taken.
   * @param atOnce whether packets that are still on their way do not matter any more.
   */
  async endCapture(atOnce: boolean = true): Promise<void> {
    this.capture?.stop(atOnce);
    await this.pumpingPackets;
  }

  /**
   * Ends everything that was started; the packets that came until then have been taken.
   * @param atOnce whether the last ones do not matter any more.
   */
  async stop(atOnce: boolean = false): Promise<void> {
    this.capture?.stop(atOnce);
    this.monitor?.stop();
    await Promise.all([this.trace?.stop(), this.rules?.stop()]);
    await Promise.all(this.pumping);
    this.giveBack();
    if (this.broken !== undefined) throw this.broken;
  }

  /** The attempt of a watched handshake, with how its packets passed the interfaces. */
  attemptOf(handshake: Handshake, connect?: ConnectResult, side: Attempt['side'] = this.scope.side): Attempt {
    const attempt = watchedAttempt(handshake, side, sightingsOf(this.live.history, handshake, this.names), connect);
    const foreign = side === 'client' ? foreignAnswers(this.live.history, handshake) : [];
    return foreign.length === 0 ? attempt : { ...attempt, foreignAnswers: foreign };
  }

  private surroundingsOf({ client }: Attempt): Surroundings {
    const { live, baseline, names } = this;
    const about = this.surroundings.about(client.address, live.counts.syns);
    if (!this.captures || baseline === undefined) return about;
    const received = receivedBy(live.history, names, Number(baseline.atNs - live.baseNs));
    return received === undefined ? about : { ...about, received };
  }

  /** All facts around one attempt. */
  async facts(attempt: Attempt, known: Facts = {}): Promise<Facts> {
    const watched: Facts = {
      surroundings: { value: this.surroundingsOf(attempt), source: 'capture' },
      neighbourActivity: { value: neighbourActivityOf(this.live.history, this.names), source: 'capture' },
      ...(this.trace === undefined ? {} : { kernelTrace: this.trace.trace(attempt) }),
      ...(this.rules === undefined ? {} : { ruleTrace: this.rules.trace(attempt) }),
      ...known,
    };
    const scope = { ...this.scope, side: attempt.side, server: attempt.server.address, attempt, known: watched };
    const facts = await gatherFacts(this.host, HOST_COLLECTORS, scope, this.baseline);
    this.addChanges(facts, attempt);
    return facts;
  }

  private async startCapture(): Promise<void> {
    try {
      const capture = await this.host.capture({
        port: this.scope.port,
        isFew: this.scope.side === 'client',
      });
      await capture.ready;
      this.capture = capture;
      this.giveBack = keepFromChildren(this.live.memory);
      this.pumpingPackets = this.pumpCapture(capture);
      this.pumping.push(this.pumpingPackets);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.uncaptured = { reason: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
    }
  }

  private async pumpCapture(capture: HostCapture): Promise<void> {
    try {
      for await (const chunk of capture.chunks) {
        this.live.push(chunk);
        this.onPackets?.(chunk);
      }
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.broken = error;
    }
    this.packetsEnded = true;
  }

  private async pumpMonitor({ chunks }: HostStream): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of chunks) {
        this.monitored = (this.monitored + decoder.decode(chunk, { stream: true })).slice(-MONITOR_CHARACTERS);
      }
    } catch (error) {
      // A host without ip(8) has no history; every fact that needs ip says so.
      if (!(error instanceof HostError)) throw error;
    }
  }

  /** Puts what changed during the watch before what the journal knows. */
  private addChanges(facts: Facts, { handshake }: Attempt): void {
    const firstMs =
      handshake === undefined || handshake.segments.length === 0
        ? undefined
        : Number(handshake.startedAtNs / 1_000_000n);
    if (firstMs === undefined) return;
    const changes = parseIpMonitor(this.monitored).map(
      ({ timeMs, what, text }): NetworkChange => ({ beforeMs: firstMs - timeMs, what, text, source: 'ip monitor' }),
    );
    const known = facts.networkChanges;
    const others = known === undefined || isUnavailable(known) ? [] : known.value;
    if (changes.length > 0) facts.networkChanges = { value: [...changes, ...others], source: 'ip monitor' };
  }
}
