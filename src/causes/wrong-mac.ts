import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown } from '../model/cause-facts.ts';
import { EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';

export const cause: Cause = defineCause({
  id: 'wrong-mac',
  title: "The SYN arrives in a frame for another host's MAC address",
  place: 'path',
  step: 'server-link',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['links', 'counters'],
  assess({ attempt, links, counters }) {
    if (attempt.side !== 'server') return [];
    const syns = attempt.sightings.filter(({ segment, direction }) => segment === 'syn' && direction === 'in');
    const other = syns.filter(({ linkDestination }) => linkDestination === 'otherhost');
    const count = other.reduce((sum, sighting) => sum + sighting.count, 0);
    if (count === 0) {
      return syns.some(({ linkDestination }) => linkDestination === 'host')
        ? [contradicts('conclusive', 'attempt', "the frames of the SYNs carry this host's own MAC address")]
        : [];
    }
    if (syns.some(({ linkDestination }) => linkDestination === 'host')) {
      return [contradicts('strong', 'attempt', "other frames with the SYN carry this host's own MAC address")];
    }
    const device = other[0]?.device;
    const evidence = [
      supports(
        'conclusive',
        'attempt',
        `${count} ${count === 1 ? 'SYN' : 'SYNs'} came in${device === undefined ? '' : ` on ${device}`} in frames addressed to another MAC address, which the IP layer throws away`,
      ),
    ];
    const link = links?.find(({ name }) => name === device);
    const dropped = link?.growth.rxOtherhostDropped ?? 0;
    if (dropped > 0) evidence.push(supports('strong', 'links', `${link?.name}: rx_otherhost_dropped +${dropped}`));
    if (grown(counters, 'TcpExtListenDrops') > 0) {
      evidence.push(contradicts('weak', 'counters', 'ListenDrops moved, which frames for others cannot do'));
    }
    return evidence;
  },
  sentence({ attempt, links }) {
    const device = attempt.sightings.find(({ linkDestination }) => linkDestination === 'otherhost')?.device;
    const own = links?.find(({ name }) => name === device)?.linkAddress;
    return `The SYNs for ${attempt.server.address} arrive in frames for another MAC address than that of ${device ?? 'this host'}${own === undefined ? '' : ` (${own})`}: the sender has a stale neighbour entry`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'refresh-sender',
        title: 'Let the neighbours learn the address anew: announce it from here, or delete the entry on the sender',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'command',
            argv: ['arping', '-U', '-c', '3', '-I', attempt.inDevice ?? 'DEVICE', attempt.server.address],
          },
          {
            kind: 'advice',
            text: `On the sender: ip neigh del ${attempt.server.address} dev DEVICE (a permanent entry never expires)`,
          },
        ],
      },
    ];
  },
  explanation: `
The router or neighbour that sends the SYN uses an old MAC address for this host: a permanent entry, a virtual address that failed over without a gratuitous ARP, a replaced network card,
a duplicate MAC. A real network card throws such frames away in hardware, and nothing on the host shows it. In promiscuous mode (a capture switches it on) and on virtual links the frame
comes in, is marked \`otherhost\`, and the IP layer drops it (\`ip_rcv_core()\`, drop reason OTHERHOST). No counter of TCP or IP moves.

Be sure: \`tcpdump -e\` shows the destination MAC; \`ip -s -s link\` counts \`otherhost\` (since Linux 5.19).
`,
  confusedWith: [
    { id: 'netfilter-drop-in', toldApartBy: 'the capture looks the same without -e' },
    { id: 'path-firewall-drop-syn', toldApartBy: 'on a real network card the frame is invisible here' },
  ],
  scenario: {
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
            '02:00:00:00:00:99',
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
      name: 'frames for another host',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT_V4,
          syns: 2,
          sightings: [{ segment: 'syn', direction: 'in', device: 'eth0', count: 2, linkDestination: 'otherhost' }],
        },
      },
      expect: 'confirmed',
    },
    { name: 'frames for this host', given: { attempt: EXAMPLE_ATTEMPT_V4 }, expect: 'ruled-out' },
  ],
  references: ['net/ipv4/ip_input.c: ip_rcv_core()', 'https://www.rfc-editor.org/rfc/rfc5227'],
});
