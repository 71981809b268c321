import { type Cause, type CauseEvidence, contradicts, defineCause, type Remedy, supports } from '../model/cause.ts';
import { formatGrowths, grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import {
  EXAMPLE_ATTEMPT,
  EXAMPLE_ATTEMPT_V4,
  exampleCounters,
  HEALTHY_LISTENER,
  NO_ROUTE_BACK,
  ROUTE_BACK,
} from './shared-examples.ts';
import { FOUR_SYNS, listening, NOTHING_LISTENS, SUPPOSED } from './shared-examples-server.ts';
import { addRoute, wayBack } from './shared-gateway.ts';
import { closedPortAnswers, refusalCounted, settledOtherwise } from './shared-refusal.ts';
import {
  coveringRoutes,
  isAlive,
  isWithoutRoute,
  lastReplyLookup,
  rejectingRule,
  rejectRoute,
  routeName,
  routeOutOfReach,
  rpFilterMode,
} from './shared-reply.ts';
import { expectedSyns, hasClient, stoodStill } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'no-return-route',
  title: 'The server has no route back to the client',
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'outgoingRoute', 'sockets'],
  wants: ['counters', 'sysctls', 'kernelTrace', 'networkChanges', 'routes', 'rules', 'neighbours', 'pathProbe'],
  assess(facts) {
    const { attempt, outgoingRoute, sockets, counters, sysctls, kernelTrace, networkChanges, routes } = facts;
    if (attempt.side === 'client') return closedPortAnswers(facts);
    const settled = settledOtherwise({ attempt });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    if (outgoingRoute.ok) {
      const way = outgoingRoute.gateway ?? outgoingRoute.device ?? 'a route';
      return [
        contradicts('conclusive', 'outgoingRoute', `the lookup ${outgoingRoute.question} finds a route (${way})`),
      ];
    }
    if (!isWithoutRoute(facts)) {
      return [
        contradicts(
          'strong',
          'outgoingRoute',
          `the lookup is refused by a route or rule (${outgoingRoute.message}), not for want of one`,
        ),
      ];
    }
    if (sockets.matching.length === 0) {
      return [
        contradicts(
          'strong',
          'sockets',
          `nothing listens on port ${attempt.server.port}, so a SYN is not even looked up`,
        ),
      ];
    }
    // With rp_filter the SYN dies before TCP sees it: that is rp-filter-no-route.
    if (attempt.family === 4 && rpFilterMode(sysctls, attempt.inDevice) > 0) {
      return [contradicts('strong', 'sysctls', 'rp_filter drops the SYN in the IP layer before its answer is routed')];
    }
    const evidence: CauseEvidence[] = [
      supports(
        'conclusive',
        'outgoingRoute',
        `route lookup ${outgoingRoute.question} answers "${outgoingRoute.message}"`,
      ),
    ];
    const rejecting = rejectingRule(facts);
    const outOfReach = routeOutOfReach(facts);
    const hiding = rejectRoute(facts);
    if (rejecting !== undefined) {
      evidence.push(
        contradicts('strong', 'rules', `the rule "${rejecting.text}" refuses the lookup: there may well be a route`),
      );
    } else if (outOfReach !== undefined) {
      evidence.push(
        contradicts(
          'strong',
          'routes',
          `there is a route, ${routeName(outOfReach.route)}, but the rules do not let the reply reach it`,
        ),
      );
    } else if (hiding !== undefined) {
      evidence.push(contradicts('strong', 'routes', `the route ${routeName(hiding)} hides the one behind it`));
    }
    const noRoutes = attempt.family === 4 ? 'IpOutNoRoutes' : 'Ip6OutNoRoutes';
    evidence.push(...refusalCounted({ attempt, counters, sockets }, noRoutes));
    if (
      watched(attempt, counters) &&
      stoodStill(counters, noRoutes) &&
      grown(counters, 'TcpExtListenDrops') >= expectedSyns(attempt)
    ) {
      const said = formatGrowths(counters, ['TcpExtListenDrops', noRoutes]);
      evidence.push(contradicts('moderate', 'counters', `${said}: the SYNs were refused before a route was asked for`));
    }
    const last = lastReplyLookup(kernelTrace);
    if (last !== undefined && last.err < 0) {
      evidence.push(
        supports(
          'strong',
          'kernelTrace',
          `the kernel's own lookup of the reply ended with error ${last.err} in table ${last.table}`,
        ),
      );
    }
    const deleted = networkChanges?.find(({ what, beforeMs }) => what === 'route-deleted' && beforeMs > 0);
    if (deleted !== undefined) {
      const seconds = Math.round(deleted.beforeMs / 1000);
      evidence.push(
        supports('weak', 'networkChanges', `${deleted.text} was deleted ${seconds} s before the first SYN`),
      );
    }
    const dead = coveringRoutes(routes, attempt.family, attempt.client.address).find(
      ({ type, nextHops }) => type === 'unicast' && nextHops.length > 0 && !nextHops.some(isAlive),
    );
    if (dead !== undefined) {
      evidence.push(supports('weak', 'routes', `the route ${routeName(dead)} is not used: its link is down`));
    }
    return evidence;
  },
  sentence({ attempt }) {
    const { client } = attempt;
    return `The server has no route back to ${client.address}, so the kernel drops its SYNs without an answer`;
  },
  remedies(facts) {
    const { attempt, sysctls, routes } = facts;
    const way = wayBack(facts);
    const remedies: Remedy[] = [
      {
        id: 'add-default-route',
        title:
          way === undefined
            ? 'Give the server a route back to the client: its default route, as its configuration names it'
            : `Give the server its route back to the client: ${way.reason}`,
        risk: 'medium',
        auto: way === undefined || way.guessed === true ? 'never' : 'with-consent',
        changes: [addRoute(facts, way)],
      },
    ];
    const device = attempt.inDevice;
    // A host that forwards ignores router advertisements unless accept_ra is 2: Docker and Kubernetes turn forwarding on.
    const ignoresRouters =
      device !== undefined &&
      attempt.family === 6 &&
      sysctlNumber(sysctls, `net.ipv6.conf.${device}.forwarding`) === 1 &&
      sysctlNumber(sysctls, `net.ipv6.conf.${device}.accept_ra`) === 1;
    if (ignoresRouters) {
      remedies.push({
        id: 'accept-router-advertisements',
        title: `Let ${device} take its default route from router advertisements although this host forwards packets`,
        risk: 'medium',
        auto: 'with-consent',
        changes: [{ kind: 'sysctl', key: `net.ipv6.conf.${device}.accept_ra`, value: '2' }],
      });
    }
    const dead = coveringRoutes(routes, attempt.family, attempt.client.address).find(
      ({ nextHops }) => nextHops.length > 0 && !nextHops.some(isAlive),
    )?.nextHops[0]?.device;
    if (dead !== undefined) {
      remedies.push({
        id: 'link-up',
        title: `Bring the link of ${dead} up again: the route through it is still there`,
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'advice', text: `ip -d link show ${dead} says whether it is down or has no carrier.` }],
      });
    }
    return remedies;
  },
  explanation: `
Before the kernel answers a SYN it looks up the route on which the SYN-ACK would leave. \`tcp_conn_request()\` calls
\`route_req()\`; when there is none, the SYN is dropped without a packet, without a drop reason (the skb is consumed, exactly as that of an
accepted SYN), and without anything wrong to see in \`ss\`.

The counters that move, once per SYN: \`ListenDrops\`, and \`IpOutNoRoutes\` (IPv4) or \`Ip6OutNoRoutes\` (IPv6).

Be sure: \`ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678\` on the server answers "Network is unreachable".

On IPv4 this happens only with \`rp_filter=0\`; with 1 or 2 the SYN dies earlier, see \`rp-filter-no-route\`. IPv6 has no rp_filter.

Linux 6.18: \`tcp_v4_route_req()\` → \`inet_csk_route_req()\`, \`tcp_v6_route_req()\` → \`inet6_csk_route_req()\`; the same since 3.x.
`,
  confusedWith: [
    { id: 'rp-filter-no-route', toldApartBy: 'IPReversePathFilter moves there, ListenDrops here' },
    {
      id: 'return-route-rejected',
      toldApartBy: 'the lookup names the reject route: "No route to host", "Permission denied"',
    },
    { id: 'xfrm-out-block-server', toldApartBy: 'the same two counters, but a route exists and XfrmOutPolBlock moves' },
    { id: 'accept-queue-full', toldApartBy: 'ListenOverflows moves there' },
    { id: 'synack-output-drop', toldApartBy: 'a route exists and TcpOutSegs moves' },
  ],
  scenario: {
    variants: ['other-table'],
    plan: ({ ip, family, serverDevice, serverGateway }, variant) => ({
      steps: [
        ...(family === 4
          ? [
              {
                on: 'server' as const,
                sysctl: { 'net.ipv4.conf.all.rp_filter': 0, [`net.ipv4.conf.${serverDevice}.rp_filter`]: 0 },
              },
            ]
          : []),
        { on: 'server', run: [...ip, 'route', 'del', 'default'] },
        // The route is there, in a table that no rule leads to.
        ...(variant === 'other-table'
          ? [
              {
                on: 'server' as const,
                run: [...ip, 'route', 'add', 'default', 'via', serverGateway, 'dev', serverDevice, 'table', '100'],
              },
            ]
          : []),
      ],
    }),
  },
  examples: [
    {
      name: 'IPv6, four SYNs, no default route',
      given: {
        attempt: FOUR_SYNS,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listening({ dropsDelta: 4 }),
        counters: exampleCounters({ TcpExtListenDrops: 4, Ip6OutNoRoutes: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed, after the default route was deleted',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
        networkChanges: [
          {
            what: 'route-deleted',
            beforeMs: 14_000,
            text: 'default via fe80::1 dev eth0 proto ra metric 100',
            source: 'rtnetlink',
          },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'there is a route',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        outgoingRoute: ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
    {
      name: 'a reject route refuses',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        outgoingRoute: { ...NO_ROUTE_BACK, failure: 'unreachable', message: 'No route to host' },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
    {
      name: 'a rule says "unreachable", which sounds the same',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
        rules: [
          {
            family: 6,
            priority: 50,
            action: 'unreachable',
            to: '2001:db8:1::/48',
            text: '50: from all to 2001:db8:1::/48 unreachable',
          },
        ],
      },
      expect: 'likely',
    },
    {
      name: 'a rule that refuses a mark which the listener does not have',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
        rules: [
          { family: 6, priority: 90, action: 'prohibit', fwmark: 0x77, text: '90: from all fwmark 0x77 prohibit' },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'a throw route with nothing behind it',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: {
          ...NO_ROUTE_BACK,
          failure: 'throw',
          matchedRoute: { family: 6, table: 'main', type: 'throw', destination: '2001:db8:1::/64', nextHops: [] },
        },
        sockets: HEALTHY_LISTENER,
        routes: [{ family: 6, table: 'main', type: 'throw', destination: '2001:db8:1::/64', nextHops: [] }],
      },
      expect: 'confirmed',
    },
    {
      name: 'table main has a route that the rules do not reach',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
        routes: [
          {
            family: 6,
            table: 'main',
            type: 'unicast',
            destination: '::/0',
            nextHops: [{ gateway: 'fe80::1', device: 'eth0', flags: [] }],
          },
        ],
        rules: [{ family: 6, priority: 100, action: 'lookup', table: '51820', text: '100: from all lookup 51820' }],
      },
      expect: 'likely',
    },
    {
      name: 'IPv4 with rp_filter: the SYN dies earlier',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
        sysctls: { 'net.ipv4.conf.all.rp_filter': '2' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'nothing listens: no-listener-and-no-route',
      given: { attempt: FOUR_SYNS, outgoingRoute: NO_ROUTE_BACK, sockets: NOTHING_LISTENS },
      expect: 'ruled-out',
    },
    {
      name: 'a SYN-ACK was sent',
      given: { attempt: { ...FOUR_SYNS, synAcks: 1 }, outgoingRoute: NO_ROUTE_BACK, sockets: HEALTHY_LISTENER },
      expect: 'ruled-out',
    },
    {
      name: 'no route, but ListenDrops stood still: something else stopped these SYNs',
      given: {
        attempt: FOUR_SYNS,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
        counters: exampleCounters({}, 'TcpExtListenDrops', 'Ip6OutNoRoutes'),
      },
      expect: 'likely',
    },
    {
      name: 'seen from the client: a closed port of the server answers, so there is a way back',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, side: 'client' },
        outgoingRoute: ROUTE_BACK,
        sockets: NOTHING_LISTENS,
        pathProbe: { hops: [], closedPort: { port: 64_879, answer: 'rst' } },
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/snmp_counter.html', 'net/ipv4/tcp_input.c: tcp_conn_request()'],
});
