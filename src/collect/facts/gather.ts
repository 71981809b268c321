import type { Host } from '../../host/host.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import type { Fact } from '../../model/facts/fact.ts';
import type { FactMap, FactName } from '../../model/facts/facts.ts';
import { type AttemptScope, type BaselineScope, type Collector, unavailableFrom } from './collector.ts';

/** What every collector with a baseline read before the watch. */
export interface Baseline {
  readonly readings: ReadonlyMap<FactName, unknown>;
  /** The host's clock when it was complete, nanoseconds since 1970. */
  readonly atNs: bigint;
}

/** Facts by name. */
export type Facts = { -readonly [N in FactName]?: Fact<FactMap[N]> };

/** Reads what must be known before the watch. What cannot be read is left out: the fact will say so later. */
export async function readBaseline(
  host: Host,
  collectors: readonly Collector[],
  scope: BaselineScope,
): Promise<Baseline> {
  const readings = new Map<FactName, unknown>();
  await Promise.all(
    collectors
      .filter((collector) => concerns(collector, scope) && collector.baseline)
      .map(async (collector) => {
        try {
          const reading = await (collector.readBefore?.(host, scope) ?? collector.read(host, scope));
          readings.set(collector.provides, reading);
        } catch (error) {
          unavailableFrom(error);
        }
      }),
  );
  return { readings, atNs: await host.nowNs() };
}

/** Reads all facts around one attempt; collectors that need other facts wait for them and for no more. */
export async function gatherFacts(
  host: Host,
  collectors: readonly Collector[],
  scope: BaselineScope & { readonly attempt: Attempt; readonly known?: Facts },
  baseline: Baseline | undefined,
): Promise<Facts> {
  const intervalMs =
    baseline === undefined ? 0 : Math.max(1, Number(((await host.nowNs()) - baseline.atNs) / 1_000_000n));
  const facts: Facts = { attempt: { value: scope.attempt, source: 'capture' }, ...scope.known };
  const { known: _, ...bare } = scope;
  const wanted = collectors.filter(
    (collector) => concerns(collector, scope) && facts[collector.provides] === undefined,
  );
  const pending = new Map<FactName, Promise<void>>();
  const start = (collector: Collector): Promise<void> => {
    const running = pending.get(collector.provides);
    if (running !== undefined) return running;
    const made = (async () => {
      const all = (names: readonly FactName[] = []): Promise<unknown> =>
        Promise.all(wanted.filter(({ provides }) => names.includes(provides)).map(start));
      const needed = all(collector.after);
      const attemptScope: AttemptScope = { ...bare, intervalMs, facts };
      // What could be read before there was an attempt needs no other fact to be read, only to be understood.
      if (!collector.baseline) await (collector.readAfter === undefined ? needed : all(collector.readAfter));
      const before = baseline?.readings.get(collector.provides);
      const fact = await readFact(host, collector, before, attemptScope, needed);
      (facts as Record<FactName, unknown>)[collector.provides] = fact;
    })();
    pending.set(collector.provides, made);
    return made;
  };
  await Promise.all(wanted.map(start));
  return facts;
}

async function readFact(
  host: Host,
  collector: Collector,
  before: unknown,
  scope: AttemptScope,
  needed: Promise<unknown>,
): Promise<Fact<unknown>> {
  try {
    const reading = await collector.read(host, scope);
    await needed;
    return collector.fact(reading, before, scope);
  } catch (error) {
    return unavailableFrom(error);
  }
}

function concerns(collector: Collector, { side }: BaselineScope): boolean {
  return collector.sides === undefined || collector.sides.includes(side);
}
