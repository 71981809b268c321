import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { connectStatement, failedAtOnce, failedAttempt, noRouteOut, ROUTE_OUT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-rule-reject',
  title: 'A policy routing rule of the client refuses the server',
  place: 'client',
  step: 'client-route',
  sides: ['client'],
  needs: ['attempt', 'outgoingRoute'],
  assess({ attempt, outgoingRoute }) {
    if (attempt.side !== 'client') return [];
    const { ok, message, question, matchedRule, failure } = outgoingRoute;
    if (ok) return [contradicts('conclusive', 'outgoingRoute', `the lookup ${question} finds a route`)];
    if (matchedRule === undefined || matchedRule.action === 'lookup') {
      return failure === 'no-route' || outgoingRoute.matchedRoute !== undefined
        ? [contradicts('strong', 'outgoingRoute', 'no rule that refuses applies to this attempt')]
        : [];
    }
    const evidence = [
      supports(
        'conclusive',
        'outgoingRoute',
        `route lookup ${question} answers "${message}": rule ${matchedRule.priority} "${matchedRule.text}" decides before any table`,
      ),
    ];
    if (failedAtOnce(attempt, 'ENETUNREACH', 'EACCES', 'EINVAL', 'EHOSTUNREACH')) {
      evidence.push(supports('strong', 'attempt', connectStatement(attempt)));
    }
    return evidence;
  },
  sentence({ attempt, outgoingRoute: { matchedRule } }) {
    return `On this host the rule "${matchedRule?.text ?? ''}" refuses ${attempt.server.address}, so no SYN is sent`;
  },
  remedies({ attempt, outgoingRoute: { matchedRule } }) {
    if (matchedRule === undefined) return [];
    const { priority } = matchedRule;
    return [
      {
        id: 'delete-rule',
        title: 'Delete the rule, if nobody put it there on purpose (VPN kill switch)',
        risk: 'high',
        auto: 'never',
        changes: [{ kind: 'rule', action: 'delete', family: attempt.family, priority, selector: [] }],
      },
    ];
  },
  explanation: `
Policy routing rules (\`ip rule\`) are asked in the order of their priority before any routing table. One with the action \`unreachable\`, \`prohibit\` or
\`blackhole\` ends the lookup: \`connect()\` returns ENETUNREACH, EACCES or EINVAL at once, and nothing is sent.

Rules can ask for ports, users and marks, so a lookup without them may succeed: use
\`ip route get ADDRESS ipproto tcp dport PORT mark M uid U\`. Be sure: \`ip rule\` shows it.

Linux 6.18: \`fib4_rule_action()\`, \`fib6_rule_action()\`.
`,
  confusedWith: [
    { id: 'client-no-route', toldApartBy: 'no rule refuses; the tables have no route' },
    { id: 'client-reject-route', toldApartBy: 'a route of a table refuses' },
  ],
  scenario: {
    variants: ['unreachable', 'port'],
    plan: ({ ip, serverPrefix, port }, variant) => ({
      steps: [
        {
          on: 'client',
          run: [
            ...ip,
            'rule',
            'add',
            'pref',
            '50',
            'to',
            serverPrefix,
            ...(variant === 'port' ? ['ipproto', 'tcp', 'dport', String(port)] : []),
            variant === 'unreachable' ? 'unreachable' : 'prohibit',
          ],
        },
      ],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'a prohibit rule',
      given: {
        attempt: failedAttempt('EACCES'),
        outgoingRoute: {
          ...noRouteOut('prohibit', 'Permission denied'),
          matchedRule: {
            family: 4,
            priority: 50,
            action: 'prohibit',
            to: '192.0.2.0/24',
            text: '50: from all to 192.0.2.0/24 prohibit',
          },
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'a good route',
      given: { attempt: failedAttempt('EACCES'), outgoingRoute: ROUTE_OUT },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/fib_rules.c: fib4_rule_action()', 'https://man7.org/linux/man-pages/man8/ip-rule.8.html'],
});
