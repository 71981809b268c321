import { parseNeighbours } from '../formats/iproute/neighbours.ts';
import { parseTableNames, TABLE_NAME_FILES } from '../formats/iproute/table-names.ts';
import { BundleHost } from '../host/bundle/bundle-host.ts';
import { type Host, HostError } from '../host/host.ts';
import { Asker } from './ask.ts';
import { deviceOfQdisc } from './build-policies.ts';
import { readOwnSysctls } from './build-sysctls.ts';
import { readBpf } from './read-bpf.ts';
import { readFilters } from './read-filters.ts';
import { ADDR_COMMAND, linksOf } from './read-links.ts';
import { isBeyondWords, ROUTE_COMMAND, RULE_COMMANDS, routesOf, rulesOf } from './read-routes.ts';
import { readShapers } from './read-shapers.ts';
import { readSockets, type SocketScope } from './read-sockets.ts';
import { readSysctls } from './read-sysctls.ts';
import { readTrafficFilters } from './read-traffic-filters.ts';
import { type HostState, type RouteState, type RuleState, STATE_VERSION } from './state.ts';

const NEIGHBOUR_COMMAND: readonly string[] = ['ip', '-j', 'neigh', 'show'];
const QDISC_COMMAND: readonly string[] = ['tc', '-s', 'qdisc', 'show'];
const XFRM_COMMAND: readonly string[] = ['ip', 'xfrm', 'policy'];
const XFRM_COUNT_COMMAND: readonly string[] = ['ip', 'xfrm', 'state', 'count'];

/**
 * Reads the network state of a host. Only reads, with the tools that `listen` uses; what is asked does not depend on chance, so that a
 * recording of these questions is as good as the host. Of a recording the latest answers count: those after its watch.
 * @throws HostError when the host cannot be asked at all, or its interfaces are not known: then there is nothing to copy.
 */
export async function snapshotHost(host: Host, scope: SocketScope = {}): Promise<HostState> {
  return snapshot(host, scope);
}

/** The state of the copy in this namespace, for comparison: what the original has none of is not asked for. */
export async function snapshotCopy(copy: Host, original: HostState): Promise<HostState> {
  return snapshot(copy, {}, original);
}

async function snapshot(host: Host, scope: SocketScope, original?: HostState): Promise<HostState> {
  if (host instanceof BundleHost) host.beginWatch();
  const ask = new Asker(host);
  const isHost = original === undefined;
  const [addresses, routing, neighbours, nexthops, filters, sockets, sysctls, xfrm, xfrmCount, qdiscs, kernel] =
    await Promise.all([
      ask.list('interfaces and addresses', ADDR_COMMAND),
      readRouting(ask),
      isHost ? ask.list('neighbours', NEIGHBOUR_COMMAND) : undefined,
      isHost || original.nexthops.length > 0 ? ask.maybe(['ip', 'nexthop', 'show']) : undefined,
      isHost || original.nft !== undefined || original.iptables.length > 0 ? readFilters(ask) : { iptables: [] },
      readSockets(ask, scope),
      isHost ? readSysctls(ask) : readOwnSysctls(),
      isHost || original.xfrmPolicies.length > 0 ? ask.maybe(XFRM_COMMAND) : undefined,
      isHost ? ask.maybe(XFRM_COUNT_COMMAND) : undefined,
      isHost ? ask.maybe(QDISC_COMMAND) : undefined,
      ask.file('/proc/sys/kernel/osrelease'),
    ]);
  const interfaces = addresses === undefined ? undefined : linksOf(addresses);
  if (interfaces === undefined || interfaces.links.length === 0) {
    const reason = ask.notRead.find(({ what }) => what === 'interfaces and addresses')?.reason;
    throw unknown(host, 'interfaces', reason);
  }
  const release = kernel?.trim();
  const shapes = qdiscsOf(qdiscs ?? '', ask);
  return {
    version: STATE_VERSION,
    on: host.spec,
    ...(release === undefined ? {} : { kernel: release }),
    ...interfaces,
    ...routing,
    neighbours: parseNeighbours(neighbours ?? '') ?? [],
    nexthops: linesOf(nexthops),
    ...filters,
    sysctls,
    sockets,
    xfrmPolicies: (xfrm ?? '').split(/\n(?=\S)/).filter((entry) => entry.trim() !== ''),
    ...numberIn('xfrmStates', /\bSAD count (\d+)/.exec(xfrmCount ?? '')?.[1]),
    ...shapes,
    ...(isHost ? await readShapers(ask, shapes.qdiscs, interfaces.links) : {}),
    ...(await readTrafficFilters(ask, shapes.filterHooks, interfaces.links)),
    bpfPrograms: isHost ? await readBpf(ask, sockets, scope.port) : [],
    conntrack: {
      ...numberIn('count', sysctls['netfilter/nf_conntrack_count']),
      ...numberIn('max', sysctls['netfilter/nf_conntrack_max']),
    },
    notRead: ask.notRead,
  };
}

