import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, HostError } from '../host/host.ts';
import { type Endpoint, formatEndpoint, formatHost } from '../model/flow.ts';
import type { Handshake } from '../model/handshake.ts';
import { formatDuration } from '../model/text.ts';
import type { Verification } from '../remedy/repair.ts';
import { diagnoseListen } from './diagnose-listen.ts';
import { ClientWatch } from './fix-client-watch.ts';
import type { Fault } from './fix-fault.ts';

/** How a repair is verified. */
export interface VerifyOptions {
  readonly host: Host;
  readonly fault: Fault;
  /** A host from which a real connection is made. */
  readonly peer?: Host;
  /** How long to wait for a real SYN of the client. */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

/** Linux repeats a SYN after one second: silence for so long is an answer. */
const SILENCE_MS = 1300;
const TICK_MS = 50;
const CONNECT_MS = 5000;
const PEER_TRIES = 2;
/** Before the change: long enough for a SYN and its first repetition. */
const BEFORE_MS = 2500;
/** What a lookup and the end of the watch may take. */
const SPARE_SECONDS = 20;

/** Sees by the signal that proved the cause whether a repair helped. */
export class Verifier {
  /** What will be looked at, as one sentence without a full stop. */
  readonly how: string;
  /** The longest time that it takes. */
  readonly seconds: number;
  private readonly options: VerifyOptions;
  private watch: ClientWatch | undefined;
  /** When everything was ready for the change. */
  private startedNs: bigint | undefined;
  private target: Endpoint;
  /** The peer could connect before anything was changed. */
  private provesNothing = false;

  constructor(options: VerifyOptions) {
    this.options = options;
    this.target = options.fault.server;
    this.how = describe(options);
    this.seconds = Math.ceil((options.waitMs + 2 * CONNECT_MS) / 1000) + SPARE_SECONDS;
  }

  /** Begins to watch, before anything is changed: an answer to a SYN that is repeated at once is seen as well. */
  async start(): Promise<void> {
    const { host, fault, peer } = this.options;
    if (peer !== undefined) {
      this.target = await targetOf(host, fault);
      // What works before the change as well cannot show that the change helped.
      this.provesNothing = (await connects(peer, this.target, 1, BEFORE_MS)).helped;
    }
    if (fault.side === 'client' || fault.client === undefined || (peer !== undefined && !this.provesNothing)) return;
    this.watch = await ClientWatch.start(host, fault.server.port);
    this.startedNs = await host.nowNs();
  }

  /** Ends the watch. */
  async stop(): Promise<void> {
    await this.watch?.stop();
    this.watch = undefined;
  }

  /** Looks whether it helped. @throws HostError */
  async verify(): Promise<Verification> {
    const { host, fault, peer } = this.options;
    if (fault.side === 'client') return connects(host, this.target, 1);
    const sinceNs = await host.nowNs();
    const asked = fault.client === undefined ? await this.lookAgain() : await this.ask(fault.client);
    if (asked?.helped === false) return asked;
    if (peer !== undefined && !this.provesNothing) {
      const connected = await connects(peer, this.target, PEER_TRIES);
      // Where nothing listens, the refusal is the answer that could not come back before.
      const isRefusal = connected.statement.endsWith('ECONNREFUSED') && fault.cause.id === 'no-listener-and-no-route';
      return isRefusal && asked?.helped === true
        ? { helped: true, statement: `${asked.statement}; the refusal comes back, for nothing listens` }
        : connected;
    }
    // A SYN may have been answered while the change was being made: its client sends no other. The host must say that the fault is gone.
    const answeredSinceNs = asked?.helped === true ? (this.startedNs ?? sinceNs) : sinceNs;
    const seen = await this.watchClient(sinceNs, answeredSinceNs);
    if (seen !== undefined) return seen;
    const before = this.provesNothing ? `; ${peer?.spec} could connect before as well, which shows nothing` : '';
    const waited =
      fault.client === undefined
        ? before
        : `; no SYN of ${fault.client} came within ${formatDuration(this.waitMs * 1e6)}${before}`;
    if (asked?.helped === true) return { helped: true, statement: `${asked.statement}${waited}` };
    return { helped: false, statement: `it cannot be seen whether it helped${waited}` };
  }

  /** A supposed SYN needs no patience for a real one: its signal is the host's own answer. */
  private get waitMs(): number {
    return this.options.fault.supposed ? Math.min(this.options.waitMs, 2000) : this.options.waitMs;
  }

  /** Asks the host what it would do with a SYN of the client: undefined when that does not tell. */
  private async ask(client: string): Promise<Verification | undefined> {
    const { host, fault } = this.options;
    const { server, cause, supposed } = fault;
    const { diagnoses } = await diagnoseListen({
      host,
      port: server.port,
      address: server.address,
      from: client,
      forMs: 0,
    });
    const [now] = diagnoses;
    if (now?.cause?.id === cause.id)
      return { helped: false, statement: `${now.sentence.replace(/\.$/, '')}, as before` };
    const ruledOut = now?.ruledOut.find(({ id }) => id === cause.id);
    const next =
      now?.cause === null || now === undefined ? '' : `; next there is ${now.cause.id}: ${now.cause.sentence}`;
    if (ruledOut !== undefined) return { helped: true, statement: `${ruledOut.statement}${next}` };
    return supposed
      ? { helped: true, statement: `the host says of a SYN from ${client}: ${now?.sentence.replace(/\.$/, '')}${next}` }
      : undefined;
  }

