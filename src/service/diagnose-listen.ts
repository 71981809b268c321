import { setTimeout as sleep } from 'node:timers/promises';
import { type Facts, gatherFacts } from '../collect/facts/gather.ts';
import { HOST_COLLECTORS } from '../collect/facts/index.ts';
import { unseenAttempt, unseenHandshake } from '../collect/watch/attempt-of.ts';
import type { Suspect } from '../collect/watch/live-handshakes.ts';
import { supposedEnds } from '../collect/watch/own-address.ts';
import type { CaptureContext } from '../engine/capture-context.ts';
import { diagnoseAttempt, notSeen } from '../engine/diagnose-attempt.ts';
import { hostReport } from '../engine/host-report.ts';
import type { Host } from '../host/host.ts';
import type { Cause } from '../model/cause.ts';
import type { CaptureReport, Diagnosis, NotSeen } from '../model/diagnosis.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { isUnavailable } from '../model/facts/fact.ts';
import type { Flow } from '../model/flow.ts';
import type { Handshake, Outcome } from '../model/handshake.ts';
import { HostWatch } from './host-watch.ts';

/** How {@link diagnoseListen} watches. */
export interface ListenOptions {
  readonly host: Host;
  readonly port: number;
  /** Address of the listener, when only one is meant. */
  readonly address?: string;
  /** Nothing is watched: would a SYN from here be answered? */
  readonly from?: string;
  /** The watch ends after so long. */
  readonly forMs: number;
  /** Goes on after the first failure that was explained. */
  readonly keep?: boolean;
  /** May put a trace rule into nftables while it watches. */
  readonly allowChanges?: boolean;
  /** Failed attempts that are diagnosed at most. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  /** Called when the watch has begun: whatever is sent from now on is seen. */
  readonly onReady?: () => void;
  readonly onProgress?: (progress: WatchProgress) => void;
  /** Called with each diagnosis of `keep` as it is made. */
  readonly onDiagnosis?: (diagnosis: Diagnosis) => void;
}

/** What a watch has seen so far. */
export interface WatchProgress {
  readonly elapsedMs: number;
  readonly syns: number;
  readonly answered: number;
  readonly failed: number;
  readonly attempts: number;
}

/** How often open attempts are looked at. */
const TICK_MS = 40;
/** A server that is well answers within microseconds: silence for so long is worth a first look at its facts. */
const EARLY_MS = 120;
/** An address that stands for no client: nothing about a route to it can be asked. */
const NOBODY: Readonly<Record<4 | 6, string>> = { 4: '0.0.0.0', 6: '::' };

/** Diagnoses one port of a server: watches it until an attempt fails, or judges a SYN that is only supposed. */
export async function diagnoseListen(options: ListenOptions): Promise<CaptureReport> {
  return options.from === undefined ? new Watch(options).run() : judgeSupposed(options, options.from);
}

/** Would a SYN from `from` be answered? Asks the host; sends nothing. */
async function judgeSupposed(options: ListenOptions, from: string): Promise<CaptureReport> {
  const { host, port } = options;
  const atNs = await host.nowNs();
  const [fromAddress = from] = from.split('%');
  const { address, device } = await supposedEnds(host, from);
  const server = options.address ?? address;
  const flow: Flow = { client: { address: fromAddress, port: 45678 }, server: { address: server, port } };
  const bare = unseenAttempt(flow, 'server', { observed: false, captured: false });
  const attempt: Attempt = device === undefined ? bare : { ...bare, inDevice: device };
  const gathering = gatherFacts(host, HOST_COLLECTORS, { side: 'server', port, server, attempt }, undefined);
  // The catalogue is loaded while the host answers.
  const [facts, { CAUSES }] = await Promise.all([gathering, import('../causes/index.ts')]);
  const diagnosis = judge(options, CAUSES, attempt, unseenHandshake(flow, atNs), facts, contextOf(atNs, atNs));
  return hostReport('listen', host.spec, {
    diagnoses: [diagnosis],
    notSeen: notSeen(facts),
    watched: undefined,
    outcomes: {},
  });
}

/** One watch of a port. */
class Watch {
  private readonly options: ListenOptions;
  private readonly watch: HostWatch;
  private readonly diagnoses: Diagnosis[] = [];
  /** Attempts that were judged for good, and those that were looked at early once. */
  private readonly judged = new Set<string>();
  private readonly lookedAt = new Set<string>();
  private missing: readonly NotSeen[] = [];
  private startNs = 0n;

  constructor(options: ListenOptions) {
    const { host, port, address, allowChanges = false } = options;
    this.options = options;
    const scope = { side: 'server' as const, port, ...(address === undefined ? {} : { server: address }) };
    this.watch = new HostWatch(host, scope, undefined, { allowChanges });
  }

