import type { Host } from '../../host/host.ts';
import { type AttemptScope, type BaselineScope, hasAttempt } from './collector.ts';

const rounds = new WeakMap<object, WeakMap<Host, Map<string, Promise<unknown>>>>();

/**
 * Lets collectors share what they read of a host within one round: the baseline, or the facts of one attempt. The first that asks
 * reads; the others get the same.
 */
export function shareReading<Reading>(
  host: Host,
  scope: BaselineScope | AttemptScope,
  key: string,
  read: () => Promise<Reading>,
): Promise<Reading> {
  // All collectors of a round get the same scope, or scopes with the same object of facts.
  const readings = within(within(rounds, hasAttempt(scope) ? scope.facts : scope, newHosts), host, newReadings);
  return within(readings, key, read) as Promise<Reading>;
}

/** The value of a key; made when it is not there. */
function within<Key, Value>(
  map: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function newHosts(): WeakMap<Host, Map<string, Promise<unknown>>> {
  return new WeakMap();
}

function newReadings(): Map<string, Promise<unknown>> {
  return new Map();
}
