import type { IpBatch } from './ip-batch.ts';
import type { HostState } from './state.ts';

/** The tables of all namespaces together have a limit (gc_thresh3): a twin must not fill them. */
const MAX_PERMANENT = 256;

/**
 * Commands for the neighbours that somebody wrote down by hand. All others are not needed in the kernel: whom the host knew, the outside
 * world of the twin answers for when it is asked.
 */
export function permanentNeighbours({ neighbours }: HostState, batch: IpBatch): void {
  const permanent = neighbours.filter(
    ({ states, linkAddress, device }) => states.includes('PERMANENT') && linkAddress !== undefined && device !== 'lo',
  );
  for (const { address, device, linkAddress } of permanent.slice(0, MAX_PERMANENT)) {
    batch.add(
      `neigh replace ${address} lladdr ${linkAddress} dev ${device} nud permanent`,
      `neighbour ${address} on ${device}`,
    );
  }
}
