import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, HEALTHY_LISTENER, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { rpFilterMode } from './shared-reply.ts';

export const cause: Cause = defineCause({
  id: 'no-return-route',
  title: 'The server has no route back to the client',
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'outgoingRoute', 'sockets'],
  wants: ['counters', 'sysctls', 'kernelTrace', 'networkChanges', 'routes'],
  assess({ attempt, outgoingRoute, sockets, counters, sysctls, kernelTrace, networkChanges }) {
    if (attempt.side !== 'server') return [];
    if (outgoingRoute.ok) {
      const way = outgoingRoute.gateway ?? outgoingRoute.device ?? 'a route';
      return [
        contradicts('conclusive', 'outgoingRoute', `the lookup ${outgoingRoute.question} finds a route (${way})`),
      ];
    }
    if (outgoingRoute.failure !== 'no-route') {
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
    if (attempt.synAcks > 0) {
      return [contradicts('conclusive', 'attempt', 'a SYN-ACK was sent for this attempt, so there was a route')];
    }
    // With rp_filter the SYN dies before TCP sees it: that is rp-filter-no-route.
    if (attempt.family === 4 && rpFilterMode(sysctls, attempt.inDevice) > 0) {
      return [contradicts('strong', 'sysctls', 'rp_filter drops the SYN in the IP layer before its answer is routed')];
    }
    const evidence = [
      supports(
        'conclusive',
        'outgoingRoute',
        `route lookup ${outgoingRoute.question} answers "${outgoingRoute.message}"`,
      ),
    ];
    if (watched(attempt, counters)) {
      const noRoutes = attempt.family === 4 ? 'IpOutNoRoutes' : 'Ip6OutNoRoutes';
      const syns = Math.max(1, attempt.syns);
      if (grown(counters, 'TcpExtListenDrops') >= syns && grown(counters, noRoutes) >= syns) {
        evidence.push(
          supports(
            'strong',
            'counters',
            `${formatGrowths(counters, ['TcpExtListenDrops', noRoutes])}: one for each of the ${syns} SYNs`,
          ),
        );
      } else if (attempt.syns > 0 && grown(counters, 'TcpExtListenDrops') === 0) {
        evidence.push(contradicts('strong', 'counters', 'ListenDrops did not move, so the listener refused nothing'));
      }
    }
    const lookups =
      kernelTrace?.events.filter((event) => event.kind === 'route-lookup' && event.purpose === 'reply') ?? [];
    const last = lookups.at(-1);
    if (last?.kind === 'route-lookup' && last.err < 0) {
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
      evidence.push(
        supports(
          'weak',
          'networkChanges',
          `${deleted.text} was deleted ${Math.round(deleted.beforeMs / 1000)} s before the first SYN`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt }) {
    const { client } = attempt;
    return `The server has no route back to ${client.address}, so the kernel drops its SYNs without an answer`;
  },
  remedies({ attempt, routes }) {
    const connected = routes?.find(
      (route) => route.family === attempt.family && route.protocol === 'kernel' && route.type === 'unicast',
    );
    const device = attempt.inDevice ?? connected?.nextHops[0]?.device;
    const family = attempt.family;
    return [
      {
        id: 'add-default-route',
        title:
          'Give the server a route back to the client: its default route, as it was or as its configuration names it',
        risk: 'medium',
        auto: 'with-consent',
        changes: [
          {
            kind: 'route',
            action: 'add',
            family,
            destination: 'default',
            via: 'GATEWAY',
            ...(device === undefined ? {} : { device }),
          },
        ],
      },
    ];
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
    variants: ['rp-filter-off'],
    plan: ({ ip, family, serverDevice }) => ({
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
      ],
    }),
  },
  examples: [
    {
      name: 'IPv6, four SYNs, no default route',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 4 },
        outgoingRoute: NO_ROUTE_BACK,
        sockets: HEALTHY_LISTENER,
        counters: exampleCounters({ TcpExtListenDrops: 4, Ip6OutNoRoutes: 4 }),
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
  ],
  references: ['https://docs.kernel.org/networking/snmp_counter.html', 'net/ipv4/tcp_input.c: tcp_conn_request()'],
});
