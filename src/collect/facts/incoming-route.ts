import type { RouteFlow } from '../../formats/iproute/route-flow.ts';
import { messageOf } from '../../formats/iproute/route-get.ts';
import {
  type IncomingDecision,
  isLocalAddress,
  lookupIncoming,
  type SourceCheckSettings,
} from '../../formats/iproute/source-check.ts';
import { HostError } from '../../host/host.ts';
import type { Fact } from '../../model/facts/fact.ts';
import type { RouteFailure, RouteLookup } from '../../model/facts/routing.ts';
import { type Asked, askRoute } from './ask-route.ts';
import { type AttemptScope, type Collector, defineCollector, hasAttempt, known } from './collector.ts';
import { endsOf, inputDevice, isSomebody } from './ends.ts';
import { lookupOf } from './route-lookup.ts';
import { tablesOf } from './route-tables.ts';

interface Reading {
  readonly flow: IncomingFlow;
  readonly asked: Asked;
}

type IncomingFlow = RouteFlow & { readonly source: string };

/** The lookup of what comes in to this host: the SYN on the server, the SYN-ACK on the client. It runs the source check. */
export const incomingRoute: Collector = defineCollector<'incomingRoute', Reading>({
  provides: 'incomingRoute',
  baseline: false,
  after: ['outgoingRoute', 'rules', 'routes', 'addresses', 'links', 'sysctls'],
  async read(host, scope) {
    if (!hasAttempt(scope)) throw new HostError('not-found', 'there is no attempt whose packets could come in');
    const flow = incomingFlow(scope);
    return { flow, asked: await askRoute(host, flow) };
  },
  fact({ flow, asked }, _before, scope) {
    const question = `${flow.source} → ${flow.destination} in through ${flow.iif ?? 'lo'}`;
    const tables = tablesOf(scope);
    const { iif } = flow;
    // What this host sends to itself is routed once, on the way out.
    if (iif === undefined) {
      const ends = { family: flow.family, source: flow.source };
      return lookupOf({ ...asked, question }, undefined, ends, scope);
    }
    const settings = settingsOf(iif, scope);
    const found =
      tables === undefined || settings === undefined
        ? undefined
        : lookupIncoming(tables, { ...flow, ...vrfTableOf(iif, scope), iif }, settings);
    return answerOf({ ...asked, question }, flow, found);
  },
});

function incomingFlow(scope: AttemptScope): IncomingFlow {
  const { attempt } = scope;
  const { here, peer } = endsOf(attempt);
  const outgoing = known(scope, 'outgoingRoute');
  const address = isSomebody(here.address) ? here.address : outgoing?.source;
  if (address === undefined || !isSomebody(address) || !isSomebody(peer.address)) {
    throw new HostError('not-found', 'the two ends are not known, so the way in cannot be looked up');
  }
  const iif = inputDevice(scope);
  if (iif === undefined) throw new HostError('not-found', 'the interface through which packets come in is not known');
  const { family } = attempt;
  const uids = known(scope, 'rules')?.some((rule) => rule.family === family && rule.uids !== undefined) === true;
  return {
    family,
    destination: address,
    source: peer.address,
    ...(iif === 'lo' ? {} : { iif }),
    ipProtocol: 6,
    sourcePort: peer.port === 0 ? 45678 : peer.port,
    destinationPort: here.port === 0 ? 45678 : here.port,
    // Packets that come in count as root's (sock_net_uid()); without it the question counts as nobody's.
    ...(uids ? { uid: 0 } : {}),
  };
}

function vrfTableOf(device: string, scope: AttemptScope): { readonly vrfTable?: string } {
  const table = known(scope, 'links')?.find(({ name }) => name === device)?.vrfTable;
  return table === undefined ? {} : { vrfTable: table };
}

