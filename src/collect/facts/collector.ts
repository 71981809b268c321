import { type Host, HostError } from '../../host/host.ts';
import type { Attempt, Side } from '../../model/facts/attempt.ts';
import { type Fact, isUnavailable, type Unavailable } from '../../model/facts/fact.ts';
import type { FactMap, FactName } from '../../model/facts/facts.ts';

/** What is looked at before an attempt is known: one port of one side. */
export interface BaselineScope {
  readonly side: Side;
  /** Port of the server. */
  readonly port: number;
  /** Address of the server (`listen ADDRESS:PORT`, or the target of `connect`), when it is known from the start. */
  readonly server?: string;
}

/** What is looked at once there is an attempt. */
export interface AttemptScope extends BaselineScope {
  readonly attempt: Attempt;
  /** Length of the watch in milliseconds; 0 when there was no baseline. */
  readonly intervalMs: number;
  /** Facts that were made already: those that the collector names in `after`, and the attempt. */
  readonly facts: { readonly [N in FactName]?: Fact<FactMap[N]> };
}

/** Reads one fact of a host. */
export interface Collector<Name extends FactName = FactName, Reading = unknown, Before = Reading> {
  readonly provides: Name;
  /** Read before the watch as well, so that growth is known; `read` then gets a scope without an attempt. */
  readonly baseline: boolean;
  /** Sides on which it makes sense; both when absent. */
  readonly sides?: readonly Side[];
  /** Facts that must be there first. */
  readonly after?: readonly FactName[];
  /** Those of `after` that `read` needs; all of them when absent. The others are needed to understand the reading only. */
  readonly readAfter?: readonly FactName[];
  /** Asks the host; deterministic in what it asks. @throws HostError when it cannot be had. */
  read(host: Host, scope: BaselineScope | AttemptScope): Promise<Reading>;
  /** What is read before the watch instead, where that is less. @throws HostError when it cannot be had. */
  readBefore?(host: Host, scope: BaselineScope): Promise<Before>;
  /** Makes the fact of the readings. Pure. `before` is absent when there was no baseline, or it could not be read. */
  fact(reading: Reading, before: Before | undefined, scope: AttemptScope): Fact<FactMap[Name]>;
}

/** Declares a collector, so that its reading keeps its type. */
export function defineCollector<const Name extends FactName, Reading, Before = Reading>(
  collector: Collector<Name, Reading, Before>,
): Collector {
  return collector as unknown as Collector;
}

/** Whether there is an attempt yet. */
export function hasAttempt(scope: BaselineScope | AttemptScope): scope is AttemptScope {
  return 'attempt' in scope;
}

/** The value of a fact that was made already; undefined when it could not be had. */
export function known<Name extends FactName>(scope: AttemptScope, name: Name): FactMap[Name] | undefined {
  const fact = scope.facts[name] as Fact<FactMap[Name]> | undefined;
  return fact === undefined || isUnavailable(fact) ? undefined : fact.value;
}

/** What a failure to read means as a value. Bugs go on as exceptions. */
export function unavailableFrom(error: unknown): Unavailable {
  if (!(error instanceof HostError)) throw error;
  const code = error.code === 'unreachable' || error.code === 'failed' ? 'not-supported' : error.code;
  return { unavailable: code, reason: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
}
