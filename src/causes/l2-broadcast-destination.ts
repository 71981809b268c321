import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import { EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';

export const cause: Cause = defineCause({
  id: 'l2-broadcast-destination',
  title: 'The SYN arrives in a broadcast or multicast frame',
  place: 'path',
  step: 'server-link',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['sysctls'],
  assess({ attempt, sysctls }) {
    if (attempt.side !== 'server') return [];
    const syns = attempt.sightings.filter(({ segment, direction }) => segment === 'syn' && direction === 'in');
    const wide = syns.filter(
      ({ linkDestination }) => linkDestination === 'broadcast' || linkDestination === 'multicast',
    );
    const count = wide.reduce((sum, sighting) => sum + sighting.count, 0);
    const [first] = wide;
    if (first === undefined) {
      return syns.some(({ linkDestination }) => linkDestination === 'host')
        ? [contradicts('conclusive', 'attempt', 'the frames of the SYNs are addressed to this host alone')]
        : [];
    }
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'the SYN was answered')];
    const evidence = [
      supports(
        'conclusive',
        'attempt',
        `${count} ${count === 1 ? 'SYN' : 'SYNs'} came in${first.device === undefined ? '' : ` on ${first.device}`} in ${first.linkDestination} frames, which TCP does not take`,
      ),
    ];
    if (sysctlNumber(sysctls, `net.ipv4.conf.${first.device}.drop_unicast_in_l2_multicast`) === 1) {
      evidence.push(supports('weak', 'sysctls', 'drop_unicast_in_l2_multicast = 1 drops them earlier still'));
    }
    return evidence;
  },
  sentence({ attempt }) {
    const kind =
      attempt.sightings.find(
        ({ linkDestination }) => linkDestination === 'broadcast' || linkDestination === 'multicast',
      )?.linkDestination ?? 'broadcast';
    return `The SYNs for ${attempt.server.address} arrive in ${kind} frames, which TCP does not take`;
  },
  remedies() {
    return [
      {
        id: 'repair-sender',
        title: 'Repair the neighbour entry of the sender (a load balancer in multicast mode, a static entry)',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'On the sender: ip neigh show; a MAC address with an odd first byte is a group address.',
          },
        ],
      },
    ];
  },
  explanation: `
An ordinary IP address in a frame that is addressed to all, or to a group: network load balancing in multicast mode, or a wrong static neighbour entry. TCP takes only packets that the link
layer addressed to this host: \`tcp_v4_rcv()\` drops everything else without a counter (drop reason NOT_SPECIFIED). With \`drop_unicast_in_l2_multicast=1\` the IP layer
drops it before (UNICAST_IN_L2_MULTICAST).

Be sure: \`tcpdump -e\` shows a destination MAC of ff:ff:ff:ff:ff:ff, or one whose first byte is odd.
`,
  confusedWith: [{ id: 'netfilter-drop-in', toldApartBy: 'the frames are addressed to this host' }],
  scenario: {
    families: [4],
    plan: ({ server, routerServerDevice, ip }) => ({
      steps: [
        {
          on: 'router',
          run: [
            ...ip,
            'neigh',
            'replace',
            server,
            'lladdr',
            'ff:ff:ff:ff:ff:ff',
            'dev',
            routerServerDevice,
            'nud',
            'permanent',
          ],
        },
      ],
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'broadcast frames',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT_V4,
          sightings: [{ segment: 'syn', direction: 'in', device: 'eth0', count: 1, linkDestination: 'broadcast' }],
        },
      },
      expect: 'confirmed',
    },
    { name: 'frames for this host', given: { attempt: EXAMPLE_ATTEMPT_V4 }, expect: 'ruled-out' },
  ],
  references: ['net/ipv4/tcp_ipv4.c: tcp_v4_rcv()', 'https://docs.kernel.org/networking/ip-sysctl.html'],
});
