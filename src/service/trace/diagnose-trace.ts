import { setTimeout as sleep } from 'node:timers/promises';
import { type JoinInput, joinAttempt } from '../../engine/join-attempt.ts';
import { ON_ITS_WAY_NS } from '../../handshake/compare/coverage.ts';
import { isFailure } from '../../handshake/outcome.ts';
import { type ConnectOutcome, type Host, HostError } from '../../host/host.ts';
import type { CaptureReport, Diagnosis, NotSeen } from '../../model/diagnosis.ts';
import { isUnavailable } from '../../model/facts/fact.ts';
import type { Handshake } from '../../model/handshake.ts';
import { diagnoseConnect } from '../diagnose-connect.ts';
import { askRouters } from './ask-routers.ts';
import type { EndCase } from './trace-case.ts';
import { traceReport } from './trace-report.ts';
import { compareSoFar, type Traced, type TracedAttempt } from './trace-stories.ts';
import { type TraceHost, type TraceOptions, targetAddresses } from './trace-target.ts';
import { waitForServer } from './wait-for-server.ts';
import { isOutdated, WatchedEnd } from './watched-end.ts';
import { WatchedPoint } from './watched-point.ts';

/** A further attempt is made as soon as the one before it has succeeded, or has been silent for so long. */
const QUICK_MS = 200;
const EXTRA_TIMEOUT_MS = 1200;
/** How often a wait looks whether an attempt has failed. */
const WAIT_TICK_MS = 50;
/** After the first failure of the application: what the other end makes of it. */
const SETTLE_MS = 1200;
/** As long as nothing is certain: neighbours are given up after three seconds, and what is repeated is repeated by then. */
const PATIENCE_MS = 3200;
/** Beyond the time that a packet is given to arrive. */
const MARGIN_MS = 20;
/** Failed attempts that are diagnosed one by one. */
const MAX_ATTEMPTS = 20;

/** Captures on both ends of a connection and between them, lets the client connect, and says where and why it does not work. */
export function diagnoseTrace(options: TraceOptions): Promise<CaptureReport> {
  return new Trace(options).run();
}

class Trace {
  private readonly options: TraceOptions;
  private readonly client: WatchedEnd;
  private readonly server: WatchedEnd | undefined;
  private readonly vias: readonly WatchedPoint[];
  private readonly missing: NotSeen[] = [];
  /** When the client judged its last attempt. */
  private judgedAtMs: number = Number.NEGATIVE_INFINITY;
  /** What the client says of its own attempts by itself; the latest word on each address of the server. */
  private readonly clientCases = new Map<string, EndCase>();
  /** Local ports of the attempts that were made. */
  private readonly ports = new Set<number>();
  private addresses: readonly string[] = [];

  constructor(options: TraceOptions) {
    this.options = options;
    const { client, server, vias, target, serverPort = target.port } = options;
    const opened = this.open(client);
    if (opened === undefined) throw new TypeError('a trace needs a client that can be asked');
    this.client = new WatchedEnd(planOf(client, opened), target.port, (handshake) => this.isMeant(handshake));
    const far = this.open(server);
    this.server =
      far === undefined
        ? undefined
        : new WatchedEnd(planOf(server, far), serverPort, (handshake) => this.isOurs(handshake));
    this.vias = vias.flatMap((via) => {
      const host = this.open(via);
      return host === undefined ? [] : [new WatchedPoint(planOf(via, host), target.port)];
    });
  }

  async run(): Promise<CaptureReport> {
    const others = this.server === undefined ? this.vias : [this.server, ...this.vias];
    const starting = Promise.all(others.map((point) => this.start(point)));
    try {
      const alone =
        this.options.waitMs === undefined
          ? await this.client.untilLost(() => this.tryIt(starting))
          : await this.waitForIt(this.options.waitMs, starting);
      await this.waitForAcks();
      // A capture that ends sooner proves nothing by what it does not show.
      await sleep(Math.max(0, this.judgedAtMs + ON_ITS_WAY_NS / 1e6 + MARGIN_MS - performance.now()));
      // Whatever has come is there when the captures have ended, however long its way to here is.
      await Promise.all([this.client, ...others].map((point) => point.endCapture()));
      const traced = await this.compare();
      await this.server?.rest();
      const judged = await this.judge(traced);
      const diagnoses = judged.length > 0 ? judged : await this.judgeQuiet();
      return this.report(diagnoses, traced, alone);
    } finally {
      await starting.catch(() => {});
      await this.server?.rest();
      await this.client.rest();
      await Promise.all([this.client, ...others].map((point) => point.stop()));
    }
  }

