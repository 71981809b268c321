import { type Names, NO_DEVICE } from '../../formats/netfilter/names.ts';
import type { Link } from '../../model/facts/links.ts';
import { type AttemptScope, known } from './collector.ts';

/** Whether both ends of the attempt are on this host: its packets go through `lo`. */
export function isLoopback(scope: AttemptScope): boolean {
  const { attempt } = scope;
  const outgoing = known(scope, 'outgoingRoute');
  return (
    attempt.inDevice === 'lo' || (outgoing?.ok === true && (outgoing.type === 'local' || outgoing.device === 'lo'))
  );
}

/** Names that the device may have by which the IP layer gets a packet: the upper one of those through which it comes. */
export function inputDevices(scope: AttemptScope, loopback: boolean): Names {
  if (loopback) return ['lo'];
  const { attempt } = scope;
  const segment = scope.side === 'server' ? 'syn' : 'syn-ack';
  const seen = attempt.sightings.flatMap(({ segment: kind, direction, device }) =>
    kind === segment && direction === 'in' && device !== undefined ? [device] : [],
  );
  const outgoing = known(scope, 'outgoingRoute');
  const likely = attempt.inDevice ?? (attempt.observed || outgoing?.ok !== true ? undefined : outgoing.device);
  const devices = [...new Set(seen.length > 0 ? seen : likely === undefined ? [] : [likely])];
  if (devices.length === 0) return undefined;
  const links = known(scope, 'links');
  const upper = new Set(devices.flatMap((name) => upperDevices(name, links)));
  // Several that the capture saw: the lower ones are ports or parents of the upper ones.
  const above = [...upper].filter((name) => !isLower(name, upper, links));
  return above.length > 0 ? above : [...upper];
}

/** A bridge and a bond take over what comes through their ports; with a VRF rules see one name or the other. */
function upperDevices(name: string, links: readonly Link[] | undefined): readonly string[] {
  const link = links?.find((one) => one.name === name);
  if (link?.vrf !== undefined && link.vrf !== name) return [name, link.vrf];
  const master = link?.master === undefined ? undefined : links?.find((one) => one.name === link.master);
  if (master === undefined) return [name];
  return master.kind === 'vrf'
    ? [name, master.name]
    : upperDevices(
        master.name,
        links?.filter((one) => one !== link),
      );
}

function isLower(name: string, others: ReadonlySet<string>, links: readonly Link[] | undefined): boolean {
  return (
    links?.some(
      (link) => link.name === name && link.master !== undefined && others.has(link.master) && !isVrf(link, links),
    ) === true
  );
}

function isVrf({ master }: Link, links: readonly Link[]): boolean {
  return links.some(({ name, kind }) => name === master && kind === 'vrf');
}

/** Name of the device by which a packet leaves; that of the forwarding route for one that is passed on. */
export function outputDevice(scope: AttemptScope, way: 'in' | 'out', loopback: boolean): Names {
  if (way === 'out') {
    if (loopback) return ['lo'];
    const route = known(scope, 'outgoingRoute');
    return route?.ok === true && route.device !== undefined ? [route.device] : undefined;
  }
  const route = known(scope, 'incomingRoute');
  if (route?.ok !== true) return undefined;
  return route.type === 'local' ? NO_DEVICE : route.device === undefined ? undefined : [route.device];
}

/** Devices whose egress hook a packet passes; undefined when there are others below the one of the route. */
export function egressDevices(scope: AttemptScope, device: Names): readonly string[] | undefined {
  const links = known(scope, 'links');
  if (device?.length !== 1 || links === undefined) return undefined;
  const [name] = device;
  const link = links.find((one) => one.name === name);
  const single = link !== undefined && (link.kind === undefined || link.kind === 'veth' || link.kind === 'dummy');
  return single ? device : undefined;
}