async function readRouting(
  ask: Asker,
): Promise<{ readonly routes: readonly RouteState[]; readonly rules: readonly RuleState[] }> {
  const [routes, rules4 = '', rules6 = ''] = await Promise.all([
    ask.list('routes', ROUTE_COMMAND),
    ask.list('rules of IPv4', RULE_COMMANDS[4]),
    ask.maybe(RULE_COMMANDS[6]),
  ]);
  const tables = await tableNumbers(ask, [routes ?? '', rules4, rules6]);
  if (routes !== undefined && isBeyondWords(routes)) ask.note('encapsulation of routes', 'a twin has no tunnels');
  const parsed = routes === undefined ? undefined : routesOf(routes, tables);
  // Without routes every copy would be silent, and that would prove nothing.
  if (parsed === undefined)
    throw unknown(ask.host, 'routes', ask.notRead.find(({ what }) => what === 'routes')?.reason);
  return {
    routes: parsed,
    rules: [...rulesOf(rules4, 4, tables), ...rulesOf(rules6, 6, tables)],
  };
}

/** Something without which there is nothing to copy. */
function unknown(host: Host, what: string, reason: string | undefined): HostError {
  return new HostError(
    'not-found',
    `the ${what} of ${host.spec} are not known, so it cannot be copied${reason === undefined ? '' : `: ${reason}`}`,
    { hint: host instanceof BundleHost ? 'record it again with this version of synscope' : 'install iproute2 there' },
  );
}

/** Numbers of tables by their names on the host, where it uses any that not everybody knows. */
async function tableNumbers(ask: Asker, outputs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const named = outputs.some((output) =>
    /"table":"(?!main"|local"|default"|\d+")|\blookup (?!main\b|local\b|default\b|\d+\b|\[)/.test(output),
  );
  if (!named) return new Map();
  const files = await Promise.all(TABLE_NAME_FILES.map((path) => ask.file(path)));
  const names = parseTableNames(files.map((file) => file ?? '').join('\n'));
  return new Map([...names].map(([number, name]) => [name, number]));
}

/** Queueing disciplines without their counters, and the hooks to which filters may be attached. */
function qdiscsOf(output: string, ask: Asker): Pick<HostState, 'qdiscs' | 'filterHooks'> {
  const all = output.split('\n').filter((line) => line.startsWith('qdisc '));
  const delayed = new Set(all.filter((line) => /^qdisc netem .* delay /.test(line)).map(deviceOfQdisc));
  for (const device of delayed)
    ask.note(`queueing disciplines on ${device}`, 'they delay packets, and a copy does not wait');
  const lines = all.filter((line) => /^qdisc (?:clsact|ingress) /.test(line) || !delayed.has(deviceOfQdisc(line)));
  const hooks = lines.flatMap((line) => {
    const [, kind, device] = /^qdisc (clsact|ingress) \S+ dev (\S+)/.exec(line) ?? [];
    return kind === undefined || device === undefined ? [] : [`${device} ${kind}`];
  });
  return { qdiscs: lines.map((line) => line.trim()), filterHooks: hooks };
}

function linesOf(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function numberIn<Key extends string>(key: Key, text: string | undefined): { readonly [K in Key]?: number } {
  return (text === undefined || !/^\d{1,12}$/.test(text) ? {} : { [key]: Number(text) }) as {
    readonly [K in Key]?: number;
  };
}