  private open({ host }: TraceHost): Host | undefined {
    if (!('missing' in host)) return host;
    this.missing.push(host.missing);
    return undefined;
  }

  private async start(point: WatchedPoint): Promise<void> {
    const { onState } = this.options;
    const { name } = point.plan;
    onState?.(name, 'starting');
    await point.start();
    onState?.(name, point.lost !== undefined ? 'lost' : point.captures ? 'captures' : 'no packets');
  }

  /** Lets the client connect; what it says of that by itself. */
  private async tryIt(starting: Promise<unknown>): Promise<CaptureReport> {
    const { target, timeoutMs, holdMs, family, signal, onStep, onState, onReady } = this.options;
    const { watch, plan } = this.client;
    onState?.(plan.name, 'starting');
    return diagnoseConnect({
      host: plan.host,
      target,
      timeoutMs,
      holdMs,
      watch,
      ...(family === undefined ? {} : { family }),
      ...(signal === undefined ? {} : { signal }),
      ...(onStep === undefined ? {} : { onStep }),
      gate: async (addresses) => {
        this.addresses = addresses.map(({ address }) => address.split('%')[0] ?? address);
        await starting;
        onState?.(plan.name, watch.captures ? 'captures' : 'no packets');
        onReady?.();
        onStep?.(`connecting to ${target.name} port ${target.port}`);
        const [first] = addresses;
        if (first !== undefined) await this.tryMore(first.address);
      },
      onCase: (given, diagnosis) => {
        this.judgedAtMs = performance.now();
        const { server, client } = given.handshake;
        this.ports.add(client.port);
        this.clientCases.set(server.address, { given, diagnosis });
      },
      isKnown: (handshake) => this.isKnownToServer(handshake),
      isEnough: () => this.isEnough(),
    });
  }

  /** All but the last of several attempts: as long as they work, one after the other. */
  private async tryMore(address: string): Promise<void> {
    const { attempts, target, holdMs, signal } = this.options;
    for (let made = 1; made < attempts && signal?.aborted !== true; made++) {
      const trying = this.client.plan.host
        .connect({ address, port: target.port, timeoutMs: EXTRA_TIMEOUT_MS, holdMs })
        .then((outcome) => {
          if (outcome.local !== undefined) this.ports.add(outcome.local.port);
          return outcome;
        })
        .catch((error: unknown): undefined => {
          if (!(error instanceof HostError)) throw error;
        });
      const outcome = await Promise.race([trying, sleep(QUICK_MS + holdMs)]);
      if ((outcome as ConnectOutcome | undefined)?.errno !== undefined || outcome === undefined) return;
    }
  }

  /** Waits until an attempt of the application has failed, or the time is over. */
  private async waitForIt(waitMs: number, starting: Promise<unknown>): Promise<undefined> {
    const { client, options } = this;
    this.addresses = (await client.attempt(() => targetAddresses(client.plan.host, options))) ?? [];
    await Promise.all([this.start(client), starting]);
    options.onReady?.();
    const endMs = performance.now() + waitMs;
    let settleMs = Number.POSITIVE_INFINITY;
    let isPatient = false;
    while (
      performance.now() < Math.min(endMs, settleMs) &&
      options.signal?.aborted !== true &&
      client.lost === undefined
    ) {
      await sleep(WAIT_TICK_MS);
      const failed = client.failed + (this.server?.failed ?? 0);
      if (failed > 0 && settleMs === Number.POSITIVE_INFINITY) settleMs = performance.now() + SETTLE_MS;
      if (performance.now() >= settleMs && !isPatient && !(await this.isEnough())) {
        isPatient = true;
        settleMs = performance.now() + PATIENCE_MS;
      }
      const { counts, attempts } = client.watch.live;
      options.onStep?.(`waiting: ${attempts} attempts, ${counts.synAcks} answered, ${failed} failed`);
    }
    await client.rest();
  }

