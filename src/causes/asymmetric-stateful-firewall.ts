import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatList } from '../model/text.ts';
import { EXAMPLE_ATTEMPT } from './shared-examples.ts';
import { ANSWERED_IN_VAIN } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';
import { settledOnTheWire, splitPath } from './shared-synack.ts';

export const cause: Cause = defineCause({
  id: 'asymmetric-stateful-firewall',
  title: 'A stateful firewall on the way sees only the SYN-ACK and drops it as invalid',
  place: 'path',
  step: 'path-back',
  sides: [],
  needs: ['attempt'],
  wants: ['links'],
  assess({ attempt, links }) {
    const settled = settledOnTheWire(attempt);
    if (settled !== undefined) return settled;
    if (attempt.syns < 2) return [];
    const icmp = attempt.icmpErrors.find(({ towards }) => towards === 'server');
    if (icmp !== undefined) {
      return [contradicts('strong', 'attempt', `an ICMP error names another reason: "${icmp.name}" from ${icmp.from}`)];
    }
    const split = splitPath(attempt, links);
    if (split === undefined) {
      return [
        supports(
          'weak',
          'attempt',
          'SYN-ACKs leave and nothing comes back; what drops them, and why, only that hop can tell',
        ),
      ];
    }
    return [
      supports(
        'moderate',
        'attempt',
        `the SYN comes in through ${formatList(split.inDevices)} and the SYN-ACK leaves through ${formatList(split.outDevices)}: a firewall there never saw the SYN`,
      ),
    ];
  },
  sentence({ attempt }) {
    return `A stateful firewall between the server and ${attempt.client.address} never saw the SYN, and drops the SYN-ACK as invalid`;
  },
  remedies: () => [
    {
      id: 'symmetric-routing',
      title: 'Lead both directions through the same firewall, or let the firewalls share their state',
      risk: 'medium',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'Symmetric routes, conntrackd (or the state synchronisation of the vendor), or a rule without state for this service.',
        },
      ],
    },
  ],
  explanation: `
A firewall with connection tracking expects the SYN first. When the SYN took another way (several uplinks, a load balancer, ECMP), the SYN-ACK is the first packet that it sees: \`nf_conntrack_tcp_packet()\`
calls a SYN-ACK in the original direction from state NONE **invalid**, and \`ct state invalid drop\` drops it. \`nf_conntrack_tcp_loose\` does not help: it is for ACKs.

Only that hop can tell: its counter \`invalid\` in \`conntrack -S\` moves, the rule counts, and \`conntrack -L\` has no entry for the connection. From the server it looks like any other loss on the way
back, from the client like a server that is silent.

Be sure: \`synscope listen\` or a capture on the firewall itself, or its \`nf_conntrack_log_invalid=6\`.
`,
  confusedWith: [
    { id: 'return-path-lost', toldApartBy: 'the same from both ends; the firewall itself tells' },
    { id: 'return-path-asymmetric', toldApartBy: 'the two ways part at the server already' },
    { id: 'conntrack-invalid-syn', toldApartBy: 'there the SYN is invalid' },
  ],
  scenario: {
    plan: ({ port }) => ({
      steps: [
        {
          on: 'router',
          nft: [
            // As if the SYN had taken another way.
            nftChain({ hook: 'prerouting', table: 'other', priority: -300 }, `tcp dport ${port} notrack`),
            nftChain({ hook: 'forward' }, `tcp sport ${port} ct state invalid drop`),
          ].join(''),
        },
      ],
      expect: { server: ['return-path-lost', 'asymmetric-stateful-firewall'], client: null, place: 'path' },
    }),
  },
  examples: [
    {
      name: 'SYN-ACKs leave and are lost: it is one of several',
      given: { attempt: ANSWERED_IN_VAIN },
      expect: 'possible',
    },
    {
      name: 'the two ways part at the server',
      given: {
        attempt: {
          ...ANSWERED_IN_VAIN,
          sightings: ANSWERED_IN_VAIN.sightings.map((one) =>
            one.segment === 'syn-ack' ? { ...one, device: 'eth1' } : one,
          ),
        },
      },
      expect: 'possible',
    },
    { name: 'no SYN-ACK left', given: { attempt: EXAMPLE_ATTEMPT }, expect: 'ruled-out' },
    {
      name: 'a router names its reason',
      given: {
        attempt: {
          ...ANSWERED_IN_VAIN,
          icmpErrors: [
            { version: 6, type: 1, code: 0, from: '2001:db8:2::1', name: 'No Route to Destination', towards: 'server' },
          ],
        },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/nf_conntrack-sysctl.html',
    'net/netfilter/nf_conntrack_proto_tcp.c: nf_conntrack_tcp_packet()',
  ],
});
