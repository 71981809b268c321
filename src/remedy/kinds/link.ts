import type { Host } from '../../host/host.ts';
import { changeCommands } from '../../model/change-commands.ts';
import { wordAfter } from './ip-words.ts';
import { cannot, defineKind, type Kind, mustRun, tryRun } from './kind.ts';

/** A setting of an interface: `up`, `down`, `arp on`, `multicast off`, `mtu 1400`. */
export const link: Kind = defineKind<'link'>({
  kind: 'link',
  async prepare(host, change) {
    const { device, setting } = change;
    const before = await settingOf(host, device, setting);
    const lasting = setting[0] === 'arp' ? await permanentNeighbours(host, device) : [];
    const isSame = before.join(' ') === setting.join(' ');
    const [command = []] = changeCommands(change);
    const [back = []] = changeCommands({ ...change, setting: before });
    return {
      change,
      text: `set ${device} ${setting.join(' ')} (it is ${before.join(' ')})`,
      do: command,
      undo: [back, ...lasting],
      before: await stateOf(host, device, setting),
      dangers: dangersOf(device, setting, lasting.length),
      ...(isSame ? { alreadySo: true as const } : {}),
      ...(setting[0] === 'down'
        ? { cannotUndo: 'an interface that goes down loses its IPv6 addresses and its routes' }
        : {}),
    };
  },
  read: async (host, { device, setting }) => stateOf(host, device, setting),
});

async function stateOf(host: Host, device: string, setting: readonly string[]): Promise<string> {
  const words = await settingOf(host, device, setting);
  const lasting = setting[0] === 'arp' ? await permanentNeighbours(host, device) : [];
  return [words, ...lasting].map((one) => one.join(' ')).join('\n');
}

/** The kernel forgets all neighbours when ARP is switched on or off, those that are permanent as well: commands that enter them again. */
async function permanentNeighbours(host: Host, device: string): Promise<string[][]> {
  const printed = await tryRun(host, ['ip', 'neigh', 'show', 'dev', device, 'nud', 'permanent']);
  return printed.split('\n').flatMap((line) => {
    const [, address, linkAddress] = /^(\S+) lladdr (\S+) /.exec(line) ?? [];
    return address === undefined || linkAddress === undefined
      ? []
      : [['ip', 'neigh', 'replace', address, 'lladdr', linkAddress, 'dev', device, 'nud', 'permanent']];
  });
}

/** What a setting is now, in the words with which it would be set. @throws HostError */
async function settingOf(host: Host, device: string, [name = '', value]: readonly string[]): Promise<string[]> {
  const line = await mustRun(host, ['ip', '-o', 'link', 'show', 'dev', device]);
  const flags = (/<([^>]*)>/.exec(line)?.[1] ?? '').split(',');
  if (name === 'up' || name === 'down') return [flags.includes('UP') ? 'up' : 'down'];
  if (name === 'arp') return ['arp', flags.includes('NOARP') ? 'off' : 'on'];
  if (name === 'multicast') return ['multicast', flags.includes('MULTICAST') ? 'on' : 'off'];
  const current = wordAfter(line.split(/\s+/), name);
  if (name !== 'mtu' || value === undefined || current === undefined) {
    throw cannot(
      `synscope does not know how to undo "ip link set ${device} ${[name, value].join(' ').trim()}"`,
      'do it by hand',
    );
  }
  return ['mtu', current];
}

function dangersOf(device: string, [name]: readonly string[], lasting: number): string[] {
  if (name === 'arp' && lasting > 0) return [`The kernel forgets the ${lasting} permanent neighbours of ${device}`];
  if (name === 'down') return [`Everything that goes through ${device} stops`];
  if (name === 'up') return [`${device} was down, perhaps on purpose; its addresses answer again`];
  return [];
}
