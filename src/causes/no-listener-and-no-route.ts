import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { formatHost } from '../model/flow.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import {
  FOUR_SYNS,
  listening,
  listeningElsewhere,
  NOTHING_LISTENS,
  REFUSED,
  SUPPOSED,
} from './shared-examples-server.ts';
import { addRoute, wayBack } from './shared-gateway.ts';
import { listenerName, sentElsewhere } from './shared-listener.ts';
import { perSyn, settledOtherwise } from './shared-refusal.ts';
import { lastReplyLookup, rpFilterMode } from './shared-reply.ts';
import { expectedSyns, hasClient, stoodStill } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'no-listener-and-no-route',
  title: 'Nothing listens on the port, and the RST that says so has no route',
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'outgoingRoute'],
  wants: ['counters', 'kernelTrace', 'sysctls', 'packetFilter', 'routes', 'networkChanges', 'neighbours'],
  assess({ attempt, sockets, outgoingRoute, counters, kernelTrace, sysctls, packetFilter }) {
    const settled = settledOtherwise({ attempt });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    const { port } = attempt.server;
    if (sockets.matching.length > 0) {
      return [contradicts('conclusive', 'sockets', `a listener takes a SYN to port ${port}`)];
    }
    if (outgoingRoute.ok) {
      return [
        contradicts('conclusive', 'outgoingRoute', `the lookup ${outgoingRoute.question} finds a route for the RST`),
      ];
    }
    if (attempt.family === 4 && rpFilterMode(sysctls, attempt.inDevice) > 0) {
      return [
        contradicts('strong', 'sysctls', 'rp_filter drops the SYN in the IP layer, before TCP looks for a listener'),
      ];
    }
    const evidence: CauseEvidence[] = [
      supports(
        'conclusive',
        'outgoingRoute',
        `${nobody(attempt, sockets)}, and the route lookup of the RST (${outgoingRoute.question}) answers "${outgoingRoute.message}"`,
      ),
    ];
    const elsewhere = sentElsewhere(packetFilter);
    if (elsewhere !== undefined) evidence.push(elsewhere);
    const sent = kernelTrace?.events.find((event) => event.kind === 'reset-sent');
    const last = lastReplyLookup(kernelTrace);
    if (sent !== undefined && last !== undefined && last.err < 0) {
      evidence.push(
        supports('strong', 'kernelTrace', `the kernel made a RST and its route lookup ended with error ${last.err}`),
      );
    }
    if (!watched(attempt, counters)) return evidence;
    // IPv4 counts the RST before it looks for a route; IPv6 counts the failed lookup.
    const name = attempt.family === 4 ? 'TcpOutRsts' : 'Ip6OutNoRoutes';
    const by = grown(counters, name);
    if (by >= expectedSyns(attempt)) {
      evidence.push(
        supports(
          'strong',
          'counters',
          `${formatGrowths(counters, [name, 'TcpExtListenDrops'])}: ${perSyn(attempt, [by])}`,
        ),
      );
    } else if (stoodStill(counters, name)) {
      evidence.push(contradicts('strong', 'counters', `${name} did not move: TCP made no RST that got lost`));
    }
    return evidence;
  },
  sentence({ attempt, sockets, outgoingRoute }) {
    const { client } = attempt;
    const who = nobody(attempt, sockets);
    return `${who[0]?.toUpperCase()}${who.slice(1)}, and this host has no route back to ${client.address} ("${outgoingRoute.message}"), so even the RST is lost and the client times out`;
  },
  remedies(facts) {
    const way = wayBack(facts);
    return [
      {
        id: 'add-route',
        title: `First the route back to the client${way === undefined ? ', as the configuration names it' : `: ${way.reason}`}`,
        risk: 'medium',
        auto: way === undefined || way.guessed === true ? 'never' : 'with-consent',
        changes: [addRoute(facts, way)],
      },
      {
        id: 'start-service',
        title: 'Then the service',
        risk: 'low',
        auto: 'never',
        changes: [{ kind: 'advice', text: `Start what should listen on port ${facts.attempt.server.port}.` }],
      },
    ];
  },
  explanation: `
Two faults at once. No socket takes the SYN, so TCP makes a RST; the RST has no route to the client and is dropped without a word. To the client a closed
port looks like a filtered one: it times out.

\`ip_send_unicast_reply()\` (IPv4) returns silently when the route lookup fails, after \`tcp_v4_send_reset()\` was called: \`TcpOutRsts\` and \`TcpOutSegs\`
count RSTs that never left, and \`IpOutNoRoutes\` does **not** move. On IPv6 \`tcp_v6_send_response()\` gives up earlier: only \`Ip6OutNoRoutes\` moves.
\`ListenDrops\` stands still in both, which tells it from \`no-return-route\`.

Be sure: \`ss -ltn sport = :PORT\` is empty and \`ip route get CLIENT from SERVER ipproto tcp sport PORT\` fails.

Linux 6.18: \`tcp_v4_send_reset()\` → \`ip_send_unicast_reply()\`, \`tcp_v6_send_reset()\` → \`tcp_v6_send_response()\`.
`,
  confusedWith: [
    { id: 'no-return-route', toldApartBy: 'there a listener takes the SYN, and ListenDrops moves' },
    {
      id: 'netfilter-drop-in',
      toldApartBy: 'there TCP sees nothing of the SYN: TcpOutRsts (IPv4) or Ip6OutNoRoutes (IPv6) stands still',
    },
    { id: 'no-listener', toldApartBy: 'there the RST reaches the client, which is refused at once' },
  ],
  scenario: {
    plan: ({ ip }) => ({ listener: null, steps: [{ on: 'server', run: [...ip, 'route', 'del', 'default'] }] }),
  },
  examples: [
    {
      name: 'IPv6, four SYNs',
      given: {
        attempt: FOUR_SYNS,
        sockets: NOTHING_LISTENS,
        outgoingRoute: NO_ROUTE_BACK,
        counters: exampleCounters({ Ip6OutNoRoutes: 4 }, 'TcpExtListenDrops'),
      },
      expect: 'confirmed',
    },
    {
      name: 'IPv4 counts RSTs that never left',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        sockets: NOTHING_LISTENS,
        outgoingRoute: NO_ROUTE_BACK,
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: { attempt: SUPPOSED, sockets: NOTHING_LISTENS, outgoingRoute: NO_ROUTE_BACK },
      expect: 'confirmed',
    },
    {
      name: 'the port has a listener, but on another address',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listeningElsewhere('address', { address: '127.0.0.1' }),
      },
      expect: 'confirmed',
    },
    {
      name: 'IPv4 with rp_filter: the SYN dies earlier',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        sockets: NOTHING_LISTENS,
        outgoingRoute: NO_ROUTE_BACK,
        sysctls: { 'net.ipv4.conf.all.rp_filter': '2' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'something listens: no-return-route',
      given: { attempt: FOUR_SYNS, sockets: listening(), outgoingRoute: NO_ROUTE_BACK },
      expect: 'ruled-out',
    },
    {
      name: 'the RST left',
      given: { attempt: REFUSED, sockets: NOTHING_LISTENS, outgoingRoute: ROUTE_BACK },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/ip_output.c: ip_send_unicast_reply()', 'net/ipv6/tcp_ipv6.c: tcp_v6_send_response()'],
});

/** Who does not listen: the port may have a listener that such a SYN does not concern. */
function nobody({ server }: Attempt, { mismatched }: SocketTable): string {
  const [other] = mismatched;
  if (other === undefined) return `nothing listens on port ${server.port}`;
  return `no listener of port ${server.port} takes a SYN to ${formatHost(server.address)} (${listenerName(other.listener)} does not)`;
}
