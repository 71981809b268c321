import type { ComparedInput } from '../../collect/track-for-comparison.ts';
import { KeptCapture } from '../../collect/watch/kept-capture.ts';
import { type Host, HostError } from '../../host/host.ts';
import type { NotSeen } from '../../model/diagnosis.ts';
import type { Side } from '../../model/facts/attempt.ts';
import { HostWatch } from '../host-watch.ts';

/** What part a host has in a trace. */
export type PointRole = 'client' | 'via' | 'server';

/** What is known of a host of a trace before it is asked anything. */
export interface PointPlan {
  readonly role: PointRole;
  /** Short and unique among the hosts of the trace. */
  readonly name: string;
  readonly host: Host;
  /** The file in which its packets are kept as well. */
  readonly path?: string;
}

/** One host of a trace while it is watched. What fails on it is kept as the reason why it is not seen, and ends nothing. */
export class WatchedPoint {
  readonly plan: PointPlan;
  readonly watch: HostWatch;
  readonly kept: KeptCapture = new KeptCapture();
  /** Why nothing can be asked of it any more. */
  lost: NotSeen | undefined;
  private stopping: Promise<void> | undefined;

  /** @param port of the server, as packets have it here. */
  constructor(plan: PointPlan, port: number) {
    this.plan = plan;
    const side: Side = plan.role === 'client' ? 'client' : 'server';
    this.watch = new HostWatch(plan.host, { side, port }, this.kept.push);
  }

  /** Whether its packets are seen. */
  get captures(): boolean {
    return this.lost === undefined && this.watch.captures;
  }

  /** Whether packets are missing from some moment on. */
  get isBroken(): boolean {
    return this.lost !== undefined || this.watch.broken !== undefined;
  }

  /** Resolves when nothing that happens from now on is missed, or when it is known that it will be. */
  async start(): Promise<void> {
    await this.attempt(() => this.watch.start());
  }

  /** Does something with the host; undefined, and the reason kept, when it cannot be reached any more. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.lost !== undefined) return undefined;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.lost = {
        reason: `${this.plan.name}: ${error.message}`,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      };
      return undefined;
    }
  }

  /** Does something with the host; undefined, and the reason kept, when the way to it breaks meanwhile. @throws HostError for all else. */
  async untilLost<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'unreachable') throw error;
      return this.attempt(() => Promise.reject(error));
    }
  }

  /** What it has captured so far; undefined when it captures nothing. */
  async tracked(): Promise<ComparedInput | undefined> {
    if (!this.captures || this.kept.isEmpty) return undefined;
    const atNs = await this.attempt(() => this.plan.host.nowNs());
    if (atNs === undefined) return undefined;
    const { name, path, role } = this.plan;
    return this.kept.track({
      name,
      sinceNs: this.watch.sinceNs,
      atNs,
      lost: this.watch.lost,
      ...(this.watch.broken === undefined ? { complete: role === 'via' ? 'likely' : 'certain' } : {}),
      ...(path === undefined ? {} : { path }),
    });
  }

  /** Ends its capture; all that it has seen has been taken then. */
  async endCapture(): Promise<void> {
    await this.attempt(() => this.watch.endCapture(false));
  }

  /** What could not be seen on it. */
  notSeen(): NotSeen[] {
    const { uncaptured, broken } = this.watch;
    return [
      ...(this.lost === undefined ? [] : [this.lost]),
      ...(broken === undefined || this.lost !== undefined
        ? []
        : [{ reason: `${this.plan.name}: packets are missing from some moment on: ${broken.message}` }]),
      ...(uncaptured === undefined ? [] : [{ ...uncaptured, reason: `${this.plan.name}: ${uncaptured.reason}` }]),
    ];
  }

  /** Ends everything that runs there. Safe to call twice. */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async end(): Promise<void> {
    try {
      await this.watch.stop(true);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.lost ??= { reason: `${this.plan.name}: ${error.message}` };
    }
  }
}
