import { surelyDropping, type TcPacket } from '../../formats/tc/evaluate-filters.ts';
import { parseFilters, type TcFilter } from '../../formats/tc/filters.ts';
import { hasFilterHooks, isClassful, parseQdiscs, type TcQdisc } from '../../formats/tc/qdiscs.ts';
import type { Host } from '../../host/host.ts';
import type { TrafficControl } from '../../model/facts/links.ts';
import { type AttemptScope, type Collector, defineCollector, hasAttempt } from './collector.ts';
import { endsOf } from './ends.ts';
import { type PathDevices, pathDevices } from './path-devices.ts';
import { listWith } from './run-tool.ts';

const COMMAND: readonly string[] = ['tc', '-s', 'qdisc', 'show'];
/** Interfaces whose filters are asked for; on a host with more, only those on the way of the attempt are. */
const MAX_DEVICES = 8;

/** Filters of one hook. */
interface Hook {
  readonly device: string;
  readonly where: TrafficControl['where'];
  readonly filters: readonly TcFilter[];
}

interface Reading {
  readonly qdiscs: readonly TcQdisc[];
  readonly hooks: readonly Hook[];
}

/** Queueing disciplines and filters, what they dropped, and whether a filter surely drops the packets of the attempt. */
export const trafficControl: Collector = defineCollector<'trafficControl', Reading>({
  provides: 'trafficControl',
  baseline: true,
  after: ['outgoingRoute', 'links', 'addresses'],
  async read(host, scope) {
    const qdiscs = parseQdiscs(await listWith(host, COMMAND));
    const path = hasAttempt(scope) ? pathDevices(scope) : undefined;
    const places = hookPlaces(qdiscs, path);
    const hooks = await Promise.all(
      places.map(async (place) => ({ ...place, filters: await readFilters(host, place) })),
    );
    return { qdiscs, hooks };
  },
  fact(reading, before, scope) {
    const path = pathDevices(scope);
    const value = [
      ...reading.qdiscs
        .filter(({ kind }) => kind !== 'noqueue')
        .flatMap((qdisc) => qdiscEntries(qdisc, reading, before)),
      ...reading.hooks.flatMap((hook) => filterEntries(hook, before, scope, path)),
    ];
    return { value, source: reading.hooks.length === 0 ? COMMAND.join(' ') : 'tc -s qdisc, tc -s filter' };
  },
});

type Place = Omit<Hook, 'filters'>;

function hookPlaces(qdiscs: readonly TcQdisc[], path: PathDevices | undefined): readonly Place[] {
  const places = qdiscs.flatMap((qdisc): Place[] => {
    const { device, kind } = qdisc;
    if (hasFilterHooks(qdisc)) {
      return kind === 'clsact'
        ? [
            { device, where: 'ingress' },
            { device, where: 'egress' },
          ]
        : [{ device, where: 'ingress' }];
    }
    return isClassful(qdisc) && qdisc.parent === undefined ? [{ device, where: 'root' }] : [];
  });
  if (new Set(places.map(({ device }) => device)).size <= MAX_DEVICES) return places;
  const wanted = places.filter(({ device }) => path?.incoming.has(device) || path?.outgoing.has(device));
  return wanted.slice(0, 2 * MAX_DEVICES);
}

async function readFilters(host: Host, { device, where }: Place): Promise<readonly TcFilter[]> {
  const hook = where === 'root' ? [] : [where];
  return parseFilters(await listWith(host, ['tc', '-s', 'filter', 'show', 'dev', device, ...hook]));
}

function qdiscEntries(qdisc: TcQdisc, reading: Reading, before: Reading | undefined): TrafficControl[] {
  const { device, kind, handle, parent, text, dropped, overlimits } = qdisc;
  const earlier = before?.qdiscs.find(
    (one) => one.device === device && one.kind === kind && one.handle === handle && one.parent === parent,
  );
  const entry = { device, kind, handle, text, dropped, overlimits, ...growth(qdisc, earlier) };
  return placesOf(qdisc, reading).map((where) => ({ ...entry, where }));
}

/** The counters of clsact are of both directions together: they are told for each that has filters. */
function placesOf({ device, kind }: TcQdisc, { hooks }: Reading): readonly TrafficControl['where'][] {
  if (kind === 'ingress') return ['ingress'];
  if (kind !== 'clsact') return ['root'];
  const filled = hooks.filter((hook) => hook.device === device && hook.filters.length > 0).map(({ where }) => where);
  return filled.length > 0 ? filled : ['ingress', 'egress'];
}

function filterEntries(
  { device, where, filters }: Hook,
  before: Reading | undefined,
  scope: AttemptScope,
  path: PathDevices,
): TrafficControl[] {
  const earlier = before?.hooks.find((one) => one.device === device && one.where === where)?.filters;
  const { syn, answer } = packetsOf(scope);
  const onTheWay = (packet: TcPacket, comesIn: boolean): TcFilter | undefined => {
    const devices = comesIn ? path.incoming : path.outgoing;
    const passes = devices.has(device) && (where === 'ingress') === comesIn && where !== 'root';
    return passes ? surelyDropping(filters, packet) : undefined;
  };
  const atServer = scope.side === 'server';
  const synDrop = onTheWay(syn, atServer);
  const answerDrop = onTheWay(answer, !atServer);
  return filters.flatMap((filter) => {
    if (filter.handle === undefined || isHead(filter)) return [];
    const same = earlier?.find((one) => idOf(one) === idOf(filter));
    const entry: TrafficControl = {
      device,
      where,
      kind: filter.actions.some(({ kind }) => kind === 'police') ? 'police' : filter.kind,
      handle: filter.handle,
      text: filter.text,
      dropped: filter.dropped,
      overlimits: filter.overlimits,
      ...growth(filter, same),
      ...(filter === synDrop ? { dropsSyn: true } : {}),
      ...(filter === answerDrop ? { dropsAnswer: true } : {}),
    };
    return [entry];
  });
}

/** The table of a u32, which decides nothing. */
function isHead({ kind, text }: TcFilter): boolean {
  return kind === 'u32' && /\bht divisor \d+$/.test(text);
}

function idOf({ protocol, preference, kind, chain, handle }: TcFilter): string {
  return `${protocol} ${preference} ${kind} ${chain} ${handle}`;
}

interface Counted {
  readonly dropped: number;
  readonly overlimits: number;
}

/** Without a reading before, or when it was made anew meanwhile, nothing is known to have grown. */
function growth(now: Counted, before: Counted | undefined): Pick<TrafficControl, 'droppedDelta' | 'overlimitsDelta'> {
  const known = before !== undefined && before.dropped <= now.dropped && before.overlimits <= now.overlimits;
  return {
    droppedDelta: known ? now.dropped - before.dropped : 0,
    overlimitsDelta: known ? now.overlimits - before.overlimits : 0,
  };
}

function packetsOf({ attempt }: AttemptScope): { readonly syn: TcPacket; readonly answer: TcPacket } {
  const { family, client, server, side } = attempt;
  const { here } = endsOf(attempt);
  const ports = side === 'client' && here.port === 0 ? { ...client, port: 45678 } : client;
  return {
    syn: {
      family,
      source: client.address,
      destination: server.address,
      sourcePort: ports.port,
      destinationPort: server.port,
      flags: 0x02,
    },
    answer: {
      family,
      source: server.address,
      destination: client.address,
      sourcePort: server.port,
      destinationPort: ports.port,
      flags: 0x12,
    },
  };
}
