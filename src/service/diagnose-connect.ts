import { setTimeout as sleep } from 'node:timers/promises';
import { probeHops, probePath } from '../collect/client/path-probe.ts';
import { readProxies } from '../collect/client/proxies.ts';
import { resolveTarget } from '../collect/client/resolve.ts';
import { type Facts, gatherFacts } from '../collect/facts/gather.ts';
import { unseenAttempt, unseenHandshake } from '../collect/watch/attempt-of.ts';
import { type AttemptCase, diagnoseAttempt, notSeen } from '../engine/diagnose-attempt.ts';
import { hostReport } from '../engine/host-report.ts';
import type { ConnectOutcome, Host } from '../host/host.ts';
import type { CaptureReport, Diagnosis, NotSeen } from '../model/diagnosis.ts';
import type { ConnectResult } from '../model/facts/attempt.ts';
import { type AddressProbe, type ProxySetting, type Resolution, SLOW_RESOLUTION_MS } from '../model/facts/client.ts';
import type { Endpoint, Flow } from '../model/flow.ts';
import type { Handshake } from '../model/handshake.ts';
import { HostWatch } from './host-watch.ts';

type Catalogue = typeof import('../causes/index.ts');

/** What is to be reached. */
export interface ConnectTarget {
  /** Name or address. */
  readonly name: string;
  readonly port: number;
  /** `http` or `https`, of a URL. */
  readonly scheme?: string;
}

/** How {@link diagnoseConnect} tries. */
export interface ConnectOptions {
  readonly host: Host;
  readonly target: ConnectTarget;
  /** Gives up after so long. */
  readonly timeoutMs: number;
  /** Keeps the connection for so long once it is there, and watches what happens. */
  readonly holdMs: number;
  /** Only addresses of this family. */
  readonly family?: 4 | 6;
  /** May put a trace rule into nftables while it watches. */
  readonly allowChanges?: boolean;
  readonly signal?: AbortSignal;
  readonly onReady?: () => void;
  /** Told that an address has connected, which is then held; by hosts that can tell. */
  readonly onConnected?: () => void;
  readonly onStep?: (text: string) => void;
  /** Watches the host; one of its own unless given. It is started; one that was given goes on when the diagnosis ends. */
  readonly watch?: HostWatch;
  /** Awaited before the first address is tried, with those that will be. */
  readonly gate?: (addresses: Resolution['addresses']) => Promise<void>;
  /** Gets what each diagnosis was made of. */
  readonly onCase?: (one: AttemptCase, diagnosis: Diagnosis) => void;
  /** Whether somebody else knows the cause of an attempt for certain, so that this host need not be asked about it. */
  readonly isKnown?: (handshake: Handshake) => boolean;
  /** Whether others know enough by now, so that nothing more has to be waited for, and nothing probed. */
  readonly isEnough?: () => Promise<boolean>;
}

/** Happy Eyeballs' delay before the next address is tried (RFC 8305 section 5). */
const ATTEMPT_DELAY_MS = 250;
/** When one address works, the others get this long. */
const GRACE_MS = 100;
/** Silence for so long is worth a first look: Linux repeats a SYN after one second. */
const FIRST_LOOK_MS = 1150;
/** An attempt that takes so long may have a cause. */
const SUSPICIOUS_MS = 100;
/** The kernel's own verdict on a dead neighbour takes three seconds. */
const PATIENCE_MS = 4300;
/** A SYN that left is in the capture within this time, also on a busy host. */
const SEEN_WITHIN_MS = 150;
/** A packet is seen so long after it passed, at the latest. */
const CAPTURE_DELAY_MS = 15;
const UNKNOWN_CLIENT: Readonly<Record<4 | 6, string>> = { 4: '0.0.0.0', 6: '::' };

/** Tries to connect to a target from a host, and says why it does not work. */
export function diagnoseConnect(options: ConnectOptions): Promise<CaptureReport> {
  return new Trial(options).run();
}

/** One address of the target, while it is tried. */
interface Candidate {
  readonly address: string;
  readonly family: 4 | 6;
  outcome: ConnectOutcome | undefined;
  /** Its own end, as soon as it is known. */
  local: ConnectOutcome['local'];
  startedMs: number;
  readonly done: Promise<void>;
}

class Trial {
  private readonly options: ConnectOptions;
  private readonly watch: HostWatch;
  private missing: readonly NotSeen[] = [];
  private loading: Promise<Catalogue> | undefined;

