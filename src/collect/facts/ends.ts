import { parseAddress } from '../../formats/wire/address.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import type { Link, LinkAddress } from '../../model/facts/links.ts';
import { type AttemptScope, known } from './collector.ts';

/** Whether an address is one, and not the unspecified one, which stands for nobody. */
export function isSomebody(address: string): boolean {
  return parseAddress(address)?.some((byte) => byte !== 0) === true;
}

/** Whether an address means a host only together with an interface (fe80::/10). */
export function isLinkLocalV6(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}

/** This host's end of the attempt, and the other one. */
export function endsOf({ side, client, server }: Attempt): {
  readonly here: Attempt['client'];
  readonly peer: Attempt['client'];
} {
  return side === 'server' ? { here: server, peer: client } : { here: client, peer: server };
}

/**
 * The interface by which the IP layer takes in the packet of the attempt that comes to this host: above bonds and bridges, whose ports
 * a capture sees first, and the VRF in place of what belongs to it.
 */
export function inputDevice(scope: AttemptScope): string | undefined {
  const { attempt } = scope;
  const links = known(scope, 'links') ?? [];
  const addresses = known(scope, 'addresses') ?? [];
  const segment = attempt.side === 'server' ? 'syn' : 'syn-ack';
  const seen = attempt.sightings.flatMap((sighting) =>
    sighting.segment === segment && sighting.direction === 'in' && sighting.device !== undefined
      ? [sighting.device]
      : [],
  );
  const outgoing = known(scope, 'outgoingRoute');
  const { here } = endsOf(attempt);
  const likely =
    attempt.inDevice ??
    (attempt.observed && attempt.syns > 0 && attempt.side === 'server' ? undefined : outgoing?.device) ??
    addresses.find(({ address }) => address === here.address)?.device;
  const candidates = [...new Set((seen.length > 0 ? seen : likely === undefined ? [] : [likely]).map(above(links)))];
  const withAddress = candidates.find((name) => hasAddress(name, attempt.family, addresses));
  const device = withAddress ?? candidates.at(-1);
  if (device === undefined) return undefined;
  return isLinkLocalV6(here.address) ? device : (links.find(({ name }) => name === device)?.vrf ?? device);
}

/** The bond or bridge that takes over what comes in through an interface, or the interface itself. */
function above(links: readonly Link[]): (name: string) => string {
  return (name) => {
    let device = name;
    for (let step = 0; step < 4; step++) {
      const link = links.find((one) => one.name === device);
      const master = links.find((one) => one.name === link?.master);
      if (master === undefined || master.kind === 'vrf') break;
      device = master.name;
    }
    return device;
  };
}

function hasAddress(device: string, family: 4 | 6, addresses: readonly LinkAddress[]): boolean {
  return addresses.some((one) => one.device === device && one.family === family);
}
