import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Route, RouteLookup, RoutingRule } from '../model/facts/routing.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { refusalCounted, settledOtherwise } from './shared-refusal.ts';
import {
  lastReplyLookup,
  type ReplyFacts,
  rejectingRule,
  routeName,
  routeOutOfReach,
  rpFilterMode,
} from './shared-reply.ts';
import { hasClient } from './shared-silence.ts';

const LOCAL_TABLE = 255;

const UNREACHABLE: RoutingRule = {
  family: 6,
  priority: 50,
  action: 'unreachable',
  to: '2001:db8:1::/64',
  text: '50: from all to 2001:db8:1::/64 unreachable',
};
const MAIN: RoutingRule = {
  family: 6,
  priority: 32_766,
  action: 'lookup',
  table: 'main',
  text: '32766: from all lookup main',
};
const SUPPRESSED: RoutingRule = {
  ...MAIN,
  priority: 100,
  suppressPrefixLength: 0,
  text: '100: from all lookup main suppress_prefixlength 0',
};
const DEFAULT: Route = {
  family: 6,
  table: 'main',
  type: 'unicast',
  destination: '::/0',
  nextHops: [{ gateway: 'fe80::1', device: 'eth0', flags: [] }],
};
const PROHIBITED: RouteLookup = { ...NO_ROUTE_BACK, failure: 'prohibit', message: 'Permission denied' };

/** What the rules do to the reply, as a sentence says it; undefined when they are not to blame. */
function verdictOf(facts: ReplyFacts): { readonly rule?: RoutingRule; readonly what: string } | undefined {
  const rejecting = rejectingRule(facts);
  if (rejecting !== undefined) return { rule: rejecting, what: `the rule "${rejecting.text}" refuses it` };
  const hidden = routeOutOfReach(facts);
  if (hidden === undefined) return undefined;
  const { rule, route } = hidden;
  const because = rule === undefined ? 'no rule leads to it' : `the rule "${rule.text}" does not let it through`;
  return { ...(rule === undefined ? {} : { rule }), what: `the route ${routeName(route)} is there, but ${because}` };
}

