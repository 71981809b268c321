import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { changeCommands } from '../../model/change-commands.ts';
import { wordAfter } from './ip-words.ts';
import { defineKind, type Kind, tryRun } from './kind.ts';

/** An entry of the neighbour cache. Dynamic entries come back by themselves: only lasting ones are state. */
export const neighbour: Kind = defineKind<'neighbour'>({
  kind: 'neighbour',
  async prepare(host, change) {
    const { address, device, linkAddress, action } = change;
    const words = await entryOf(host, change);
    const isPermanent = words.includes('PERMANENT');
    const before = wordAfter(words, 'lladdr');
    const [command = []] = changeCommands(change);
    const remove = ['ip', 'neigh', 'del', address, 'dev', device];
    const restore =
      isPermanent && before !== undefined
        ? ['ip', 'neigh', 'replace', address, 'lladdr', before, 'dev', device, 'nud', 'permanent']
        : remove;
    const isSame = action === 'delete' ? words.length === 0 : isPermanent && before === linkAddress;
    return {
      change,
      text:
        action === 'delete'
          ? `forget the link-layer address of ${address} on ${device}${before === undefined ? '' : ` (${before}${isPermanent ? ', permanent' : ''})`}`
          : `enter ${linkAddress ?? '?'} as the link-layer address of ${address} on ${device}`,
      do: command,
      // A dynamic entry that is deleted is learned again at the next packet.
      undo: action === 'delete' && !isPermanent ? [] : [restore],
      before: stateOf(words),
      dangers: isPermanent ? ['Somebody may have entered it on purpose, against forged ARP answers'] : [],
      ...(isSame ? { alreadySo: true as const } : {}),
      ...(isPermanent && !isSame ? { policy: 'it gives up an entry that somebody made permanent' } : {}),
    };
  },
  read: async (host, change) => stateOf(await entryOf(host, change)),
});

async function entryOf(host: Host, { address, device }: Extract<Change, { kind: 'neighbour' }>): Promise<string[]> {
  const printed = await tryRun(host, ['ip', 'neigh', 'show', 'to', address, 'dev', device]);
  return printed.trim() === '' ? [] : (printed.trim().split('\n')[0] ?? '').split(/\s+/);
}

function stateOf(words: readonly string[]): string {
  return words.includes('PERMANENT') ? `permanent ${wordAfter(words, 'lladdr') ?? ''}` : 'dynamic';
}
