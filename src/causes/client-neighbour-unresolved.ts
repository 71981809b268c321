import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { CLIENT_ATTEMPT, connectStatement, ROUTE_OUT } from './shared-client.ts';

const NOTHING_LEFT = { ...CLIENT_ATTEMPT, syns: 0, sightings: [] };

export const cause: Cause = defineCause({
  id: 'client-neighbour-unresolved',
  title: 'The next hop of the client does not answer ARP or neighbour discovery',
  place: 'client',
  step: 'client-neighbour',
  sides: ['client'],
  needs: ['attempt', 'outgoingRoute'],
  wants: ['neighbours', 'neighbourActivity', 'counters'],
  assess({ attempt, outgoingRoute, neighbours, neighbourActivity, counters }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined || !outgoingRoute.ok) return [];
    const hop = outgoingRoute.gateway ?? attempt.server.address;
    if (attempt.syns > 0)
      return [contradicts('conclusive', 'attempt', `the SYN left this host, so ${hop} has a link-layer address`)];
    const entry = neighbours?.find(
      ({ address, device }) =>
        address === hop && (outgoingRoute.device === undefined || device === outgoingRoute.device),
    );
    const failed = entry?.states.some((state) => state === 'FAILED' || state === 'INCOMPLETE') === true;
    const asked = neighbourActivity?.find(({ target, direction }) => target === hop && direction === 'out');
    const evidence = [];
    if (asked !== undefined && asked.requests > 0 && asked.replies === 0) {
      evidence.push(
        supports(
          // One request may just be on its way.
          failed && asked.requests > 1 ? 'conclusive' : 'strong',
          'neighbourActivity',
          `${asked.requests} requests for ${hop} on ${asked.device ?? outgoingRoute.device ?? 'the link'}, and no reply`,
        ),
      );
    }
    if (failed && entry !== undefined) {
      evidence.push(
        supports(
          attempt.captured ? 'strong' : 'conclusive',
          'neighbours',
          `${hop} is ${entry.states.join(', ')} in the neighbour table of ${entry.device}`,
        ),
      );
    } else if (entry?.linkAddress !== undefined && asked === undefined) {
      evidence.push(contradicts('strong', 'neighbours', `${hop} is known as ${entry.linkAddress}`));
    }
    if (evidence.every(({ bearing }) => bearing === 'contradicts')) return evidence;
    if (attempt.connect.errno === 'EHOSTUNREACH')
      evidence.push(supports('moderate', 'attempt', connectStatement(attempt)));
    if (watched(attempt, counters) && grown(counters, 'TcpExtTCPSpuriousRtxHostQueues') > 0) {
      evidence.push(
        supports(
          'moderate',
          'counters',
          'TCPSpuriousRtxHostQueues moved: the first SYN still waits in a queue of this host',
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, outgoingRoute }) {
    const hop = outgoingRoute.gateway ?? attempt.server.address;
    const what = outgoingRoute.gateway === undefined ? hop : `The gateway ${hop}`;
    return `${what} does not answer ${attempt.family === 4 ? 'ARP' : 'neighbour discovery'} on ${outgoingRoute.device ?? 'its link'}, so the SYN never leaves this host`;
  },
  remedies({ attempt, outgoingRoute, neighbours }) {
    const hop = outgoingRoute.gateway ?? attempt.server.address;
    const permanent = neighbours?.find(({ address, states }) => address === hop && states.includes('PERMANENT'));
    return [
      {
        id: 'repair-next-hop',
        title:
          outgoingRoute.gateway === undefined
            ? 'Bring the host up, or find it: wrong address, VLAN, cable'
            : 'Correct the gateway, or bring it up',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `Who else is on the link of ${outgoingRoute.device ?? 'the interface'}? ip neigh show dev ${outgoingRoute.device ?? 'DEVICE'}`,
          },
        ],
      },
      ...(permanent === undefined
        ? []
        : [
            {
              id: 'remove-permanent-entry',
              title: 'Remove the permanent neighbour entry',
              risk: 'low' as const,
              auto: 'with-consent' as const,
              changes: [
                { kind: 'neighbour' as const, action: 'delete' as const, address: hop, device: permanent.device },
              ],
            },
          ]),
    ];
  },
  explanation: `
Before a packet can leave, the next hop (the gateway, or the server itself when it is on the link) must be found by ARP or neighbour discovery. While it is
not, the SYN waits in the queue of the neighbour entry. After three requests, about three seconds, the kernel gives up, throws the SYN away and reports
"host unreachable" to itself: \`connect()\` fails with EHOSTUNREACH.

A capture shows the requests and no SYN. Be sure: \`ip neigh show HOP\` says INCOMPLETE or FAILED while it is tried.

Linux 6.18: \`neigh_event_send()\`, \`neigh_invalidate()\` → \`arp_error_report()\`, \`ndisc_error_report()\`.
`,
  confusedWith: [
    { id: 'router-neighbour-unresolved', toldApartBy: 'the SYN leaves, and a router answers with an ICMP error' },
    { id: 'client-output-drop', toldApartBy: 'no requests are seen; a rule drops the SYN' },
  ],
  scenario: {
    variants: ['gateway'],
    plan: ({ ip, unusedOnClientLink, clientDevice }, variant) =>
      variant === 'gateway'
        ? {
            steps: [
              {
                on: 'client',
                run: [...ip, 'route', 'replace', 'default', 'via', unusedOnClientLink, 'dev', clientDevice],
              },
            ],
            expect: { server: null },
          }
        : { steps: [], attempt: { address: unusedOnClientLink }, expect: { server: null } },
  },
  examples: [
    {
      name: 'the gateway is gone',
      given: {
        attempt: NOTHING_LEFT,
        outgoingRoute: ROUTE_OUT,
        neighbours: [{ address: '198.51.100.1', device: 'eth0', states: ['INCOMPLETE'] }],
        neighbourActivity: [
          { device: 'eth0', target: '198.51.100.1', direction: 'out', requests: 2, replies: 0, answeredBy: [] },
        ],
      },
      expect: 'confirmed',
    },
    { name: 'the SYN left', given: { attempt: CLIENT_ATTEMPT, outgoingRoute: ROUTE_OUT }, expect: 'ruled-out' },
  ],
  references: ['net/core/neighbour.c: neigh_invalidate()', 'https://www.rfc-editor.org/rfc/rfc4861'],
});