  async run(): Promise<CaptureReport> {
    const { host, port, forMs, signal } = this.options;
    const { watch } = this;
    try {
      await watch.start();
      this.startNs = await host.nowNs();
      this.options.onReady?.();
      if (watch.captures) await this.loop(forMs);
      else await this.waitBlind(forMs);
      const interrupted = signal?.aborted === true && watch.live.counts.syns > 0;
      if (this.diagnoses.length === 0 && !interrupted) await this.judgeQuiet();
    } finally {
      await watch.stop();
    }
    const { live, uncaptured } = watch;
    return hostReport('listen', host.spec, {
      diagnoses: this.diagnoses,
      notSeen: uncaptured === undefined ? this.missing : [uncaptured, ...this.missing],
      watched: {
        ms: Number((await host.nowNs()) - this.startNs) / 1e6,
        syns: live.counts.syns,
        attempts: live.attempts,
        lost: watch.lost,
        displaced: live.displaced,
        port,
      },
      outcomes: this.outcomes(),
    });
  }

  /** Looks at open attempts again and again until one failed for a known reason, or the time is over. */
  private async loop(forMs: number): Promise<void> {
    const { host, signal, keep = false, limit = 20 } = this.options;
    const startMs = performance.now();
    for (;;) {
      await sleep(TICK_MS);
      if (signal?.aborted) return;
      const elapsedMs = performance.now() - startMs;
      this.options.onProgress?.(this.progress(elapsedMs));
      const [suspect] = this.diagnoses.length < limit ? this.watch.live.suspects(await host.nowNs(), EARLY_MS, 1) : [];
      if (
        suspect !== undefined &&
        !this.judged.has(suspect.key) &&
        !(suspect.early && this.lookedAt.has(suspect.key))
      ) {
        const explained = await this.look(suspect);
        if (explained && !keep) return;
      }
      if (elapsedMs >= forMs || (suspect === undefined && this.watch.isOver)) return;
    }
  }

  /** Without a capture only counters and states speak: waits, and judges what they say at the end. */
  private async waitBlind(forMs: number): Promise<void> {
    const startMs = performance.now();
    while (performance.now() - startMs < forMs && this.options.signal?.aborted !== true) {
      this.options.onProgress?.(this.progress(performance.now() - startMs));
      await sleep(TICK_MS * 5);
    }
  }

  /** Judges one suspect; true when its failure is explained. */
  private async look({ handshake, early, key }: Suspect): Promise<boolean> {
    const { watch } = this;
    this.lookedAt.add(key);
    watch.surroundings.add(handshake, key);
    const { diagnosis, facts } = await this.diagnose(watch.attemptOf(handshake), handshake);
    if (early && diagnosis.cause?.status !== 'confirmed') return false;
    this.judged.add(key);
    this.diagnoses.push(diagnosis);
    this.missing = notSeen(facts);
    this.options.onDiagnosis?.(diagnosis);
    return true;
  }

  private async diagnose(attempt: Attempt, handshake: Handshake): Promise<{ diagnosis: Diagnosis; facts: Facts }> {
    const [facts, { CAUSES }] = await Promise.all([this.watch.facts(attempt), import('../causes/index.ts')]);
    return {
      diagnosis: judge(this.options, CAUSES, attempt, handshake, facts, contextOf(this.startNs, handshake.endedAtNs)),
      facts,
    };
  }

  /** Nothing failed: no SYN came at all, or all is well. The state of the host may still say why none could succeed. */
  private async judgeQuiet(): Promise<void> {
    const { host, port, address } = this.options;
    const { live, captures } = this.watch;
    const answered = live.open(1)[0];
    if (live.counts.syns > 0 && answered === undefined) return;
    const client = answered?.client ?? { address: NOBODY[address?.includes(':') ? 6 : 4], port: 0 };
    const server = answered?.server ?? { address: address ?? NOBODY[4], port };
    const seenNothing = captures && live.counts.syns === 0;
    const attempt = unseenAttempt({ client, server }, 'server', { observed: seenNothing, captured: captures });
    const { diagnosis, facts } = await this.diagnose(attempt, unseenHandshake({ client, server }, await host.nowNs()));
    this.missing = notSeen(facts);
    if (diagnosis.cause !== null || seenNothing) this.diagnoses.push(diagnosis);
  }

  private progress(elapsedMs: number): WatchProgress {
    const { counts, attempts } = this.watch.live;
    return { elapsedMs, syns: counts.syns, answered: counts.synAcks, failed: this.judged.size, attempts };
  }

  private outcomes(): CaptureReport['summary']['outcomes'] {
    const { live } = this.watch;
    const outcomes = { ...live.counts.outcomes };
    for (const [name, count] of Object.entries(live.openOutcomes())) {
      const outcome = name as Outcome;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    }
    return outcomes;
  }
}

function judge(
  { host }: ListenOptions,
  causes: readonly Cause[],
  attempt: Attempt,
  handshake: Handshake,
  facts: Facts,
  context: CaptureContext,
): Diagnosis {
  const machine = facts.machine;
  const hostName = machine === undefined || isUnavailable(machine) ? 'this host' : machine.value.hostname;
  return diagnoseAttempt(causes, {
    attempt,
    handshake,
    facts,
    hostName,
    context,
    ...(host.spec === 'local' ? {} : { on: host.spec }),
  });
}

function contextOf(firstNs: bigint, lastNs: bigint): CaptureContext {
  return { name: 'capture', firstNs, lastNs, server: { attempts: 1, established: 0 } };
}