  constructor(options: ConnectOptions) {
    this.options = options;
    const { host, target, allowChanges = false, watch } = options;
    this.watch = watch ?? new HostWatch(host, { side: 'client', port: target.port }, undefined, { allowChanges });
  }

  async run(): Promise<CaptureReport> {
    const { host, target } = this.options;
    const { watch } = this;
    // What does not wait for each other is done together.
    const starting = watch.start();
    let diagnoses: Diagnosis[];
    try {
      const [resolution, proxies] = await Promise.all([
        resolveTarget(host, target.name),
        readProxies(host, { scheme: target.scheme, name: target.name, port: target.port }),
        starting,
      ]);
      const wanted = resolution.addresses.filter(
        ({ family }) => this.options.family === undefined || family === this.options.family,
      );
      await this.options.gate?.(wanted);
      this.options.onReady?.();
      diagnoses =
        wanted.length === 0
          ? [await this.judgeUnresolved(resolution, proxies)]
          : await this.tryAll(wanted, resolution, proxies);
    } finally {
      await starting.catch(() => {});
      if (this.options.watch === undefined) await watch.stop(true);
    }
    const { uncaptured } = watch;
    return hostReport('connect', host.spec, {
      diagnoses,
      notSeen: uncaptured === undefined ? this.missing : [uncaptured, ...this.missing],
      watched: undefined,
      outcomes: {},
    });
  }

  /** Tries every address, each a little after the one before it, and judges those that failed, and one that did not. */
  private async tryAll(
    addresses: Resolution['addresses'],
    resolution: Resolution,
    proxies: readonly ProxySetting[],
  ): Promise<Diagnosis[]> {
    const { options } = this;
    const candidates: Candidate[] = [];
    for (const { address, family } of addresses) {
      if (candidates.some(({ outcome }) => outcome !== undefined && outcome.errno === undefined)) break;
      candidates.push(this.start(address, family));
      if (addresses.length > 1) {
        await Promise.race([sleep(ATTEMPT_DELAY_MS), candidates.at(-1)?.done]);
      }
      if (options.signal?.aborted) break;
    }
    const startedMs = performance.now();
    const within = (ms: number): Promise<void> => this.settle(candidates, startedMs + ms);
    const suspicion = setTimeout(() => void this.catalogue(), SUSPICIOUS_MS);
    await within(FIRST_LOOK_MS).finally(() => clearTimeout(suspicion));
    // What connect() says while the first look is taken is not in it yet.
    const wasOpen = candidates.some(({ outcome }) => outcome === undefined);
    let diagnoses = await this.judgeAll(candidates, resolution, proxies);
    const isCertain = diagnoses.some(({ cause }) => cause?.status === 'confirmed');
    if (wasOpen && !isCertain && (await options.isEnough?.()) !== true) {
      await within(Math.min(PATIENCE_MS, options.timeoutMs));
      diagnoses = await this.judgeAll(candidates, resolution, proxies, true);
    }
    return diagnoses;
  }

  /** All causes: loading them takes a while, and a connection that comes up needs none. */
  private catalogue(): Promise<Catalogue> {
    this.loading ??= import('../causes/index.ts');
    return this.loading;
  }

  private start(address: string, family: 4 | 6): Candidate {
    const { host, target, timeoutMs, holdMs, onConnected } = this.options;
    const candidate: { -readonly [Key in keyof Candidate]: Candidate[Key] } = {
      address,
      family,
      outcome: undefined,
      local: undefined,
      startedMs: performance.now(),
      done: Promise.resolve(),
    };
    const onLocal = (local: ConnectOutcome['local']): void => {
      candidate.local = local;
    };
    candidate.done = host
      .connect({ address, port: target.port, timeoutMs, holdMs, onLocal, ...(onConnected && { onConnected }) })
      .then((outcome) => {
        candidate.outcome = outcome;
        if (outcome.errno !== undefined) void this.catalogue();
      });
    // Whoever waits for it is told; when nobody does any more, it does not matter.
    candidate.done.catch(() => {});
    return candidate;
  }

