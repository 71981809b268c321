import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { answeringIcmp, icmpAttempt, icmpKey, icmpStatement } from './shared-icmp.ts';

export const cause: Cause = defineCause({
  id: 'router-no-route',
  title: 'A router on the way has no route to the server',
  place: 'path',
  step: 'path-out',
  sides: ['client'],
  needs: ['attempt'],
  assess({ attempt }) {
    const answer = answeringIcmp(attempt);
    if (answer === undefined) return [];
    const key = icmpKey(answer.icmp);
    if (key !== '4:3/0' && key !== '6:1/0')
      return [contradicts('strong', 'attempt', `${icmpStatement(answer)} is another error`)];
    if (answer.sender !== 'router')
      return [contradicts('strong', 'attempt', `${icmpStatement(answer)}: no router sent it`)];
    return [
      // An unreachable route of an IPv6 router is answered with the same code (ip6_pkt_discard).
      supports(key === '4:3/0' ? 'conclusive' : 'strong', 'attempt', icmpStatement(answer)),
      ...(key === '6:1/0'
        ? [supports('moderate', 'attempt', 'an IPv6 router says the same for an unreachable route')]
        : []),
    ];
  },
  sentence({ attempt }) {
    return `The router ${answeringIcmp(attempt)?.icmp.from ?? 'on the way'} has no route to ${attempt.server.address}`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'repair-router',
        title: `Look at the routing table of ${answeringIcmp(attempt)?.icmp.from ?? 'that router'}`,
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'advice', text: `On that router: ip route get ${attempt.server.address}` }],
      },
    ];
  },
  explanation: `
A router between client and server found no route and said so: ICMP "network unreachable" (type 3 code 0), ICMPv6 "no route to destination" (type 1 code 0). \`connect()\` fails with
ENETUNREACH after at least one round trip. The source of the ICMP error is the router to look at.

A missing route on the client itself gives the same errno, but at once, and no SYN is sent. An IPv6 router answers with this code for an \`unreachable\` route as well.

Linux 6.18: \`ip_error()\`, \`ip6_pkt_discard()\`; the router counts \`IpExtInNoRoutes\` or \`Ip6InNoRoutes\`.
`,
  confusedWith: [
    { id: 'client-no-route', toldApartBy: 'no SYN leaves; the lookup on this host fails' },
    { id: 'router-reject-route', toldApartBy: 'another code on IPv4; on IPv6 an unreachable route has the same one' },
  ],
  scenario: {
    plan: ({ elsewhere }) => ({ steps: [], attempt: { address: elsewhere }, expect: { server: null } }),
  },
  examples: [
    {
      name: 'network unreachable from a router',
      given: { attempt: icmpAttempt(3, 0, 'Net Unreachable', '203.0.113.1') },
      expect: 'confirmed',
    },
    {
      name: 'prohibited',
      given: { attempt: icmpAttempt(3, 13, 'Communication Administratively Prohibited', '203.0.113.1') },
      expect: 'ruled-out',
    },
    { name: 'silence', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc792',
    'https://www.rfc-editor.org/rfc/rfc4443#section-3.1',
    'net/ipv4/route.c: ip_error()',
  ],
});
