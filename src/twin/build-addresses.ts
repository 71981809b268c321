import type { IpBatch } from './ip-batch.ts';
import type { Notes } from './notes.ts';
import type { AddressState, HostState } from './state.ts';

/** Commands that give the interfaces their addresses, without the routes that usually come with them: those are copied as they are. */
export function addressCommands(state: HostState, batch: IpBatch, notes: Notes): void {
  for (const address of state.addresses) {
    const text = `${address.address}/${address.prefixLength} on ${address.device}`;
    const unusable = address.flags.find((flag) => flag === 'dadfailed' || flag === 'tentative');
    if (unusable !== undefined && !address.flags.includes('optimistic')) {
      notes.assume(
        unusable === 'dadfailed'
          ? `${text} is left out: somebody else has it (duplicate address detection failed)`
          : `${text} is left out: the kernel has not yet checked whether somebody else has it`,
      );
      continue;
    }
    if (!batch.add(commandOf(address), `address ${text}`)) notes.missing(`address ${text}`);
  }
}

function commandOf({ family, address, prefixLength, device, scope, flags, peer, broadcast }: AddressState): string {
  return [
    `address add ${peer === undefined ? '' : `${address} peer ${peer}/${prefixLength}`}`,
    peer === undefined ? `${address}/${prefixLength}` : '',
    `dev ${device}`,
    scope === '' ? '' : `scope ${scope}`,
    family === 4 && broadcast !== undefined ? `broadcast ${broadcast}` : '',
    family === 6 ? 'nodad' : '',
    family === 6 && flags.includes('deprecated') ? 'valid_lft forever preferred_lft 0' : '',
    'noprefixroute',
  ].join(' ');
}