  /** Nobody was seen to fail: the state of the host was the signal, so it is looked at again. */
  private async lookAgain(): Promise<Verification> {
    const { host, fault } = this.options;
    const { diagnoses } = await diagnoseListen({ host, port: fault.server.port, forMs: 300 });
    const still = diagnoses.find(({ cause }) => cause?.id === fault.cause.id);
    return still === undefined
      ? { helped: true, statement: 'the host shows no sign of it any more' }
      : { helped: false, statement: `${still.sentence.replace(/\.$/, '')}, as before` };
  }

  /** Waits for a real SYN of the client, and for what becomes of it; undefined when none came. */
  private async watchClient(sinceNs: bigint, answeredSinceNs: bigint): Promise<Verification | undefined> {
    const { watch, options } = this;
    const { fault, signal } = options;
    const { client } = fault;
    if (watch === undefined || client === undefined) return undefined;
    const startMs = performance.now();
    for (;;) {
      const own = watch.of(client);
      const answered = own.find((one) => hasSegment(one, 'syn-ack', answeredSinceNs));
      if (answered !== undefined) return answer(answered, client);
      const silent = own.find((one) => lastSynMs(one, sinceNs, performance.now(), startMs) > SILENCE_MS);
      if (silent !== undefined) {
        return { helped: false, statement: `a SYN of ${client} came after the change and was not answered` };
      }
      const asksStill = own.some((one) => hasSegment(one, 'syn', sinceNs));
      if ((performance.now() - startMs > this.waitMs && !asksStill) || signal?.aborted) return undefined;
      await sleep(TICK_MS);
    }
  }
}

function describe({ fault, peer, waitMs }: VerifyOptions): string {
  const { side, server, client, supposed } = fault;
  const target = isUnspecified(server.address) ? `port ${server.port}` : formatEndpoint(server);
  if (side === 'client') return `a connection to ${target} must come up`;
  if (peer !== undefined) return `a connection from ${peer.spec} to ${target} must come up`;
  if (client === undefined) return 'the host must show no sign of it any more';
  const wait = formatDuration((supposed ? Math.min(waitMs, 2000) : waitMs) * 1e6);
  return supposed
    ? `the host must say that it would answer a SYN from ${client}; if one comes within ${wait}, it must be answered`
    : `the next SYN of ${client} (within ${wait}) must be answered with a SYN-ACK`;
}

/** Where a peer is to connect to: nobody was seen to call an address when no SYN came, so it is the only one that the host has. */
async function targetOf(host: Host, { server }: Fault): Promise<Endpoint> {
  if (!isUnspecified(server.address)) return server;
  const list = await host.run(['ip', '-o', 'addr', 'show', 'scope', 'global']);
  const addresses = [...list.stdout.matchAll(/\binet6? ([^/\s]+)\/\d+ (?!.*\b(?:temporary|deprecated)\b)/g)].map(
    ([, address = '']) => address,
  );
  const [address] = addresses;
  if (address !== undefined && addresses.length === 1) return { ...server, address };
  throw new HostError('failed', `it is not known to which of its ${addresses.length} addresses a peer is to connect`, {
    hint: `name it with the port: synscope fix CAUSE ${address === undefined ? 'ADDRESS' : formatHost(address)}:${server.port}`,
  });
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

async function connects(from: Host, server: Endpoint, tries: number, timeoutMs = CONNECT_MS): Promise<Verification> {
  let said = '';
  for (let left = tries; left > 0; left -= 1) {
    try {
      const { errno, elapsedMs } = await from.connect({
        address: server.address,
        port: server.port,
        timeoutMs,
      });
      const who = from.spec === 'local' ? 'this host' : from.spec;
      if (errno === undefined) {
        return {
          helped: true,
          statement: `${who} connected to ${formatEndpoint(server)} in ${formatDuration(elapsedMs * 1e6)}`,
        };
      }
      said = `${who} cannot connect to ${formatEndpoint(server)}: ${errno}`;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      said = error.message;
    }
  }
  return { helped: false, statement: said };
}

function hasSegment({ segments }: Handshake, kind: string, sinceNs: bigint): boolean {
  return segments.some((segment) => segment.kind === kind && segment.timeNs >= sinceNs);
}

function answer(handshake: Handshake, client: string): Verification {
  const isThere = handshake.outcome === 'established';
  return {
    helped: true,
    statement: `a SYN-ACK to ${client} left${isThere ? ', and the handshake was completed' : ''}`,
  };
}

/** How long the last SYN since the change waits for an answer, in milliseconds; -1 when there was none. */
function lastSynMs({ segments }: Handshake, sinceNs: bigint, nowMs: number, startMs: number): number {
  const last = segments.findLast(({ kind, timeNs }) => kind === 'syn' && timeNs >= sinceNs);
  return last === undefined ? -1 : nowMs - startMs - Number(last.timeNs - sinceNs) / 1e6;
}