/** Settings of the source check; undefined when they were not read. */
function settingsOf(device: string, scope: AttemptScope): SourceCheckSettings | undefined {
  const sysctls = known(scope, 'sysctls');
  const addresses = known(scope, 'addresses');
  const links = known(scope, 'links');
  const routes = known(scope, 'routes') ?? [];
  if (sysctls === undefined || addresses === undefined) return undefined;
  const values = (key: string): number[] =>
    ['all', device].map((of) => Number(sysctls[`net.ipv4.conf.${of}.${key}`] ?? 0));
  const vrf = links?.find(({ name }) => name === device)?.vrf;
  return {
    rpFilter: Math.max(...values('rp_filter')),
    acceptLocal: values('accept_local').includes(1),
    markCounts: values('src_valid_mark').includes(1),
    routeLocalnet: values('route_localnet').includes(1),
    hasAddress: addresses.some((one) => one.family === 4 && one.device === device),
    forwarding: values('forwarding')[1] === 1,
    isOwn: (address) => isLocalAddress(address, addresses, routes),
    sameDevice: (other) =>
      other === device || (vrf === device && links?.find(({ name }) => name === other)?.vrf === vrf),
  };
}

/** The kernel's answer, or that of the tables, with what it refused. */
function answerOf(
  { command, answer, question }: Asked & { readonly question: string },
  flow: IncomingFlow,
  found: IncomingDecision | undefined,
): Fact<RouteLookup> {
  const sure = found?.certain === true ? found : undefined;
  const route = sure?.decision.route;
  const rule = sure?.decision.rule;
  const deciders = {
    ...(route === undefined ? {} : { matchedRoute: route }),
    ...(rule === undefined ? {} : { matchedRule: rule }),
  };
  if (answer?.kind === 'route') {
    const { kind: _, metric: __, ...way } = answer;
    return { value: { command, question, ok: true, ...way, ...deciders }, source: 'ip route get' };
  }
  if (answer?.kind === 'error') {
    const { errno, message } = answer;
    // The reverse path filter says EXDEV up to 6.12, EINVAL since.
    const agrees = sure !== undefined && (sure.errno === errno || (sure.source !== undefined && errno === 'EINVAL'));
    const guess: RouteFailure =
      flow.family === 4 && (errno === 'EINVAL' || errno === 'EXDEV') ? 'invalid-source' : refusal(errno);
    const failure = agrees ? failureOf(sure) : guess;
    const said = agrees && failure !== 'invalid-source' ? deciders : {};
    return { value: { command, question, ok: false, failure, message, ...said }, source: 'ip route get' };
  }
  if (answer !== undefined || sure === undefined) {
    const reason = 'the route lookup of what comes in was not recorded, and what was recorded does not answer it';
    return { unavailable: 'not-recorded', reason };
  }
  const source = 'recorded rules, routes and settings';
  const { errno, decision } = sure;
  if (errno !== undefined) {
    const failure = failureOf(sure);
    const said = failure === 'invalid-source' ? {} : deciders;
    const message = messageOf(errno === 'EXDEV' ? 'EINVAL' : errno);
    return { value: { command, question, ok: false, failure, message, ...said, computed: true }, source };
  }
  const [way] = decision.nextHops;
  const device = route?.type === 'local' ? 'lo' : way?.device;
  return {
    value: {
      command,
      question,
      ok: true,
      type: route?.type ?? 'unicast',
      ...(device === undefined ? {} : { device }),
      ...(way?.gateway === undefined ? {} : { gateway: way.gateway }),
      ...(route === undefined ? {} : { table: route.table }),
      ...deciders,
      computed: true,
    },
    source,
  };
}

function failureOf({ source, decision, errno }: IncomingDecision): RouteFailure {
  if (source !== undefined) return 'invalid-source';
  // Not refused by a route, but not for this host, which does not forward.
  if (decision.errno === undefined) return 'other';
  if (decision.rule?.action === 'unreachable') return 'unreachable';
  if (decision.thrownBy !== undefined) return 'throw';
  return refusal(decision.errno ?? errno);
}

function refusal(errno: string | undefined): RouteFailure {
  switch (errno) {
    case 'ENETUNREACH':
      return 'no-route';
    case 'EHOSTUNREACH':
      return 'unreachable';
    case 'EACCES':
      return 'prohibit';
    case 'EINVAL':
      return 'blackhole';
    default:
      return 'other';
  }
}
