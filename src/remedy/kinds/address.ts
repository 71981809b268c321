import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { changeCommands } from '../../model/change-commands.ts';
import type { RepairStep } from '../../model/repair.ts';
import { routeArguments, routeWords } from './ip-words.ts';
import { defineKind, type Kind, mustRun, tryRun } from './kind.ts';

type AddressChange = Extract<Change, { kind: 'address' }>;

/** An address of an interface, with the routes that go away with it. */
export const address: Kind = defineKind<'address'>({
  kind: 'address',
  async prepare(host, change) {
    const line = await addressLine(host, change);
    const [command = []] = changeCommands(change);
    const state = line === undefined ? 'absent' : 'present';
    if (change.action === 'add') {
      const [back = []] = changeCommands({ ...change, action: 'delete' });
      const { address: text, device } = change;
      return {
        change,
        text: `give ${device} the address ${text}/${change.prefixLength}`,
        do: command,
        undo: [back],
        before: state,
        dangers: [`If another host has ${text}, connections of both break`],
        ...(line === undefined ? {} : { alreadySo: true as const }),
      };
    }
    return prepareDelete(host, change, line, command, state);
  },
  read: async (host, change) => ((await addressLine(host, change)) === undefined ? 'absent' : 'present'),
});

async function prepareDelete(
  host: Host,
  change: AddressChange,
  line: string | undefined,
  command: readonly string[],
  before: string,
): Promise<RepairStep> {
  const { address: text, prefixLength, device } = change;
  const family = text.includes(':') ? 6 : 4;
  const ip = ['ip', ...(family === 6 ? ['-6'] : [])];
  const flags = ['nodad', 'noprefixroute', 'home', 'mngtmpaddr'].filter((flag) => line?.split(/\s+/).includes(flag));
  const printed =
    line === undefined ? '' : await tryRun(host, [...ip, '-o', '-d', 'route', 'show', 'table', 'main', 'dev', device]);
  // `show dev` leaves the device out. Routes that the kernel makes of the address come back with it.
  const routes = printed
    .split('\n')
    .filter((one) => one.trim() !== '' && !routeWords(one).join(' ').includes('proto kernel'))
    .map((one) => [...ip, 'route', 'replace', ...routeArguments(one, family, 'main'), 'dev', device]);
  return {
    change,
    text: `take the address ${text}/${prefixLength} off ${device}`,
    do: command,
    undo:
      line === undefined ? [] : [[...ip, 'addr', 'add', `${text}/${prefixLength}`, 'dev', device, ...flags], ...routes],
    before,
    ...(/ (?:dadfailed|tentative) /.test(`${line ?? ''} `)
      ? { cannotUndo: `that ${text} was found on another host is not brought back` }
      : {}),
    dangers: [`Connections to ${text} end`, 'Routes that use it as their source go away with it'],
    ...(line === undefined ? { alreadySo: true as const } : {}),
  };
}

/** The line of `ip -o addr` with the address; undefined when the interface does not have it. @throws HostError */
async function addressLine(
  host: Host,
  { address: text, prefixLength, device }: AddressChange,
): Promise<string | undefined> {
  const family = text.includes(':') ? '-6' : '-4';
  const printed = await mustRun(host, ['ip', '-o', family, 'addr', 'show', 'dev', device]);
  return printed.split('\n').find((line) => line.split(/\s+/).includes(`${text}/${prefixLength}`));
}