export const cause: Cause = defineCause({
  id: 'return-rule-rejected',
  title: 'A policy routing rule of the server refuses the client',
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'outgoingRoute', 'sockets'],
  wants: ['rules', 'routes', 'counters', 'sysctls', 'kernelTrace'],
  assess(facts) {
    const { attempt, outgoingRoute, sockets, rules, counters, sysctls, kernelTrace } = facts;
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    const { question, message } = outgoingRoute;
    if (outgoingRoute.ok) return [contradicts('conclusive', 'outgoingRoute', `the lookup ${question} finds a route`)];
    const verdict = verdictOf(facts);
    if (verdict === undefined) {
      return rules === undefined
        ? []
        : [contradicts('conclusive', 'rules', 'no rule that refuses applies to the reply')];
    }
    if (attempt.family === 4 && rpFilterMode(sysctls, attempt.inDevice) > 0) {
      return [contradicts('strong', 'sysctls', 'rp_filter drops the SYN in the IP layer before its answer is routed')];
    }
    const evidence: CauseEvidence[] = [
      supports('conclusive', 'outgoingRoute', `route lookup ${question} answers "${message}": ${verdict.what}`),
      ...refusalCounted({ attempt, counters, sockets }),
    ];
    const last = lastReplyLookup(kernelTrace);
    if (last !== undefined && last.err < 0 && last.table === LOCAL_TABLE) {
      evidence.push(
        supports(
          'strong',
          'kernelTrace',
          `the kernel's own lookup of the reply ended after table local (error ${last.err})`,
        ),
      );
    }
    return evidence;
  },
  sentence(facts) {
    const { attempt } = facts;
    const verdict = verdictOf(facts);
    const why = verdict?.what ?? 'a policy routing rule refuses it';
    return `The server's answer to ${attempt.client.address} has no way out (${why}), so the kernel drops its SYNs without an answer`;
  },
  remedies(facts) {
    const { attempt } = facts;
    const rule = verdictOf(facts)?.rule;
    if (rule === undefined) {
      return [
        {
          id: 'restore-main-rule',
          title: 'Give the lookup its usual rule for table main back',
          risk: 'high',
          auto: 'never',
          changes: [
            { kind: 'rule', action: 'add', family: attempt.family, priority: 32_766, selector: ['lookup', 'main'] },
          ],
        },
      ];
    }
    return [
      {
        id: 'repair-rule',
        title: 'Repair or delete the rule, if nobody put it there on purpose (VPN kill switch)',
        risk: 'high',
        auto: 'never',
        changes: [{ kind: 'rule', action: 'delete', family: rule.family, priority: rule.priority, selector: [] }],
      },
    ];
  },
  explanation: `
Policy routing rules are asked before any table. A rule of type \`unreachable\`, \`prohibit\` or \`blackhole\` that covers the answer ends the lookup; so does a set of rules that never reaches the
table with the route (a VPN that replaced the rule for table main, \`suppress_prefixlength 0\` which ignores default routes). The SYN is then dropped as with
\`no-return-route\`: \`tcp_conn_request()\` → \`route_req()\`; \`fib4_rule_action()\` and \`fib6_rule_action()\` give the error.

A rule \`unreachable\` answers "Network is unreachable", the words of a missing route. \`ListenDrops\` moves; IPv4 counts \`IpOutNoRoutes\` for each type, IPv6 counts \`Ip6OutNoRoutes\` only
for \`unreachable\`.

Be sure: \`ip rule\`, and \`ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678\`. Without the ports a rule on ports stays invisible. In a kernel
trace the lookup of the reply ends after table 255 (local).
`,
  confusedWith: [
    { id: 'no-return-route', toldApartBy: 'there no rule refuses, and no table has a route' },
    { id: 'return-route-rejected', toldApartBy: 'there a route refuses' },
    { id: 'xfrm-out-block-server', toldApartBy: 'there the lookup succeeds' },
  ],
  scenario: {
    variants: ['prohibit', 'blackhole', 'by-port'],
    plan: ({ ip, clientPrefix, port }, variant) => ({
      steps: [
        {
          on: 'server',
          run:
            variant === 'by-port'
              ? [...ip, 'rule', 'add', 'pref', '50', 'ipproto', 'tcp', 'sport', String(port), 'type', 'unreachable']
              : [...ip, 'rule', 'add', 'pref', '50', 'to', clientPrefix, 'type', variant ?? 'unreachable'],
        },
      ],
    }),
  },
  examples: [
    {
      name: 'a rule of type unreachable, which answers like a missing route',
      given: {
        attempt: FOUR_SYNS,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listening({ dropsDelta: 4 }),
        rules: [UNREACHABLE, MAIN],
        routes: [DEFAULT],
        counters: exampleCounters({ TcpExtListenDrops: 4, Ip6OutNoRoutes: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed; the lookup names the rule',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: { ...PROHIBITED, matchedRule: { ...UNREACHABLE, action: 'prohibit' } },
        sockets: listening(),
      },
      expect: 'confirmed',
    },
    {
      name: 'a VPN ignores default routes of table main',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listening(),
        rules: [SUPPRESSED],
        routes: [DEFAULT],
      },
      expect: 'confirmed',
    },
    {
      name: 'a rule for a mark that the listener does not have: no-return-route',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listening(),
        rules: [{ ...UNREACHABLE, fwmark: 9 }, MAIN],
        routes: [],
      },
      expect: 'ruled-out',
    },
    {
      name: 'a rule for a mark that the listener has',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listening({ mark: 9 }),
        rules: [{ ...UNREACHABLE, fwmark: 9 }, MAIN],
        routes: [],
      },
      expect: 'confirmed',
    },
    {
      name: 'a rule for another network',
      given: {
        attempt: SUPPOSED,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listening(),
        rules: [{ ...UNREACHABLE, to: '2001:db8:9::/64' }, MAIN],
        routes: [],
      },
      expect: 'ruled-out',
    },
    {
      name: 'no such rule, no route: no-return-route',
      given: { attempt: FOUR_SYNS, outgoingRoute: NO_ROUTE_BACK, sockets: listening(), rules: [MAIN], routes: [] },
      expect: 'ruled-out',
    },
    {
      name: 'IPv4 with rp_filter: the SYN dies earlier',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        outgoingRoute: NO_ROUTE_BACK,
        sockets: listening(),
        rules: [{ ...UNREACHABLE, family: 4, to: '198.51.100.0/24' }],
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'there is a route',
      given: { attempt: FOUR_SYNS, outgoingRoute: ROUTE_BACK, sockets: listening(), rules: [UNREACHABLE] },
      expect: 'ruled-out',
    },
  ],
  references: ['https://man7.org/linux/man-pages/man8/ip-rule.8.html', 'net/ipv4/fib_rules.c: fib4_rule_action()'],
});
