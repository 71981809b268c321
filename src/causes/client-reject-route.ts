import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { connectStatement, failedAtOnce, failedAttempt, noRouteOut, ROUTE_OUT } from './shared-client.ts';

/** What connect() returns for each type of route that refuses (fib_props in net/ipv4/fib_semantics.c). */
const ERRNOS: Readonly<Record<string, string>> = {
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  blackhole: 'EINVAL',
  throw: 'ENETUNREACH',
};

export const cause: Cause = defineCause({
  id: 'client-reject-route',
  title: 'A route of the client refuses the server',
  place: 'client',
  step: 'client-route',
  sides: ['client'],
  needs: ['attempt', 'outgoingRoute'],
  assess({ attempt, outgoingRoute }) {
    if (attempt.side !== 'client') return [];
    const { ok, failure = 'other', message, question, matchedRoute, matchedRule } = outgoingRoute;
    if (ok) return [contradicts('conclusive', 'outgoingRoute', `the lookup ${question} finds a route`)];
    const errno = ERRNOS[failure];
    if (errno === undefined)
      return [contradicts('strong', 'outgoingRoute', `the lookup fails with "${message}", which no route says`)];
    if (matchedRule !== undefined && matchedRule.action !== 'lookup') {
      return [contradicts('conclusive', 'outgoingRoute', `the rule "${matchedRule.text}" refuses, not a route`)];
    }
    const evidence = [
      supports(
        matchedRoute === undefined ? 'strong' : 'conclusive',
        'outgoingRoute',
        matchedRoute === undefined
          ? `route lookup ${question} answers "${message}"`
          : `route lookup ${question} answers "${message}": ${matchedRoute.type} ${matchedRoute.destination} in table ${matchedRoute.table}`,
      ),
    ];
    if (failedAtOnce(attempt, errno)) evidence.push(supports('strong', 'attempt', connectStatement(attempt)));
    return evidence;
  },
  sentence({ attempt, outgoingRoute: { matchedRoute, failure } }) {
    const route =
      matchedRoute === undefined
        ? `a route of type ${failure}`
        : `the route "${matchedRoute.type} ${matchedRoute.destination}" (table ${matchedRoute.table})`;
    return `On this host ${route} refuses ${attempt.server.address}, so no SYN is sent`;
  },
  remedies({ attempt, outgoingRoute: { matchedRoute } }) {
    if (matchedRoute === undefined) return [];
    const { type, destination, table, metric } = matchedRoute;
    return [
      {
        id: 'delete-reject-route',
        title: `Delete the ${type} route, if nobody put it there on purpose (VPN kill switch, Calico, fail2ban)`,
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'route',
            action: 'delete',
            family: attempt.family,
            type,
            destination,
            table,
            ...(metric === undefined ? {} : { metric }),
          },
        ],
      },
    ];
  },
  explanation: `
A route of type \`unreachable\`, \`prohibit\`, \`blackhole\` or \`throw\` covers the server. \`connect()\` fails at once with EHOSTUNREACH, EACCES or EINVAL (the
same for IPv4 and IPv6); no packet is sent and no counter moves, because the error is not ENETUNREACH.

Such routes are mostly meant: VPN kill switches, aggregates of a container network, blackholes against an attack.

Be sure: \`ip route get fibmatch ADDRESS\` shows the route. EACCES also comes from a security module; EHOSTUNREACH three seconds later from
a neighbour that does not answer.
`,
  confusedWith: [
    { id: 'client-lsm-denied', toldApartBy: 'EACCES as well, but the route lookup succeeds' },
    { id: 'client-rule-reject', toldApartBy: 'a rule refuses, not a route' },
    { id: 'client-neighbour-unresolved', toldApartBy: 'EHOSTUNREACH after three seconds, not at once' },
  ],
  scenario: {
    variants: ['prohibit', 'blackhole'],
    plan: ({ ip, serverPrefix }, variant) => ({
      steps: [{ on: 'client', run: [...ip, 'route', 'add', variant ?? 'unreachable', serverPrefix] }],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'prohibit',
      given: {
        attempt: failedAttempt('EACCES'),
        outgoingRoute: {
          ...noRouteOut('prohibit', 'Permission denied'),
          matchedRoute: { family: 4, table: 'main', type: 'prohibit', destination: '192.0.2.0/24', nextHops: [] },
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'EACCES with a good route',
      given: { attempt: failedAttempt('EACCES'), outgoingRoute: ROUTE_OUT },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/fib_semantics.c: fib_props', 'https://man7.org/linux/man-pages/man8/ip-route.8.html'],
});