  /** Waits until all have ended, one has connected and the others had their grace, or the time is over. */
  private async settle(candidates: readonly Candidate[], untilMs: number): Promise<void> {
    let connectedMs: number | undefined;
    for (;;) {
      const now = performance.now();
      if (candidates.every(({ outcome }) => outcome !== undefined)) break;
      if (candidates.some(({ outcome }) => outcome !== undefined && outcome.errno === undefined)) connectedMs ??= now;
      if (candidates.every((candidate) => candidate.outcome !== undefined || this.isUnreachable(candidate))) break;
      const end =
        connectedMs !== undefined && candidates.every(({ startedMs }) => now - startedMs > FIRST_LOOK_MS)
          ? connectedMs + GRACE_MS
          : untilMs;
      if (now >= end || this.options.signal?.aborted) break;
      await Promise.race([
        sleep(20),
        ...candidates.filter(({ outcome }) => outcome === undefined).map(({ done }) => done),
      ]);
    }
    const { holdMs } = this.options;
    const isWell = ({ outcome }: Candidate): boolean =>
      outcome !== undefined && outcome.errno === undefined && outcome.afterwards === 'silent';
    if (candidates.every(isWell) && holdMs >= CAPTURE_DELAY_MS && this.options.watch === undefined)
      await this.watch.endCapture();
    // The last packets are still on their way through the ring of the capture.
    else if (this.watch.captures) await sleep(CAPTURE_DELAY_MS);
  }

  /** Whether an ICMP error has answered: connect() itself may overlook the first one, the packets do not. */
  private isUnreachable({ address }: Candidate): boolean {
    const { port } = this.options.target;
    return this.watch.live.find({ address: address.split('%')[0] ?? address, port })?.outcome === 'unreachable';
  }

  private async judgeAll(
    candidates: readonly Candidate[],
    resolution: Resolution,
    proxies: readonly ProxySetting[],
    last = false,
  ): Promise<Diagnosis[]> {
    const probes = candidates.map((candidate): AddressProbe => {
      const { address, family, outcome } = candidate;
      const errno = outcome === undefined ? 'EINPROGRESS' : outcome.errno;
      return {
        address,
        family,
        port: this.options.target.port,
        ...(errno === undefined ? {} : { errno }),
        elapsedMs: outcome?.elapsedMs ?? Math.round(performance.now() - candidate.startedMs),
      };
    });
    const diagnoses: Diagnosis[] = [];
    for (const candidate of candidates) diagnoses.push(await this.judge(candidate, probes, resolution, proxies, last));
    return diagnoses;
  }

  private async judge(
    candidate: Candidate,
    addressProbes: readonly AddressProbe[],
    resolution: Resolution,
    proxies: readonly ProxySetting[],
    last: boolean,
  ): Promise<Diagnosis> {
    const { host, target } = this.options;
    const server: Endpoint = { address: candidate.address.split('%')[0] ?? candidate.address, port: target.port };
    const connect = connectResult(server, candidate);
    const seen = await this.seenHandshake(server, connect);
    const flow: Flow = { client: connect.local ?? { address: UNKNOWN_CLIENT[candidate.family], port: 0 }, server };
    const handshake = seen ?? unseenHandshake(flow, await host.nowNs());
    const attempt =
      seen === undefined
        ? unseenAttempt(flow, 'client', { observed: true, captured: this.watch.captures, connect })
        : this.watch.attemptOf(seen, connect);
    this.watch.surroundings.add(handshake, `${server.address} ${connect.local?.port}`);
    const known: Facts = {
      resolution: { value: resolution, source: 'getaddrinfo' },
      proxies: { value: proxies, source: 'environment' },
      addressProbes: { value: addressProbes, source: 'connect()' },
    };
    const healthy = connect.errno === undefined && connect.afterwards !== 'reset';
    const silent = last && candidate.outcome === undefined && attempt.syns > 0 && attempt.synAcks === 0;
    if (silent) {
      this.options.onStep?.(`${server.address} is silent: asking further`);
      known.pathProbe = {
        value: await probePath(host, candidate.address, target.port, (port) =>
          this.handshakeTo(server, { address: '', port }),
        ),
        source: 'probes',
      };
    }
    if (connect.errno === 'ECONNREFUSED' && attempt.syns > 0) {
      // How far the server is tells whether the RST can have come from it.
      const near = { maxHops: 2, timeoutMs: Math.ceil(Math.max(250, 4 * connect.elapsedMs)) };
      const byPort = (port: number): Handshake | undefined => this.handshakeTo(server, { address: '', port });
      known.pathProbe = {
        value: { hops: await probeHops(host, candidate.address, target.port, byPort, near) },
        source: 'probes',
      };
    }
    // All is well: nothing of the host has to be asked, and no cause be thought of.
    const quick = healthy && handshake.synRetransmissions === 0;
    const spared = seen !== undefined && this.options.isKnown?.(seen) === true;
    const facts =
      quick || spared
        ? await gatherFacts(host, [], { side: 'client', port: target.port, attempt, known }, undefined)
        : await this.watch.facts(attempt, known);
    if (!healthy && !spared) this.missing = notSeen(facts);
    const stands = connected(handshake, connect);
    const isNamedSoon = resolution.elapsedMs < SLOW_RESOLUTION_MS;
    const causes = quick && isNamedSoon && stands.outcome === 'established' ? [] : (await this.catalogue()).CAUSES;
    const one: AttemptCase = {
      attempt,
      handshake: stands,
      facts,
      hostName: 'this host',
      context: {
        name: 'capture',
        firstNs: handshake.startedAtNs,
        lastNs: handshake.endedAtNs,
        server: { attempts: 1, established: 0 },
      },
      ...(host.spec === 'local' ? {} : { on: host.spec }),
    };
    const diagnosis = diagnoseAttempt(causes, one);
    this.options.onCase?.(one, diagnosis);
    return diagnosis;
  }

