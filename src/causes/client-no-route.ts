import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { connectStatement, failedAtOnce, failedAttempt, noRouteOut, ROUTE_OUT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-no-route',
  title: 'The client has no route to the server',
  place: 'client',
  step: 'client-route',
  sides: ['client'],
  needs: ['attempt', 'outgoingRoute'],
  wants: ['counters', 'links'],
  assess({ attempt, outgoingRoute, counters, links }) {
    if (attempt.side !== 'client') return [];
    if (outgoingRoute.ok)
      return [contradicts('conclusive', 'outgoingRoute', `the lookup ${outgoingRoute.question} finds a route`)];
    if (outgoingRoute.failure !== 'no-route') {
      return [
        contradicts(
          'strong',
          'outgoingRoute',
          `the lookup is refused ("${outgoingRoute.message}"), not for want of a route`,
        ),
      ];
    }
    if (attempt.syns > 0) return [contradicts('conclusive', 'attempt', 'a SYN left this host, so there was a route')];
    const evidence = [
      supports(
        'conclusive',
        'outgoingRoute',
        `route lookup ${outgoingRoute.question} answers "${outgoingRoute.message}"`,
      ),
    ];
    if (failedAtOnce(attempt, 'ENETUNREACH')) evidence.push(supports('strong', 'attempt', connectStatement(attempt)));
    const noRoutes = attempt.family === 4 ? 'IpOutNoRoutes' : 'Ip6OutNoRoutes';
    if (watched(attempt, counters) && grown(counters, noRoutes) > 0) {
      evidence.push(supports('moderate', 'counters', `${noRoutes} +${grown(counters, noRoutes)}`));
    }
    // The interface that should carry the route is down: that is why, and a cause of its own.
    const down = (links ?? []).filter(
      ({ name, operState, flags }) => name !== 'lo' && (!flags.includes('UP') || operState === 'DOWN'),
    );
    const up = (links ?? []).filter(({ name, flags }) => name !== 'lo' && flags.includes('UP'));
    if (down.length > 0 && up.length === 0) {
      evidence.push(
        contradicts(
          'strong',
          'links',
          `no interface is up (${down.map(({ name }) => name).join(', ')}): that is why there is no route`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `This host has no route to ${attempt.server.address}, so connect() fails before a SYN is sent`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'add-route',
        title: 'Add the route that is missing, as the configuration, DHCP or the router advertisement names it',
        risk: 'medium',
        auto: 'with-consent',
        changes: [{ kind: 'route', action: 'add', family: attempt.family, destination: 'default', via: 'GATEWAY' }],
      },
    ];
  },
  explanation: `
The kernel looks up a route before it sends a SYN. When no table has one, \`connect()\` fails at once with ENETUNREACH, and nothing is sent.

\`IpOutNoRoutes\` or \`Ip6OutNoRoutes\` moves by one. An ICMP "network unreachable" from a router gives the same errno, but a SYN was sent before it
and at least one round trip passed.

Be sure: \`ip route get ADDRESS\` answers "Network is unreachable".

Linux 6.18: \`tcp_v4_connect()\` → \`ip_route_connect()\`; \`tcp_v6_connect()\` → \`ip6_dst_lookup_flow()\`.
`,
  confusedWith: [
    { id: 'router-no-route', toldApartBy: 'a SYN left, and a router answered it with an ICMP error' },
    { id: 'client-link-down', toldApartBy: 'the interface that had the route is down' },
    { id: 'client-rule-reject', toldApartBy: 'a rule refuses before any table is asked' },
  ],
  scenario: {
    plan: ({ ip }) => ({
      steps: [{ on: 'client', run: [...ip, 'route', 'del', 'default'] }],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'no default route',
      given: { attempt: failedAttempt('ENETUNREACH'), outgoingRoute: noRouteOut('no-route', 'Network is unreachable') },
      expect: 'confirmed',
    },
    {
      name: 'there is a route',
      given: { attempt: failedAttempt('ENETUNREACH', 40), outgoingRoute: ROUTE_OUT },
      expect: 'ruled-out',
    },
    {
      name: 'a prohibit route',
      given: { attempt: failedAttempt('EACCES'), outgoingRoute: noRouteOut('prohibit', 'Permission denied') },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/tcp_ipv4.c: tcp_v4_connect()', 'https://man7.org/linux/man-pages/man2/connect.2.html'],
});
