import type { Host } from '../../../host/host.ts';
import type { Attempt } from '../../../model/facts/attempt.ts';
import type { Fact } from '../../../model/facts/fact.ts';
import { isUnavailable } from '../../../model/facts/fact.ts';
import type { FactMap, FactName } from '../../../model/facts/facts.ts';
import type { Collector } from '../collector.ts';
import { gatherFacts, readBaseline } from '../gather.ts';

/** An attempt that was watched at a server, to port 443 of 192.0.2.1. */
export const WATCHED: Attempt = {
  side: 'server',
  observed: true,
  captured: true,
  family: 4,
  client: { address: '198.51.100.7', port: 50204 },
  server: { address: '192.0.2.1', port: 443 },
  syns: 1,
  synAcks: 0,
  sightings: [],
  icmpErrors: [],
  inDevice: 'eth0',
  lastedMs: 1000,
};

/** Gathers the fact of one collector, and of those that it needs, the way the watch does. */
export async function factOf<Name extends FactName>(
  name: Name,
  collectors: readonly Collector[],
  host: Host,
  attempt: Attempt = WATCHED,
  before?: Host,
): Promise<Fact<FactMap[Name]>> {
  const scope = { side: attempt.side, port: attempt.server.port };
  const baseline = before === undefined ? undefined : await readBaseline(before, collectors, scope);
  const facts = await gatherFacts(host, collectors, { ...scope, attempt }, baseline);
  const fact = facts[name] as Fact<FactMap[Name]> | undefined;
  if (fact === undefined) throw new Error(`${name} was not gathered`);
  return fact;
}

/** The value of a fact that must be there. */
export async function factValue<Name extends FactName>(
  ...ask: Parameters<typeof factOf<Name>>
): Promise<FactMap[Name]> {
  const fact = await factOf(...ask);
  if (isUnavailable(fact)) throw new Error(fact.reason);
  return fact.value;
}
