import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { answeringIcmp, icmpAttempt, icmpKey, icmpStatement, NEIGHBOUR_TIMEOUT_MS } from './shared-icmp.ts';

export const cause: Cause = defineCause({
  id: 'router-neighbour-unresolved',
  title: 'The last router cannot find the server on its link',
  place: 'path',
  // Whether the host is down, or does not answer, or the link loses what it says: the client sees the router's word only.
  placeFromClient: 'path-or-server',
  step: 'path-out',
  sides: ['client'],
  needs: ['attempt'],
  assess({ attempt }) {
    const answer = answeringIcmp(attempt);
    if (answer === undefined) return [];
    const key = icmpKey(answer.icmp);
    const statement = icmpStatement(answer);
    if (key !== '4:3/1' && key !== '6:1/3') return [contradicts('strong', 'attempt', `${statement} is another error`)];
    if (answer.sender !== 'router')
      return [contradicts('strong', 'attempt', `${statement}: it does not come from a router`)];
    if (answer.afterMs < NEIGHBOUR_TIMEOUT_MS && key === '4:3/1') {
      return [
        contradicts('strong', 'attempt', `${statement}: a router looks for a neighbour for about three seconds first`),
      ];
    }
    return [
      supports(
        'conclusive',
        'attempt',
        `${statement}: so long does a router look for a neighbour that does not answer`,
      ),
    ];
  },
  sentence({ attempt }) {
    return `The router ${answeringIcmp(attempt)?.icmp.from ?? 'before the server'} finds no ${attempt.server.address} on its link: the server is down, or does not answer ${attempt.family === 4 ? 'ARP' : 'neighbour discovery'}`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'find-server',
        title: 'See whether the server is up and has the address; then the link between it and that router',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `On the router ${answeringIcmp(attempt)?.icmp.from ?? ''}: ip neigh show ${attempt.server.address}`,
          },
        ],
      },
    ];
  },
  explanation: `
The last router before the server asks by ARP or neighbour discovery who has its address, and nobody answers: the server is down, in another VLAN, its address is gone, tentative or failed
duplicate address detection, or it is told not to answer ARP. After three requests, about three seconds, the router sends host-unreachable (3/1) or address-unreachable (ICMPv6 1/3) for the
packets that waited.

Told from a filter by the three seconds. Be sure: \`ip neigh\` on that router says FAILED. A DNAT whose backend is dead looks the same, but the error seems to come from the server's address.

Linux 6.18: \`neigh_invalidate()\`.
`,
  confusedWith: [
    { id: 'path-firewall-reject', toldApartBy: 'a filter answers at once' },
    { id: 'dnat-dead-backend', toldApartBy: 'the error seems to come from the address that was asked for' },
    { id: 'client-neighbour-unresolved', toldApartBy: 'the SYN never leaves the client' },
  ],
  scenario: {
    plan: ({ unusedOnServerLink }) => ({
      // The router gives up after three seconds: the client must wait for that.
      steps: [{ on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } }],
      attempt: { address: unusedOnServerLink },
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'host unreachable after three seconds',
      given: { attempt: icmpAttempt(3, 1, 'Host Unreachable', '203.0.113.1', 3060) },
      expect: 'confirmed',
    },
    {
      name: 'at once',
      given: { attempt: icmpAttempt(3, 1, 'Host Unreachable', '203.0.113.1', 3) },
      expect: 'ruled-out',
    },
    { name: 'silence', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['net/core/neighbour.c: neigh_invalidate()', 'https://www.rfc-editor.org/rfc/rfc1812#section-5.2.7.1'],
});