  /** Whether an attempt, as the client has it, is one that the trace is about. */
  private isMeant({ client, server }: Handshake): boolean {
    const { target, waitMs } = this.options;
    if (server.port !== target.port || !this.addresses.includes(server.address)) return false;
    return waitMs !== undefined || this.ports.has(client.port);
  }

  /** Whether an attempt, as the server has it, is one of the client's: recognised by what translation leaves alone. */
  private isOurs({ client, clientIsn }: Handshake): boolean {
    const { target } = this.options;
    const sent = this.client.watch.live.recent().filter(({ server }) => server.port === target.port);
    if (this.client.watch.captures) return clientIsn !== undefined && sent.some((one) => one.clientIsn === clientIsn);
    return this.ports.size === 0 || this.ports.has(client.port);
  }

  /** Whether the server has said for certain why it leaves an attempt without an answer: then the client need not be asked. */
  private isKnownToServer({ clientIsn, outcome }: Handshake): boolean {
    const isSilent = outcome === 'no-reply' || outcome === 'in-progress';
    return (
      isSilent &&
      this.server
        ?.seen()
        .some(
          ({ given, diagnosis }) =>
            given.handshake.clientIsn === clientIsn &&
            diagnosis.cause?.status === 'confirmed' &&
            diagnosis.place === 'server',
        ) === true
    );
  }

  /** What came so far is enough: a cause is certain. */
  private async isEnough(): Promise<boolean> {
    if (this.server === undefined && this.vias.length === 0) return false;
    const diagnoses = await this.judge(await this.compare());
    return diagnoses.some(({ cause }) => cause?.status === 'confirmed');
  }

  /** Where the client believes that it is connected, the server may still ignore its ACK: that shows a second later. */
  private async waitForAcks(): Promise<void> {
    if (this.server === undefined || this.options.signal?.aborted === true) return;
    const { attempts } = await this.compare();
    await waitForServer(this.server, attempts, this.options.signal);
  }

  private compare(): Promise<Traced> {
    const { client, vias, server } = this;
    return compareSoFar([client, ...vias, ...(server === undefined ? [] : [server])], (one) => this.isMeant(one));
  }

  /** Joins what all hosts say of each attempt. */
  private async judge({ attempts }: Traced): Promise<readonly Diagnosis[]> {
    const worse = attempts.toSorted((a, b) => Number(isFine(a)) - Number(isFine(b)));
    const judged: { startedAtNs: bigint; diagnosis: Diagnosis }[] = [];
    const told = new Set<string>();
    for (const attempt of worse.slice(0, MAX_ATTEMPTS)) {
      const { handshake } = attempt;
      const diagnosis = await this.joinTraced(attempt);
      if (diagnosis === undefined) continue;
      told.add(handshake.server.address);
      judged.push({ startedAtNs: handshake.startedAtNs, diagnosis });
    }
    for (const [address, one] of this.clientCases) {
      if (told.has(address)) continue;
      const { startedAtNs } = one.given.handshake;
      judged.push({ startedAtNs, diagnosis: await this.joinUnseen(one) });
    }
    return judged.toSorted((a, b) => Number(a.startedAtNs - b.startedAtNs)).map(({ diagnosis }) => diagnosis);
  }

  /** No attempt of the application is in both captures: what the server says of those it has seen, or of one that nobody saw. */
  private async judgeQuiet(): Promise<readonly Diagnosis[]> {
    const { server, options, addresses } = this;
    const [address] = addresses;
    const isOurWord = options.waitMs === undefined && this.client.lost === undefined;
    if (isOurWord || server === undefined || address === undefined || !server.captures) return [];
    const seen = server.seen();
    if (seen.length > 0) return Promise.all(seen.map((there) => this.join({ there, routers: [] })));
    const nobody = address.includes(':') ? '::' : '0.0.0.0';
    const flow = { client: { address: nobody, port: 0 }, server: { address, port: options.target.port } };
    const there = await server.caseOfUnseen(flow);
    return there?.diagnosis.cause?.status === 'confirmed' ? [await this.join({ there, routers: [] })] : [];
  }

