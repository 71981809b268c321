import type { Host } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import { changeCommands } from '../../model/change-commands.ts';
import type { RepairStep } from '../../model/repair.ts';
import { routeArguments, routeWords, wordAfter } from './ip-words.ts';
import { cannot, defineKind, type Kind, tryRun } from './kind.ts';

type RouteChange = Extract<Change, { kind: 'route' }>;

/** Types of routes that refuse: whoever put one there may have meant it. */
const REJECTING: ReadonlySet<string> = new Set(['unreachable', 'prohibit', 'blackhole', 'throw']);

/** One route of one table. */
export const route: Kind = defineKind<'route'>({
  kind: 'route',
  async prepare(host, change) {
    if (change.via !== undefined && !isAddress(change.via)) throw cannot(`${change.via} is no address of a router`);
    const lines = await routesTo(host, change);
    const before = stateOf(lines);
    switch (change.action) {
      case 'add':
        return prepareAdd(change, lines, before);
      case 'delete':
        return prepareDelete(change, lines, before);
      case 'replace':
        return prepareReplace(change, lines, before);
    }
  },
  read: async (host, change) => stateOf(await routesTo(host, change)),
});

function prepareAdd(change: RouteChange, lines: readonly string[], before: string): RepairStep {
  const same = lines.some((line) => isThatRoute(change, line));
  const inTheWay = lines.find((line) => metricOf(line, change.family) === (change.metric ?? defaultMetric(change)));
  if (!same && inTheWay !== undefined) {
    throw cannot(
      `there is a route to ${change.destination} with the same metric already: ${routeWords(inTheWay).join(' ')}`,
      'look at that one first; "ip route replace" would take its place',
    );
  }
  const marked: RouteChange = { ...change, protocol: change.protocol ?? 'static' };
  const [command = []] = changeCommands(marked);
  const [back = []] = changeCommands({ ...marked, action: 'delete' });
  return {
    change: marked,
    text: `add the route ${describe(change)}`,
    do: command,
    undo: [back],
    before,
    dangers: isDefault(change.destination)
      ? ['Packets to everywhere that had no route until now leave through this router']
      : [],
    ...(same ? { alreadySo: true as const } : {}),
  };
}

function prepareDelete(change: RouteChange, lines: readonly string[], before: string): RepairStep {
  const matching = lines.filter((line) => isThatRoute(change, line));
  if (matching.length > 1) {
    throw cannot(`${matching.length} routes are ${describe(change)}: it cannot be told which of them is meant`);
  }
  const [line] = matching;
  const [command = []] = changeCommands(change);
  const again =
    line === undefined ? [] : [ip(change.family, 'add', routeArguments(line, change.family, change.table ?? 'main'))];
  const type = change.type ?? 'unicast';
  return {
    change,
    text: `delete the route ${describe(change)}`,
    do: command,
    undo: again,
    before,
    dangers: [],
    ...(line === undefined ? { alreadySo: true as const } : {}),
    ...(REJECTING.has(type)
      ? { policy: `it lets packets out to ${change.destination}, which a ${type} route refuses` }
      : {}),
  };
}

function prepareReplace(change: RouteChange, lines: readonly string[], before: string): RepairStep {
  const wanted = change.metric ?? defaultMetric(change);
  const same = lines.filter((line) => metricOf(line, change.family) === wanted);
  if (same.length > 1) throw cannot(`${same.length} routes to ${change.destination} have the same metric`);
  const [line] = same;
  const marked: RouteChange = { ...change, protocol: change.protocol ?? 'static' };
  const [command = []] = changeCommands(marked);
  const back =
    line === undefined
      ? (changeCommands({ ...marked, action: 'delete' })[0] ?? [])
      : ip(change.family, 'replace', routeArguments(line, change.family, change.table ?? 'main'));
  return {
    change: marked,
    text: `put the route ${describe(change)} in the place of ${line === undefined ? 'none' : routeWords(line).join(' ')}`,
    do: command,
    undo: [back],
    before,
    dangers: ['Connections that leave by the present route change over at once'],
    ...(line !== undefined && isThatRoute(change, line) ? { alreadySo: true as const } : {}),
  };
}

/** The lines of all routes to exactly this destination in the table. @throws HostError */
async function routesTo(host: Host, { family, destination, table = 'main' }: RouteChange): Promise<string[]> {
  const to = isDefault(destination) ? 'default' : destination;
  // A table without a route does not exist, and ip says so with an error.
  const printed = await tryRun(host, [
    ...['ip', '-o', ...(family === 6 ? ['-6'] : []), '-d', 'route', 'show', 'table', table, 'exact', to],
  ]);
  return printed.split('\n').filter((line) => line.trim() !== '');
}

function stateOf(lines: readonly string[]): string {
  return lines
    .map((line) => routeWords(line).join(' '))
    .sort()
    .join('\n');
}

function isThatRoute({ type = 'unicast', via, device, metric, family, protocol }: RouteChange, line: string): boolean {
  const words = routeWords(line);
  return (
    words[0] === type &&
    (via === undefined || wordAfter(words, 'via') === via) &&
    (device === undefined || wordAfter(words, 'dev') === device) &&
    (metric === undefined || metricOf(line, family) === metric) &&
    (protocol === undefined || wordAfter(words, 'proto') === protocol)
  );
}

function metricOf(line: string, family: 4 | 6): number {
  const metric = wordAfter(routeWords(line), 'metric');
  return metric === undefined ? (family === 6 ? 1024 : 0) : Number(metric);
}

/** The metric of a route that is added without one (IP6_RT_PRIO_USER in linux/ipv6_route.h). */
function defaultMetric({ family }: RouteChange): number {
  return family === 6 ? 1024 : 0;
}

function describe(change: RouteChange): string {
  const { destination, type, via, device, table, metric } = change;
  return [
    ...(type === undefined || type === 'unicast' ? [] : [type]),
    isDefault(destination) ? 'default' : destination,
    ...(via === undefined ? [] : ['via', via]),
    ...(device === undefined ? [] : ['dev', device]),
    ...(table === undefined || table === 'main' ? [] : ['table', table]),
    ...(metric === undefined ? [] : ['metric', String(metric)]),
  ].join(' ');
}

function isDefault(destination: string): boolean {
  return destination === 'default' || destination === '0.0.0.0/0' || destination === '::/0';
}

function isAddress(text: string): boolean {
  return /^[\da-f:.]+$/i.test(text) && /[.:]/.test(text);
}

function ip(family: 4 | 6, action: string, args: readonly string[]): string[] {
  return ['ip', ...(family === 6 ? ['-6'] : []), 'route', action, ...args];
}
