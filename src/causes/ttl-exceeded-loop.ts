import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { answeringIcmp, icmpAttempt, icmpKey, icmpStatement } from './shared-icmp.ts';

export const cause: Cause = defineCause({
  id: 'ttl-exceeded-loop',
  title: 'The SYN runs in circles until its TTL is used up',
  place: 'path',
  step: 'path-out',
  sides: ['client'],
  needs: ['attempt'],
  assess({ attempt }) {
    const answer = answeringIcmp(attempt);
    if (answer === undefined) return [];
    const key = icmpKey(answer.icmp);
    if (key !== '4:11/0' && key !== '6:3/0')
      return [contradicts('strong', 'attempt', `${icmpStatement(answer)} is another error`)];
    return [supports('conclusive', 'attempt', icmpStatement(answer))];
  },
  sentence({ attempt }) {
    return `The SYN to ${attempt.server.address} died at ${answeringIcmp(attempt)?.icmp.from ?? 'a router'} because its TTL was used up: there is a routing loop, or the TTL is too small`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'find-loop',
        title: 'Find the two routers that send it to each other',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `traceroute ${attempt.server.address} shows the loop; look at the routes of ${answeringIcmp(attempt)?.icmp.from ?? 'that router'}`,
          },
        ],
      },
    ];
  },
  explanation: `
Each router takes one off the TTL (hop limit) of a packet and throws it away at zero, with ICMP "time exceeded" (type 11; ICMPv6 type 3). Routers that send a packet back to each other use
it up; so does a client that sends with a tiny TTL. \`connect()\` fails with EHOSTUNREACH.

Be sure: \`traceroute\` shows two addresses in turn. On the looping link the same SYN passes dozens of times with a falling TTL. Linux 6.18: \`ip_forward()\`, \`ip6_forward()\`.
`,
  confusedWith: [{ id: 'router-neighbour-unresolved', toldApartBy: 'the same errno, another ICMP error' }],
  scenario: {
    plan: ({ ip, elsewhere, elsewherePrefix, server, serverGateway, family }) => ({
      steps: [
        { on: 'router', run: [...ip, 'route', 'add', elsewherePrefix, 'via', server] },
        { on: 'server', sysctl: family === 4 ? { 'net.ipv4.ip_forward': 1 } : { 'net.ipv6.conf.all.forwarding': 1 } },
        { on: 'server', run: [...ip, 'route', 'replace', 'default', 'via', serverGateway] },
      ],
      attempt: { address: elsewhere },
      // To the server it looks as if it were asked to forward what is not its own, which is true.
      expect: { server: ['not-my-address', 'router-forwarding-off'] },
    }),
  },
  examples: [
    {
      name: 'time exceeded',
      given: { attempt: icmpAttempt(11, 0, 'Time to Live exceeded in Transit', '203.0.113.9') },
      expect: 'confirmed',
    },
    { name: 'silence', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc792', 'net/ipv4/ip_forward.c: ip_forward()'],
});
