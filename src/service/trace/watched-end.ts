import { setTimeout as sleep } from 'node:timers/promises';
import { unseenAttempt, unseenHandshake } from '../../collect/watch/attempt-of.ts';
import type { Suspect } from '../../collect/watch/live-handshakes.ts';
import type { Attempt, ConnectResult } from '../../model/facts/attempt.ts';
import type { Flow } from '../../model/flow.ts';
import type { Handshake } from '../../model/handshake.ts';
import { type EndCase, judgeAlone } from './trace-case.ts';
import { type PointPlan, WatchedPoint } from './watched-point.ts';

/** How often open attempts are looked at. */
const TICK_MS = 40;
/** Silence for so long is worth a first look: what is short-lived is still there. */
const EARLY_MS = 120;
/** Attempts of which all facts are read at most. */
const MAX_CASES = 12;

/** One end of the connection that watches attempts come or go, and judges by itself each of them that fails. */
export class WatchedEnd extends WatchedPoint {
  private readonly concerns: (handshake: Handshake) => boolean;
  private readonly cases = new Map<string, EndCase & { readonly isFinal: boolean }>();
  private looking: Promise<void> = Promise.resolve();
  private isDone = false;

  /**
   * @param port of the server, as this end has it.
   * @param concerns whether an attempt is one of those that the trace is about.
   */
  constructor(plan: PointPlan, port: number, concerns: (handshake: Handshake) => boolean) {
    super(plan, port);
    this.concerns = concerns;
  }

  override async start(): Promise<void> {
    await super.start();
    this.looking = this.look();
  }

  /** Ends looking at attempts; the packets are still captured. */
  async rest(): Promise<void> {
    this.isDone = true;
    await this.looking;
  }

  /** The attempts that failed as this end saw them. */
  get failed(): number {
    return [...this.cases.values()].filter(({ isFinal }) => isFinal).length;
  }

  /** What this end said of every attempt that failed as it saw them. */
  seen(): readonly EndCase[] {
    return [...this.cases.values()];
  }

  /** What this end says by itself of an attempt that it has seen. */
  async caseOf(handshake: Handshake): Promise<EndCase | undefined> {
    const known = this.cases.get(keyOf(handshake));
    if (known?.isFinal === true && !isOutdated(known, handshake)) return known;
    return (await this.attempt(() => this.judge(handshake))) ?? known;
  }

  /** What this end says of an attempt of which nothing came here. */
  async caseOfUnseen(flow: Flow): Promise<EndCase | undefined> {
    return this.attempt(async () => {
      const { host, name, role } = this.plan;
      const side = role === 'client' ? 'client' : 'server';
      const attempt = unseenAttempt(flow, side, { observed: this.captures, captured: this.captures });
      return judgeAlone(
        host,
        name,
        attempt,
        unseenHandshake(flow, await host.nowNs()),
        await this.watch.facts(attempt),
      );
    });
  }

  private async look(): Promise<void> {
    while (!this.isDone && this.lost === undefined) {
      await sleep(TICK_MS);
      if (this.watch.captures) await this.attempt(() => this.lookOnce());
      if (this.watch.isOver) return;
    }
  }

  private async lookOnce(): Promise<void> {
    const { host } = this.plan;
    for (const suspect of this.watch.live.suspects(await host.nowNs(), EARLY_MS)) {
      if (this.cases.size >= MAX_CASES || this.isDone) return;
      if (this.concerns(suspect.handshake)) await this.take(suspect);
    }
  }

  private async take({ handshake, early }: Suspect): Promise<void> {
    const key = keyOf(handshake);
    if (this.cases.get(key)?.isFinal === true) return;
    this.watch.surroundings.add(handshake, key);
    const made = await this.judge(handshake);
    this.cases.set(key, { ...made, isFinal: !early || made.diagnosis.cause?.status === 'confirmed' });
  }

  private async judge(handshake: Handshake): Promise<EndCase> {
    const { host, name, role } = this.plan;
    const connect = role === 'client' ? supposedConnect(handshake) : undefined;
    const attempt: Attempt = this.watch.attemptOf(handshake, connect);
    return judgeAlone(host, name, attempt, handshake, await this.watch.facts(attempt));
  }
}

/** Whether something has come since that was not there when it was judged. */
export function isOutdated({ given }: EndCase, { outcome }: Handshake): boolean {
  const isSilent = (one: string): boolean => one === 'no-reply' || one === 'in-progress';
  return isSilent(given.handshake.outcome) && !isSilent(outcome);
}

function keyOf({ client, server, startedAtNs }: Handshake): string {
  return `${client.address} ${client.port} ${server.address} ${server.port} ${startedAtNs}`;
}

/** What connect() of the application must have said, by the packets. */
function supposedConnect({ client, server, outcome, startedAtNs, endedAtNs }: Handshake): ConnectResult {
  const errno = { refused: 'ECONNREFUSED', unreachable: 'EHOSTUNREACH', established: undefined }[outcome as 'refused'];
  const elapsedMs = Number((endedAtNs - startedAtNs) / 1_000_000n);
  const open = outcome !== 'established' && outcome !== 'refused' && outcome !== 'unreachable';
  return {
    remote: server,
    local: client,
    elapsedMs,
    ...(open ? { errno: 'EINPROGRESS' } : errno === undefined ? {} : { errno }),
  };
}