  /** No address to try: the name is the problem. */
  private async judgeUnresolved(resolution: Resolution, proxies: readonly ProxySetting[]): Promise<Diagnosis> {
    const { host, target, family } = this.options;
    const errno = resolution.error ?? (family === undefined ? 'ENOTFOUND' : 'EAI_ADDRFAMILY');
    const server: Endpoint = { address: target.name, port: target.port };
    const flow: Flow = { client: { address: UNKNOWN_CLIENT[family ?? 4], port: 0 }, server };
    const connect: ConnectResult = { remote: server, errno, elapsedMs: resolution.elapsedMs };
    const attempt = unseenAttempt(flow, 'client', { observed: true, captured: this.watch.captures, connect });
    const known: Facts = {
      resolution: { value: resolution, source: 'getaddrinfo' },
      proxies: { value: proxies, source: 'environment' },
      addressProbes: { value: [], source: 'connect()' },
    };
    const scope = { side: 'client' as const, port: target.port, attempt, known };
    const facts = await gatherFacts(host, [], scope, undefined);
    const handshake: Handshake = { ...unseenHandshake(flow, await host.nowNs()), outcome: 'abandoned' };
    const { CAUSES } = await this.catalogue();
    return diagnoseAttempt(CAUSES, {
      attempt,
      handshake,
      facts,
      hostName: 'this host',
      context: { name: 'capture', firstNs: 0n, lastNs: 0n, server: { attempts: 1, established: 0 } },
    });
  }

  /** The watched attempt of a connect(); a SYN that has just left may take a moment to be seen. */
  private async seenHandshake(server: Endpoint, connect: ConnectResult): Promise<Handshake | undefined> {
    const untilMs = performance.now() + SEEN_WITHIN_MS;
    for (;;) {
      const seen = this.handshakeTo(server, connect.local);
      if (seen !== undefined || !this.watch.captures || performance.now() > untilMs) return seen;
      await sleep(10);
    }
  }

  /** The watched attempt with that local port, or the only one to that address. */
  private handshakeTo(server: Endpoint, local: Endpoint | undefined): Handshake | undefined {
    return this.watch.live.find(server, local?.port);
  }
}

function connectResult(remote: Endpoint, { outcome, local: early, startedMs }: Candidate): ConnectResult {
  if (outcome === undefined) {
    const elapsedMs = Math.round(performance.now() - startedMs);
    return { remote, errno: 'EINPROGRESS', elapsedMs, ...(early === undefined ? {} : { local: early }) };
  }
  const { errno, local, elapsedMs, afterwards } = outcome;
  return {
    remote,
    elapsedMs,
    ...(local === undefined ? {} : { local }),
    ...(errno === undefined ? {} : { errno }),
    ...(afterwards === undefined ? {} : { afterwards }),
  };
}

/** What the application saw decides over what a capture of the first milliseconds can show. */
function connected(handshake: Handshake, { errno, afterwards }: ConnectResult): Handshake {
  if (errno === undefined && afterwards !== 'reset' && handshake.outcome !== 'half-open') {
    return { ...handshake, outcome: 'established', stage: 'established' };
  }
  if (handshake.segments.length > 0 || errno === undefined) return handshake;
  const outcome =
    errno === 'ECONNREFUSED' ? 'refused' : /UNREACH|EACCES|EPERM/.test(errno) ? 'unreachable' : 'no-reply';
  return { ...handshake, outcome };
}
