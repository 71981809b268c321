import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { withOldSocket } from './shared-example-old-sockets.ts';
import { EXAMPLE_ATTEMPT, exampleCounters } from './shared-examples.ts';
import { ANSWERED_IN_VAIN } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';
import { closedPortAnswers } from './shared-refusal.ts';
import { settledOnTheWire, splitPath, unacknowledged } from './shared-synack.ts';

export const cause: Cause = defineCause({
  id: 'return-path-lost',
  title: 'The SYN-ACK is lost on the way back',
  place: 'path',
  step: 'path-back',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['links', 'counters', 'sockets', 'surroundings', 'pathProbe'],
  assess({ attempt, links, counters, sockets, surroundings, pathProbe }) {
    if (attempt.side === 'client') return closedPortAnswers({ attempt, pathProbe });
    const settled = settledOnTheWire(attempt);
    if (settled !== undefined) return settled;
    const evidence: CauseEvidence[] = [unacknowledged(attempt)];
    const split = splitPath(attempt, links);
    if (split !== undefined) {
      evidence.push(
        contradicts(
          'moderate',
          'attempt',
          `the SYN-ACK leaves through ${split.outDevices.join(', ')}, where no SYN came in`,
        ),
      );
    }
    const icmp = attempt.icmpErrors.find(({ towards }) => towards === 'server');
    if (icmp !== undefined) {
      const prohibited =
        icmp.version === 4
          ? icmp.type === 3 && [9, 10, 13].includes(icmp.code)
          : icmp.type === 1 && [1, 5].includes(icmp.code);
      evidence.push(
        prohibited && icmp.from !== attempt.client.address
          ? supports('conclusive', 'attempt', `${icmp.from} refuses the SYN-ACK: ICMP "${icmp.name}"`)
          : contradicts('strong', 'attempt', `an ICMP error names the reason: "${icmp.name}" from ${icmp.from}`),
      );
    }
    // A client that got the SYN-ACK would not repeat its SYN.
    if (attempt.syns === 1 && attempt.synAcks > 2) {
      evidence.push(
        contradicts('strong', 'attempt', 'the client does not repeat its SYN: it got the SYN-ACK, or has given up'),
      );
    }
    if (watched(attempt, counters) && grown(counters, 'TcpExtTCPSynRetrans') > 0) {
      evidence.push(
        supports(
          'weak',
          'counters',
          `${formatGrowths(counters, ['TcpExtTCPSynRetrans'])}: the server repeats its SYN-ACK`,
        ),
      );
    }
    if (sockets?.exact?.state === 'SYN-RECV') {
      evidence.push(supports('moderate', 'sockets', 'the half-open connection waits in SYN-RECV'));
    }
    if (surroundings !== undefined) {
      const { sameClient, floodSources } = surroundings;
      if (floodSources > 0) {
        evidence.push(
          contradicts(
            'moderate',
            'surroundings',
            `${floodSources} sources at once do the same: a flood with forged addresses needs no fault`,
          ),
        );
      }
      if (sameClient.reset > 0 || surroundings.resetsToClient > 0) {
        evidence.push(
          supports(
            'weak',
            'surroundings',
            'other answers to this client got through: what loses the SYN-ACK looks at more than addresses',
          ),
        );
      }
    }
    return evidence;
  },
  sentence({ attempt }) {
    const { client, synAcks } = attempt;
    const icmp = attempt.icmpErrors.find(({ towards }) => towards === 'server');
    const by =
      icmp === undefined
        ? 'nothing comes back: they are lost on the way, or the client itself drops them'
        : `${icmp.from} refuses them on the way (${icmp.name})`;
    return `The server answers ${client.address} with ${synAcks} SYN-ACK${synAcks === 1 ? '' : 's'}, but ${by}`;
  },
  remedies: ({ attempt }) => [
    {
      id: 'capture-at-client',
      title: 'Capture at the client at the same time: it tells whether the SYN-ACK arrives there',
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: `synscope trace, or a capture on both sides and synscope compare. If it does not arrive at ${attempt.client.address}, whoever runs the firewalls and routers between must look there.`,
        },
      ],
    },
  ],
  explanation: `
SYN-ACKs leave the network interface of the server and never reach the client: a firewall on the way back, a router that checks the reverse path, congestion. The client repeats its SYN, the server its SYN-ACK
(\`TCPSynRetrans\`), \`ss\` shows SYN-RECV, and no ICMP error comes.

From the server alone this cannot be told from a client that drops the SYN-ACK itself (its firewall, its \`rp_filter\`): hence never more than likely. A client that repeats its SYN did not take
the SYN-ACK; one that is silent while the server repeats has taken it, and its ACK was lost (\`final-ack-lost\`).

Be sure: capture on both sides. \`tcp:tcp_retransmit_synack\` fires for each repetition (\`inet_rtx_syn_ack()\`).
`,
  confusedWith: [
    { id: 'client-input-drop', toldApartBy: "the client's capture shows the SYN-ACK" },
    {
      id: 'client-rp-filter',
      toldApartBy: "the client's capture shows the SYN-ACK, and its IPReversePathFilter moves",
    },
    { id: 'return-path-asymmetric', toldApartBy: 'there SYN and SYN-ACK pass different interfaces of the server' },
    { id: 'asymmetric-stateful-firewall', toldApartBy: 'only the firewall that drops it can tell' },
    { id: 'final-ack-lost', toldApartBy: 'there the client does not repeat its SYN: it is connected' },
    { id: 'return-path-no-route', toldApartBy: 'there an ICMP error comes back' },
  ],
  scenario: {
    plan: ({ port }) => ({
      steps: [{ on: 'router', nft: nftChain({ hook: 'forward' }, `tcp sport ${port} drop`) }],
    }),
  },
  examples: [
    {
      name: 'both sides repeat, nothing comes back',
      given: {
        attempt: ANSWERED_IN_VAIN,
        sockets: withOldSocket('SYN-RECV'),
        counters: exampleCounters({ TcpExtTCPSynRetrans: 3 }),
      },
      expect: 'likely',
    },
    {
      name: 'a firewall says that it refuses',
      given: {
        attempt: {
          ...ANSWERED_IN_VAIN,
          icmpErrors: [
            {
              version: 6,
              type: 1,
              code: 1,
              from: '2001:db8:9::1',
              name: 'Communication Administratively Prohibited',
              towards: 'server',
            },
          ],
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'the client does not repeat its SYN: it got the SYN-ACK',
      given: { attempt: { ...ANSWERED_IN_VAIN, syns: 1 } },
      expect: 'ruled-out',
    },
    {
      name: 'the SYN-ACK leaves through another interface',
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
    {
      name: 'a router says that it has no route',
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
    { name: 'no SYN-ACK left', given: { attempt: EXAMPLE_ATTEMPT }, expect: 'ruled-out' },
    {
      name: 'the client acknowledged',
      given: {
        attempt: {
          ...ANSWERED_IN_VAIN,
          sightings: [
            ...ANSWERED_IN_VAIN.sightings,
            { segment: 'ack', direction: 'in', device: 'eth0', count: 1, linkDestination: 'host' },
          ],
        },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc9293#section-3.8.1',
    'net/ipv4/inet_connection_sock.c: inet_rtx_syn_ack()',
  ],
});
