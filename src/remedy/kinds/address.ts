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
    return change.action === 'renew'
      ? prepareRenew(host, change, line)
      : prepareDelete(host, change, line, command, state);
  },
  read: async (host, change) => {
    const line = await addressLine(host, change);
    if (change.action === 'renew') return usability(line);
    return line === undefined ? 'absent' : 'present';
  },
});

/**
 * Gives an address anew, with the routes that go away with it, and waits for what duplicate address detection finds (RFC 4862 section 5.4).
 * Arguments: address with its length, interface, count of words of the options of the address, these; then for each route the count of words, words.
 */
const RENEW = [
  'address=$1 device=$2 options=$3; shift 3',
  'ip -6 addr del "$address" dev "$device" || exit 1',
  // The options are synscope's own words, never data.
  'ip -6 addr add "$address" dev "$device" $options || exit 1',
  'i=0; while [ "$i" -lt 80 ]; do',
  '  state=$(ip -6 -o addr show dev "$device" to "$address")',
  '  case "$state" in *dadfailed*) echo "another host on the link has $address still: take it off there first" >&2; exit 1;; *tentative*) ;; *) break;; esac',
  '  i=$((i + 1)); sleep 0.1 2>/dev/null || sleep 1',
  'done',
  'while [ "$#" -gt 1 ]; do',
  '  c=$1; shift',
  '  words=""; i=1',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own. Only numbers are put together here, never data.
  '  while [ "$i" -le "$c" ]; do words="$words \\"\\${$i}\\""; i=$((i + 1)); done',
  '  eval "$words" || exit 1',
  '  shift "$c"',
  'done',
].join('\n');

/** An address that was found to be a duplicate stays so until it is given anew: nothing in the kernel tries again. */
async function prepareRenew(host: Host, change: AddressChange, line: string | undefined): Promise<RepairStep> {
  const { address: text, prefixLength, device } = change;
  const before = usability(line);
  const routes = line === undefined ? [] : await routesThrough(host, change);
  const options = flagsOf(line)
    .filter((flag) => flag !== 'nodad')
    .join(' ');
  return {
    change,
    text: `take ${text}/${prefixLength} off ${device} and give it anew, so that detection of duplicates runs again (it is ${before})`,
    do: [
      ...['sh', '-c', RENEW, 'sh', `${text}/${prefixLength}`, device, options],
      ...routes.flatMap((words) => [String(words.length), ...words]),
    ],
    undo: [],
    before,
    dangers: [`If another host has ${text} still, it stays a duplicate here`],
    cannotUndo: `that ${text} was found on another host is not brought back`,
    ...(before === 'usable' ? { alreadySo: true as const } : {}),
  };
}

/** Whether an address can be used, by its flags. */
function usability(line: string | undefined): string {
  if (line === undefined) return 'absent';
  if (/ dadfailed\b/.test(line)) return 'a duplicate';
  return / tentative\b/.test(line) ? 'tentative' : 'usable';
}

const FLAGS: readonly string[] = ['nodad', 'noprefixroute', 'home', 'mngtmpaddr'];

/** Options with which an address was given, as far as its line tells. */
function flagsOf(line: string | undefined): string[] {
  const words = line?.split(/\s+/) ?? [];
  return FLAGS.filter((flag) => words.includes(flag));
}

/** The commands that bring back the routes of an interface that go away with an address. */
async function routesThrough(host: Host, { address: text, device }: AddressChange): Promise<string[][]> {
  const family = text.includes(':') ? 6 : 4;
  const ip = ['ip', ...(family === 6 ? ['-6'] : [])];
  const printed = await tryRun(host, [...ip, '-o', '-d', 'route', 'show', 'table', 'main', 'dev', device]);
  // `show dev` leaves the device out. Routes that the kernel makes of the address come back with it.
  return printed
    .split('\n')
    .filter((one) => one.trim() !== '' && !routeWords(one).join(' ').includes('proto kernel'))
    .map((one) => [...ip, 'route', 'replace', ...routeArguments(one, family, 'main'), 'dev', device]);
}

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
  const routes = line === undefined ? [] : await routesThrough(host, change);
  return {
    change,
    text: `take the address ${text}/${prefixLength} off ${device}`,
    do: command,
    undo:
      line === undefined
        ? []
        : [[...ip, 'addr', 'add', `${text}/${prefixLength}`, 'dev', device, ...flagsOf(line)], ...routes],
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
