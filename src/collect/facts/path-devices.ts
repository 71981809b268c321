import type { Link } from '../../model/facts/links.ts';
import { type AttemptScope, known } from './collector.ts';
import { inputDevice } from './ends.ts';

/** Interfaces that packets of the attempt pass. */
export interface PathDevices {
  /** On the way in, as far as they are known. */
  readonly incoming: ReadonlySet<string>;
  /** On the way out. */
  readonly outgoing: ReadonlySet<string>;
}

/** The interfaces of the attempt: those that the capture saw, those of the routes, and what lies below or above these. */
export function pathDevices(scope: AttemptScope): PathDevices {
  const { attempt } = scope;
  const links = known(scope, 'links') ?? [];
  const route = known(scope, 'outgoingRoute');
  const seen = (way: 'in' | 'out'): string[] =>
    attempt.sightings.flatMap(({ direction, device }) => (direction === way && device !== undefined ? [device] : []));
  const own = (name: string | undefined): string[] => (name === undefined ? [] : [name, ...mastersOf(name, links)]);
  return {
    incoming: new Set([...seen('in'), ...own(attempt.inDevice), ...own(inputDevice(scope))]),
    outgoing: new Set([...seen('out'), ...own(route?.ok === true ? route.device : undefined)]),
  };
}

function mastersOf(name: string, links: readonly Link[]): string[] {
  const masters: string[] = [];
  for (let link = links.find((one) => one.name === name); link?.master !== undefined && masters.length < 4; ) {
    masters.push(link.master);
    const { master } = link;
    link = links.find((one) => one.name === master);
  }
  return masters;
}
