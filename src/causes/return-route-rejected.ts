import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Route, RouteLookup } from '../model/facts/routing.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { FOUR_SYNS, listening, NOTHING_LISTENS, SUPPOSED } from './shared-examples-server.ts';
import { closedPortAnswers, refusalCounted, settledOtherwise } from './shared-refusal.ts';
import { lastReplyLookup, rejectingRule, rejectRoute, routeName, rpFilterMode } from './shared-reply.ts';
import { hasClient } from './shared-silence.ts';

const BLACKHOLE: Route = { family: 6, table: 'main', type: 'blackhole', destination: '2001:db8:1::/64', nextHops: [] };
const REJECTED: RouteLookup = { ...NO_ROUTE_BACK, failure: 'blackhole', message: 'Invalid argument' };
const THROW: Route = { ...BLACKHOLE, type: 'throw' };
const DEFAULT: Route = {
  family: 6,
  table: 'main',
  type: 'unicast',
  destination: '::/0',
  nextHops: [{ gateway: 'fe80::1', device: 'eth0', flags: [] }],
};

export const cause: Cause = defineCause({
  id: 'return-route-rejected',
  title: 'A route of the server refuses the client',
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'outgoingRoute', 'sockets'],
  wants: ['counters', 'sysctls', 'kernelTrace', 'routes', 'rules', 'pathProbe'],
  assess(facts) {
    const { attempt, outgoingRoute, sockets, counters, sysctls, kernelTrace, routes } = facts;
    if (attempt.side === 'client') return closedPortAnswers(facts);
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    const { question, message, failure } = outgoingRoute;
    if (outgoingRoute.ok) return [contradicts('conclusive', 'outgoingRoute', `the lookup ${question} finds a route`)];
    const rule = rejectingRule(facts);
    if (rule !== undefined) {
      return [contradicts('conclusive', 'outgoingRoute', `the rule "${rule.text}" refuses, not a route`)];
    }
    const route = rejectRoute({ attempt, outgoingRoute, routes });
    const byType = failure === 'unreachable' || failure === 'prohibit' || failure === 'blackhole';
    if (!byType && route === undefined) {
      return [contradicts('strong', 'outgoingRoute', `the lookup answers "${message}", which no refusing route says`)];
    }
    if (attempt.family === 4 && rpFilterMode(sysctls, attempt.inDevice) > 0) {
      return [contradicts('strong', 'sysctls', 'rp_filter drops the SYN in the IP layer before its answer is routed')];
    }
    const named = route === undefined ? `a route of type ${failure}` : `the route ${routeName(route)}`;
    const hides = route?.type === 'throw' ? ', which hides the usable one behind it' : '';
    const evidence: CauseEvidence[] = [
      supports('conclusive', 'outgoingRoute', `route lookup ${question} answers "${message}": ${named}${hides}`),
    ];
    // IPv6 counts Ip6OutNoRoutes only when there is no route at all.
    const names =
      attempt.family === 4 || failure === 'no-route' ? [attempt.family === 4 ? 'IpOutNoRoutes' : 'Ip6OutNoRoutes'] : [];
    evidence.push(...refusalCounted({ attempt, counters, sockets }, ...names));
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
    return evidence;
  },
  sentence({ attempt, outgoingRoute, routes }) {
    const route = rejectRoute({ attempt, outgoingRoute, routes });
    const named = route === undefined ? `a route of type ${outgoingRoute.failure}` : `the route ${routeName(route)}`;
    return `On the server ${named} refuses ${attempt.client.address}, so the kernel drops its SYNs without an answer`;
  },
  remedies({ attempt, outgoingRoute, routes }) {
    const route = rejectRoute({ attempt, outgoingRoute, routes });
    if (route === undefined) {
      return [
        {
          id: 'find-reject-route',
          title: 'Find the route that refuses the client; it is mostly meant',
          risk: 'high',
          auto: 'never',
          changes: [{ kind: 'advice', text: `ip route get fibmatch ${attempt.client.address} shows it.` }],
        },
      ];
    }
    const { type, destination, table, metric } = route;
    return [
      {
        id: 'delete-reject-route',
        title: `Delete the ${type} route, if nobody put it there on purpose (fail2ban, a defence against an attack, Calico, a VPN)`,
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
A route of type \`unreachable\`, \`prohibit\` or \`blackhole\` covers the client. Before the kernel answers a SYN it looks up the route back; such a route makes that fail, and the SYN is
dropped exactly as with \`no-return-route\`: \`tcp_conn_request()\` → \`route_req()\`. A \`throw\` route sends the lookup on to the next rule, past a usable route behind it in the same table.

\`ListenDrops\` moves. IPv4 counts \`IpOutNoRoutes\` for each type, because \`inet_csk_route_req()\` counts every failure; IPv6 does **not** count \`Ip6OutNoRoutes\`, because the error is not
ENETUNREACH. So on IPv6 \`ListenDrops\` stands alone.

Be sure: \`ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678\` answers "No route to host" (unreachable), "Permission denied" (prohibit) or
"Invalid argument" (blackhole), and \`ip route get fibmatch CLIENT\` names the route. On IPv4 with \`rp_filter\` 1 or 2 the SYN dies earlier.

\`fib_props\` in \`net/ipv4/fib_semantics.c\`, \`ip6_rt_type_to_error()\` in \`net/ipv6/route.c\` give the errors.
`,
  confusedWith: [
    {
      id: 'no-return-route',
      toldApartBy: 'there the lookup answers "Network is unreachable", and on IPv6 Ip6OutNoRoutes moves',
    },
    { id: 'return-rule-rejected', toldApartBy: 'there a rule refuses before any table is asked' },
    { id: 'syn-queue-last-quarter', toldApartBy: 'there the lookup succeeds' },
    { id: 'xfrm-out-block-server', toldApartBy: 'there the lookup succeeds and XfrmOutPolBlock moves' },
  ],
  scenario: {
    variants: ['prohibit', 'blackhole', 'throw'],
    plan: ({ ip, clientPrefix }, variant) => ({
      steps: [{ on: 'server', run: [...ip, 'route', 'add', variant ?? 'unreachable', clientPrefix] }],
    }),
  },
  examples: [
    {
      name: 'IPv6, a blackhole: only ListenDrops moves',
      given: {
        attempt: FOUR_SYNS,
        outgoingRoute: REJECTED,
        sockets: listening({ dropsDelta: 4 }),
        routes: [BLACKHOLE, DEFAULT],
        counters: exampleCounters({ TcpExtListenDrops: 4 }, 'Ip6OutNoRoutes'),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: { attempt: SUPPOSED, outgoingRoute: REJECTED, sockets: listening() },
      expect: 'confirmed',
    },
    {
      name: 'a throw route hides the default route',
      given: { attempt: SUPPOSED, outgoingRoute: NO_ROUTE_BACK, sockets: listening(), routes: [THROW, DEFAULT] },
      expect: 'confirmed',
    },
    {
      name: 'a throw route with nothing behind it: no-return-route',
      given: { attempt: SUPPOSED, outgoingRoute: NO_ROUTE_BACK, sockets: listening(), routes: [THROW] },
      expect: 'ruled-out',
    },
    {
      name: 'no route at all',
      given: { attempt: FOUR_SYNS, outgoingRoute: NO_ROUTE_BACK, sockets: listening(), routes: [] },
      expect: 'ruled-out',
    },
    {
      name: 'a rule of the same type',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: {
          ...REJECTED,
          matchedRule: {
            family: 6,
            priority: 50,
            action: 'blackhole',
            to: '2001:db8:1::/64',
            text: '50: from all to 2001:db8:1::/64 blackhole',
          },
        },
        sockets: listening(),
      },
      expect: 'ruled-out',
    },
    {
      name: 'IPv4 with rp_filter: the SYN dies earlier',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        outgoingRoute: REJECTED,
        sockets: listening(),
        sysctls: { 'net.ipv4.conf.eth0.rp_filter': '1' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'there is a route',
      given: { attempt: FOUR_SYNS, outgoingRoute: ROUTE_BACK, sockets: listening() },
      expect: 'ruled-out',
    },
    {
      name: 'nothing listens',
      given: { attempt: FOUR_SYNS, outgoingRoute: REJECTED, sockets: NOTHING_LISTENS },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://man7.org/linux/man-pages/man8/ip-route.8.html',
    'net/ipv4/inet_connection_sock.c: inet_csk_route_req()',
  ],
});
