import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { answeringIcmp, icmpAttempt, icmpKey, icmpStatement, NEIGHBOUR_TIMEOUT_MS } from './shared-icmp.ts';

export const cause: Cause = defineCause({
  id: 'router-reject-route',
  title: 'A route of a router on the way refuses the server',
  place: 'path',
  step: 'path-out',
  sides: ['client'],
  needs: ['attempt'],
  assess({ attempt }) {
    const answer = answeringIcmp(attempt);
    if (answer === undefined) return [];
    if (answer.sender !== 'router')
      return [contradicts('strong', 'attempt', `${icmpStatement(answer)}: no router sent it`)];
    const statement = icmpStatement(answer);
    switch (icmpKey(answer.icmp)) {
      case '4:3/1':
        return answer.afterMs < NEIGHBOUR_TIMEOUT_MS
          ? [
              supports(
                'strong',
                'attempt',
                `${statement}: too soon for a neighbour that does not answer, so a route or a rule says so`,
              ),
            ]
          : [contradicts('strong', 'attempt', `${statement}: so late, because a neighbour does not answer`)];
      case '4:3/13':
      case '6:1/1':
        return [supports('strong', 'attempt', `${statement}: a prohibit route, or a packet filter`)];
      case '6:1/0':
      case '6:1/6':
        return [supports('strong', 'attempt', `${statement}: an IPv6 router says so for an unreachable route`)];
      default:
        return [contradicts('strong', 'attempt', `${statement} is another error`)];
    }
  },
  sentence({ attempt }) {
    return `A route of the router ${answeringIcmp(attempt)?.icmp.from ?? 'on the way'} refuses ${attempt.server.address}`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'repair-router',
        title: `Look at the routes and the packet filter of ${answeringIcmp(attempt)?.icmp.from ?? 'that router'}`,
        risk: 'high',
        auto: 'never',
        changes: [
          { kind: 'advice', text: `On that router: ip route get fibmatch ${attempt.server.address}; nft list ruleset` },
        ],
      },
    ];
  },
  explanation: `
A router has a route of type \`unreachable\`, \`prohibit\` or \`blackhole\` that covers the server. It answers with ICMP host-unreachable (3/1), with "administratively prohibited" (3/13, ICMPv6 1/1), or
not at all (blackhole). An IPv6 router answers an \`unreachable\` route with "no route" (1/0).

The same codes come from a packet filter, and 3/1 also from a neighbour that does not answer, but then only after about three seconds. Only the router itself can tell.

Linux 6.18: \`ip_error()\`, \`ip6_pkt_prohibit()\`, \`dst_discard()\`.
`,
  confusedWith: [
    { id: 'path-firewall-reject', toldApartBy: 'the same codes; only the router can tell' },
    { id: 'router-neighbour-unresolved', toldApartBy: 'host-unreachable after about three seconds' },
    { id: 'router-no-route', toldApartBy: 'network-unreachable; on IPv6 the same code' },
  ],
  scenario: {
    variants: ['prohibit'],
    plan: ({ ip, server, family }, variant) => ({
      steps: [
        {
          on: 'router',
          run: [...ip, 'route', 'add', variant ?? 'unreachable', `${server}/${family === 4 ? 32 : 128}`],
        },
      ],
      expect: {
        server: null,
        client:
          variant === 'prohibit' || family === 4
            ? ['router-reject-route', 'path-firewall-reject']
            : ['router-reject-route', 'router-no-route'],
      },
    }),
  },
  examples: [
    {
      name: 'host unreachable at once',
      given: { attempt: icmpAttempt(3, 1, 'Host Unreachable', '203.0.113.1') },
      expect: 'likely',
    },
    {
      name: 'host unreachable after three seconds',
      given: { attempt: icmpAttempt(3, 1, 'Host Unreachable', '203.0.113.1', 3060) },
      expect: 'ruled-out',
    },
    { name: 'silence', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc1812#section-5.2.7', 'net/ipv6/route.c: ip6_pkt_prohibit()'],
});