  /** Undefined when only the client's capture has it, and nobody was asked about it. */
  private async joinTraced(attempt: TracedAttempt): Promise<Diagnosis | undefined> {
    const { story, path, handshake } = attempt;
    const { client, server } = this;
    const own = this.clientCases.get(handshake.server.address);
    const isOwn = own !== undefined && own.given.handshake.client.port === handshake.client.port;
    const fine = isFine(attempt);
    const asks = isOwn ? isOutdated(own, handshake) : this.options.waitMs !== undefined;
    const here = !fine && asks ? await client.caseOf(handshake) : isOwn ? own : undefined;
    const arrived =
      server === undefined ? undefined : story.points.find(({ name }) => name === server.plan.name)?.sighting;
    const there =
      server === undefined || fine
        ? undefined
        : arrived === undefined
          ? await server.caseOfUnseen({ client: handshake.client, server: handshake.server })
          : await server.caseOf(arrived.handshake);
    if (path === undefined && here === undefined && (there === undefined || arrived === undefined)) return undefined;
    return this.join({
      story,
      path,
      here,
      there,
      aside: arrived === undefined && server !== undefined ? foreignAddress(there, server.plan.name) : undefined,
      routers: fine ? [] : await askRouters(this.vias, attempt),
    });
  }

  /** An attempt that no two captures have: nothing left the client, or one end captures nothing. */
  private async joinUnseen(here: EndCase): Promise<Diagnosis> {
    const { given, diagnosis } = here;
    const { server, client } = this;
    const left = given.attempt.syns > 0 || !client.captures;
    const fine =
      !isFailure(given.handshake.outcome) && diagnosis.cause === null && given.attempt.connect?.errno === undefined;
    const there = server === undefined || fine || !left ? undefined : await this.serverAlone(server, given.handshake);
    return this.join({ here, there, routers: [] });
  }

  private async serverAlone(server: WatchedEnd, handshake: Handshake): Promise<EndCase | undefined> {
    const seen = server.watch.live
      .recent()
      .findLast((one) => this.isOurs(one) && one.client.port === handshake.client.port);
    return seen === undefined
      ? server.caseOfUnseen({ client: handshake.client, server: handshake.server })
      : server.caseOf(seen);
  }

  private async join({
    here,
    there,
    ...rest
  }: Pick<JoinInput, 'story' | 'path' | 'routers' | 'aside'> & {
    readonly here?: EndCase | undefined;
    readonly there?: EndCase | undefined;
  }): Promise<Diagnosis> {
    const { CAUSES } = await import('../../causes/index.ts');
    const { client, server } = this;
    const input: JoinInput = {
      ...rest,
      ...(here === undefined
        ? {}
        : { client: { side: 'client', name: client.plan.name, given: here.given, alone: here.diagnosis } }),
      ...(there === undefined || server === undefined
        ? {}
        : { server: { side: 'server', name: server.plan.name, given: there.given, alone: there.diagnosis } }),
    };
    const diagnosis = joinAttempt(CAUSES, input);
    this.options.onJoined?.(input, diagnosis);
    return diagnosis;
  }

  private report(diagnoses: readonly Diagnosis[], traced: Traced, alone: CaptureReport | undefined): CaptureReport {
    const { client, vias, server, options } = this;
    const points = [client, ...vias, ...(server === undefined ? [] : [server])];
    return traceReport({
      diagnoses: diagnoses.length > 0 ? diagnoses : (alone?.diagnoses ?? []),
      traced,
      notSeen: [...this.missing, ...points.flatMap((point) => point.notSeen()), ...(alone?.notSeen ?? [])],
      nothing: `No attempt of ${client.plan.name} to connect to ${options.target.name} port ${options.target.port} was seen.`,
    });
  }
}

function planOf({ role, name, path }: TraceHost, host: Host): WatchedPoint['plan'] {
  return { role, name, host, ...(path === undefined ? {} : { path }) };
}

/** The server has another address than the one that the client asks for. */
function foreignAddress(there: EndCase | undefined, name: string): string | undefined {
  const addresses = there?.given.facts.addresses;
  const { address } = there?.given.attempt.server ?? {};
  if (address === undefined || addresses === undefined || isUnavailable(addresses)) return undefined;
  if (addresses.value.some((own) => own.address === address)) return undefined;
  return `${address} is no address of ${name}: something on the way translates it, or another host has it`;
}

/** Nothing was wrong with it: no host has to be asked. */
function isFine({ path, story, handshake }: TracedAttempt): boolean {
  const worked = path === undefined ? handshake.outcome === 'established' : path.verdict.location === 'established';
  return worked && story.near.syns.length <= 1;
}
