import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Attempt, Sighting } from '../model/facts/attempt.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, ROUTE_BACK } from './shared-examples.ts';
import { clientName, hasClient, stoodStill, synArrived, theSyns } from './shared-silence.ts';
import { ownIfFromOutside, ownSource } from './shared-source-check.ts';

const OWN: LinkAddress = {
  family: 6,
  address: EXAMPLE_ATTEMPT.client.address,
  prefixLength: 128,
  device: 'lo',
  scope: 'global',
  flags: [],
};

export const cause: Cause = defineCause({
  id: 'own-address-source-ipv6',
  title: "The client uses an address of the server, so the server's answer goes to itself",
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'addresses'],
  wants: ['outgoingRoute', 'counters'],
  assess({ attempt, addresses, outgoingRoute, counters }) {
    const { client, inDevice } = attempt;
    if (!synArrived(attempt) || attempt.family !== 6 || !hasClient(attempt)) return [];
    if (inDevice === 'lo') return attempt.observed ? [] : ownIfFromOutside(attempt, addresses);
    const own = ownSource(attempt, addresses);
    if (own === undefined && outgoingRoute?.type !== 'local') {
      return [contradicts('conclusive', 'addresses', `${client.address} is no address of this host`)];
    }
    const left = answersThatLeft(attempt).find(({ device }) => device !== 'lo');
    if (left !== undefined) {
      return [contradicts('conclusive', 'attempt', `the SYN-ACK left through ${left.device ?? 'an interface'}`)];
    }
    if (outgoingRoute?.ok && outgoingRoute.type !== 'local') {
      return [
        contradicts(
          'conclusive',
          'outgoingRoute',
          `the answer is routed to the network, through ${outgoingRoute.device}`,
        ),
      ];
    }
    const where = own === undefined ? '' : ` (on ${own.device})`;
    const evidence: CauseEvidence[] = [
      supports(
        'conclusive',
        'addresses',
        `the client's address ${client.address} is an address of this host itself${where}`,
      ),
    ];
    if (outgoingRoute?.type === 'local') {
      evidence.push(
        supports('strong', 'outgoingRoute', `the answer ${outgoingRoute.question} is delivered to this host`),
      );
    }
    const looped = answersThatLeft(attempt).length;
    if (looped > 0)
      evidence.push(supports('strong', 'attempt', 'its SYN-ACK was seen on lo, and on no other interface'));
    if (watched(attempt, counters)) {
      if (grown(counters, 'TcpExtEmbryonicRsts') > 0 && grown(counters, 'TcpOutRsts') > 0) {
        const growths = formatGrowths(counters, ['TcpExtEmbryonicRsts', 'TcpOutRsts']);
        evidence.push(supports('strong', 'counters', `${growths}: this host resets its own SYN-ACK`));
      } else if (stoodStill(counters, 'TcpExtEmbryonicRsts') && looped === 0) {
        evidence.push(contradicts('moderate', 'counters', 'EmbryonicRsts +0: no SYN-ACK was reset'));
      }
    }
    return evidence;
  },
  sentence({ attempt, addresses }) {
    const own = ownSource(attempt, addresses);
    const where = own === undefined ? '' : ` (on ${own.device})`;
    return `The client uses ${clientName(attempt)}, which is an address of the server itself${where}: the answer to ${theSyns(attempt)} goes to the server's own lo and is reset there`;
  },
  remedies({ attempt, addresses }) {
    const own = ownSource(attempt, addresses);
    if (own === undefined) return [];
    return [
      {
        id: 'remove-duplicate',
        title: `Take ${own.address} off ${own.device}, when it belongs to the client`,
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'address',
            action: 'delete',
            address: own.address,
            prefixLength: own.prefixLength,
            device: own.device,
          },
        ],
      },
    ];
  },
  explanation: `
Unlike IPv4, IPv6 on Linux does not refuse a packet from the network whose source is an address of the host itself. The SYN reaches the listener, the SYN-ACK is
routed to that address, which is local, and comes back on \`lo\`, where no socket waits for it: the host answers itself with RST, and the RST ends the half-open
connection. The client, which is another machine with the same address, hears nothing.

\`EmbryonicRsts\`, \`AttemptFails\` and \`OutRsts\` grow by one for each SYN.

Be sure: the client's address is in \`ip -6 addr\` of the server, and a capture on \`lo\` shows SYN-ACK and RST while that of the network shows SYNs only.

Linux 6.18: \`tcp_v6_rcv()\` finds no socket for the SYN-ACK → \`tcp_v6_send_reset()\` → \`tcp_check_req()\` (embryonic reset).
`,
  confusedWith: [
    { id: 'rst-on-synack', toldApartBy: 'there the RST comes from the network; here it never leaves lo' },
    { id: 'martian-source', toldApartBy: 'IPv4 refuses such a SYN in the IP layer' },
    { id: 'no-return-route', toldApartBy: 'there the lookup of the answer fails' },
  ],
  scenario: {
    families: [6],
    variants: ['on-the-interface'],
    plan: ({ client, ip, serverDevice }, variant) => ({
      steps: [
        {
          on: 'server',
          run: [
            ...[...ip, 'addr', 'add', `${client}/128`, 'dev', variant === undefined ? 'lo' : serverDevice],
            ...(variant === undefined ? [] : ['nodad']),
          ],
        },
      ],
    }),
  },
  examples: [
    {
      name: 'the answer was seen on lo and reset there',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT,
          synAcks: 1,
          sightings: [
            ...EXAMPLE_ATTEMPT.sightings,
            { segment: 'syn-ack', direction: 'out', device: 'lo', count: 1, linkDestination: 'unknown' },
          ],
        },
        addresses: [OWN],
        outgoingRoute: { ...ROUTE_BACK, type: 'local', device: 'lo' },
        counters: exampleCounters({ TcpExtEmbryonicRsts: 1, TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'another address',
      given: { attempt: EXAMPLE_ATTEMPT, addresses: [{ ...OWN, address: '2001:db8:2::2' }], outgoingRoute: ROUTE_BACK },
      expect: 'ruled-out',
    },
    {
      name: 'a host that talks to itself over lo',
      given: { attempt: { ...EXAMPLE_ATTEMPT, inDevice: 'lo' }, addresses: [OWN] },
      expect: 'not-indicated',
    },
  ],
  references: ['net/ipv6/tcp_ipv6.c: tcp_v6_rcv()', 'net/ipv4/tcp_minisocks.c: tcp_check_req()'],
});

function answersThatLeft({ sightings }: Attempt): readonly Sighting[] {
  return sightings.filter(({ segment, direction }) => segment === 'syn-ack' && direction === 'out');
}
