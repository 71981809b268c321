import { lookupRoute } from '../../formats/iproute/lookup-route.ts';
import type { RouteFlow } from '../../formats/iproute/route-flow.ts';
import type { RouteAnswer } from '../../formats/iproute/route-get.ts';
import type { Host } from '../../host/host.ts';
import { HostError } from '../../host/host.ts';
import { type Asked, askRoute } from './ask-route.ts';
import { type AttemptScope, type Collector, defineCollector, hasAttempt, known } from './collector.ts';
import { isLinkLocalV6, isSomebody } from './ends.ts';
import { lookupOf } from './route-lookup.ts';
import { tablesOf } from './route-tables.ts';

/** Stands for a port of the client that is not known: rules rarely ask for one. */
const ANY_PORT = 45678;

interface Reading {
  readonly flow: RouteFlow;
  readonly asked: Asked;
}

/** The lookup of what this host sends: the SYN-ACK on the server, the SYN on the client; exactly as the kernel will ask. */
export const outgoingRoute: Collector = defineCollector<'outgoingRoute', Reading>({
  provides: 'outgoingRoute',
  baseline: false,
  after: ['sockets', 'rules', 'routes', 'addresses', 'links', 'sysctls', 'neighbours'],
  async read(host, scope) {
    if (!hasAttempt(scope)) throw new HostError('not-found', 'there is no attempt whose packets could be routed');
    const flow = scope.side === 'server' ? replyFlow(scope) : synFlow(scope);
    return { flow, asked: await askStrictly(host, flow) };
  },
  fact({ flow, asked }, _before, scope) {
    const tables = tablesOf(scope);
    const decision = tables === undefined ? undefined : lookupRoute(tables, withVrfTable(flow, scope));
    return lookupOf(
      { ...asked, question: questionOf(flow, scope) },
      decision,
      { family: flow.family, source: flow.source },
      scope,
    );
  },
});

/** The flow of the SYN-ACK (`inet_csk_route_req()`, `inet6_csk_route_req()`). */
function replyFlow(scope: AttemptScope): RouteFlow {
  const { family, client, server, inDevice } = scope.attempt;
  if (!isSomebody(client.address)) {
    throw new HostError('not-found', 'no client is known, so no route to it can be looked up', {
      hint: 'name a client with --from',
    });
  }
  const listener = known(scope, 'sockets')?.matching[0];
  const oif = listener?.device ?? vrfOf(inDevice, scope) ?? (isLinkLocalV6(client.address) ? inDevice : undefined);
  return {
    family,
    destination: client.address,
    ...(isSomebody(server.address) ? { source: server.address } : {}),
    ipProtocol: 6,
    sourcePort: server.port,
    destinationPort: client.port === 0 ? ANY_PORT : client.port,
    ...(listener?.mark === undefined || listener.mark === 0 ? {} : { mark: listener.mark }),
    ...(listener?.uid === undefined ? {} : { uid: listener.uid }),
    ...(oif === undefined ? {} : { oif }),
    // A bound listener answers through its device only; so does one that answers a link-local address.
    ...(family === 6 && oif !== undefined && !isVrf(oif, scope) ? { strict: true } : {}),
  };
}

/** The flow of the SYN (`tcp_v4_connect()`, `tcp_v6_connect()`): its source is not chosen yet, and neither is its port. */
function synFlow(scope: AttemptScope): RouteFlow {
  const { family, server, inDevice, sightings } = scope.attempt;
  if (!isSomebody(server.address)) throw new HostError('not-found', 'the address of the server is not known');
  const sent = sightings.find(({ segment, direction }) => segment === 'syn' && direction === 'out')?.device;
  const device = isLinkLocalV6(server.address) ? (inDevice ?? sent) : undefined;
  return {
    family,
    destination: server.address,
    ipProtocol: 6,
    destinationPort: server.port,
    ...(device === undefined ? {} : { oif: device, strict: true }),
  };
}

/**
 * Asks the kernel. With a source, IPv6 takes `oif` for a wish; a bound socket means it: when the answer leads elsewhere, it is asked again
 * without the source, which makes it a must (`ip6_route_output_flags()`).
 */
async function askStrictly(host: Host, flow: RouteFlow): Promise<Asked> {
  const asked = await askRoute(host, flow);
  if (flow.strict !== true || flow.source === undefined || !leadsElsewhere(asked.answer, flow.oif)) return asked;
  const { source: _, ...bare } = flow;
  return askRoute(host, bare);
}

function leadsElsewhere(answer: RouteAnswer | undefined, oif: string | undefined): boolean {
  return answer?.kind === 'route' && answer.type !== 'local' && answer.device !== oif;
}

function vrfOf(device: string | undefined, scope: AttemptScope): string | undefined {
  return known(scope, 'links')?.find(({ name }) => name === device)?.vrf;
}

function isVrf(device: string, scope: AttemptScope): boolean {
  return known(scope, 'links')?.some(({ name, kind }) => name === device && kind === 'vrf') === true;
}

/** A VRF as the interface only chooses the table (`l3mdev_update_flow()`). */
function withVrfTable(flow: RouteFlow, scope: AttemptScope): RouteFlow {
  const link = known(scope, 'links')?.find(({ name }) => name === flow.oif);
  if (link?.vrfTable === undefined) return flow;
  const { oif, ...rest } = flow;
  return { ...rest, vrfTable: link.vrfTable, ...(link.kind === 'vrf' || oif === undefined ? {} : { oif }) };
}

function questionOf({ destination, source, mark, oif }: RouteFlow, { side, attempt }: AttemptScope): string {
  const port = attempt.server.port;
  const ends = source === undefined ? `to ${destination}` : `${source} → ${destination}`;
  const extras = `${mark === undefined ? '' : ` mark ${mark}`}${oif === undefined ? '' : ` through ${oif}`}`;
  return `${ends} tcp ${side === 'server' ? 'sport' : 'dport'} ${port}${extras}`;
}
