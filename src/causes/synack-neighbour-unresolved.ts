import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Neighbour, RouteLookup } from '../model/facts/routing.ts';
import { formatQuantity } from '../model/text.ts';
import { exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { ANSWERED_IN_VAIN, FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { addRoute, wayBack } from './shared-gateway.ts';
import { hasClient, tracedSyn } from './shared-silence.ts';
import { answerMade, settledBeforeAnswer } from './shared-synack.ts';

const FAILED: Neighbour = { address: 'fe80::1', device: 'eth0', states: ['FAILED'] };
const SENDING = exampleCounters({ TcpOutSegs: 8, TcpExtTCPTimeouts: 4, TcpExtTCPSynRetrans: 7 });

/** Who has to be found on the link: the gateway, or the client itself when the route says that it is on the link. */
function nextHop({ client }: Attempt, route: RouteLookup | undefined): string {
  return route?.gateway ?? client.address;
}

export const cause: Cause = defineCause({
  id: 'synack-neighbour-unresolved',
  title: "The server's next hop does not answer on the link",
  place: 'server',
  step: 'server-reply-neighbour',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'outgoingRoute'],
  wants: ['neighbours', 'neighbourActivity', 'counters', 'kernelTrace', 'routes', 'networkChanges'],
  assess({ attempt, sockets, outgoingRoute, neighbours, neighbourActivity, counters, kernelTrace }) {
    const settled = settledBeforeAnswer({ attempt, sockets, outgoingRoute });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt) || outgoingRoute.type === 'local') return [];
    const hop = nextHop(attempt, outgoingRoute);
    const on = outgoingRoute.device === undefined ? '' : ` on ${outgoingRoute.device}`;
    const entry = neighbours?.find(
      ({ address, device }) => address === hop && (outgoingRoute.device ?? device) === device,
    );
    const states = entry?.states ?? [];
    const asked = neighbourActivity?.filter(({ target, direction }) => target === hop && direction === 'out') ?? [];
    const requests = asked.reduce((sum, one) => sum + one.requests, 0);
    const replies = asked.reduce((sum, one) => sum + one.replies, 0);
    if (replies > 0) {
      return [
        contradicts('conclusive', 'neighbourActivity', `${hop} answered ${formatQuantity(replies, 'request')}${on}`),
      ];
    }
    if (states.some((state) => /^(?:REACHABLE|STALE|DELAY|PERMANENT|NOARP)$/.test(state))) {
      return [contradicts('strong', 'neighbours', `the address of ${hop}${on} is known (${states.join(', ')})`)];
    }
    const evidence: CauseEvidence[] = tracedSyn(
      kernelTrace,
      {
        reasons: /^NEIGH_FAILED$/,
        locations: /neigh_invalidate|ipv4_link_failure|arp_error_report|ndisc_error_report/,
      },
      'syn-ack',
    );
    if (kernelTrace?.events.some((event) => event.kind === 'neighbour-failed' && event.address === hop) === true) {
      evidence.push(supports('conclusive', 'kernelTrace', `the kernel reports that ${hop}${on} could not be resolved`));
    }
    const failed = states.includes('FAILED');
    const unresolved = failed || states.includes('INCOMPLETE');
    if (requests > 0) {
      const what = attempt.family === 4 ? 'ARP request' : 'neighbour solicitation';
      const enough = failed || requests > 1;
      evidence.push(
        supports(
          enough && (unresolved || entry === undefined) ? 'conclusive' : 'strong',
          'neighbourActivity',
          `${formatQuantity(requests, what)} for ${hop}${on}, and no answer`,
        ),
      );
    }
    if (unresolved) {
      evidence.push(
        supports(
          requests > 0 || !attempt.observed ? 'strong' : 'moderate',
          'neighbours',
          `ip neigh shows ${hop}${on} as ${states.join(', ')}`,
        ),
      );
    }
    if (!evidence.some(({ bearing }) => bearing === 'supports')) {
      return neighbourActivity !== undefined && attempt.observed && attempt.syns > 0
        ? [...evidence, contradicts('moderate', 'neighbourActivity', `nobody asked for ${hop}${on} on the link`)]
        : evidence;
    }
    evidence.push(...answerMade({ attempt, counters, sockets }, { aborted: true }));
    if (watched(attempt, counters) && grown(counters, 'IcmpOutDestUnreachs') > 0 && attempt.family === 4) {
      const names = ['IcmpOutDestUnreachs', 'IcmpInDestUnreachs'];
      evidence.push(
        supports(
          'moderate',
          'counters',
          `${formatGrowths(counters, names)}: the host tells itself that its SYN-ACK could not be delivered`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, outgoingRoute }) {
    const hop = nextHop(attempt, outgoingRoute);
    const on = outgoingRoute.device === undefined ? 'the link' : outgoingRoute.device;
    return outgoingRoute.gateway === undefined
      ? `The server takes ${attempt.client.address} for a neighbour on ${on}, but it does not answer there, so the SYN-ACK cannot be sent`
      : `The server's gateway ${hop} does not answer on ${on}, so its SYN-ACKs to ${attempt.client.address} cannot be sent`;
  },
  remedies(facts) {
    const { attempt, outgoingRoute, routes } = facts;
    if (outgoingRoute.gateway === undefined) {
      return [
        {
          id: 'repair-prefix',
          title: `Find out why ${attempt.client.address} does not answer on the link; if it is not on this link, the prefix of the server is too wide`,
          risk: 'medium',
          auto: 'never',
          changes: [
            {
              kind: 'advice',
              text: `ip route get ${attempt.client.address} shows the route; ip addr shows the prefix length that made it.`,
            },
          ],
        },
      ];
    }
    const dead = outgoingRoute.gateway;
    const others = routes?.filter(({ nextHops }) => nextHops.every(({ gateway }) => gateway !== dead));
    const way = wayBack({ ...facts, routes: others });
    const better = way?.gateway === dead ? undefined : way;
    const change = addRoute({ ...facts, routes: others }, better);
    return [
      {
        id: 'correct-gateway',
        title:
          better === undefined
            ? `Correct the gateway, or repair ${dead}: cable, VLAN, power`
            : `Use the gateway ${better.gateway} instead of ${dead}: ${better.reason}`,
        risk: 'medium',
        auto: 'never',
        changes: [change.kind === 'route' ? { ...change, action: 'replace' } : change],
      },
    ];
  },
  explanation: `
The route back is there, but its next hop does not answer ARP requests (IPv4) or neighbour solicitations (IPv6): a gateway address that is wrong or down, the wrong VLAN, a prefix so wide that a far client
counts as a neighbour. The SYN-ACK waits in the queue of the neighbour entry and is dropped when that fails: \`neigh_invalidate()\`.

The capture of the server shows SYNs and **requests for the next hop**, no SYN-ACK. \`TCPSynRetrans\` and \`TCPTimeouts\` move. On IPv4 the host sends itself an ICMP host-unreachable
(\`ipv4_link_failure()\`), and \`tcp_v4_err()\` → \`tcp_req_err()\` then removes the half-open connection and counts \`ListenDrops\`, as if a queue were full. On IPv6 it stays in SYN-RECV.

The drop reason is \`NEIGH_FAILED\` (IPv4), \`NOT_SPECIFIED\` in \`neigh_invalidate()\` (IPv6). Be sure: \`ip neigh show NEXTHOP\` says FAILED or INCOMPLETE during an attempt.
`,
  confusedWith: [
    {
      id: 'no-return-route',
      toldApartBy: 'there the route lookup fails and nothing at all leaves, not even a request',
    },
    { id: 'accept-queue-full', toldApartBy: 'ListenDrops moves in both on IPv4, ListenOverflows only there' },
    { id: 'return-path-lost', toldApartBy: 'there SYN-ACKs leave' },
    { id: 'synack-output-drop', toldApartBy: 'there no request leaves either, and TCPSynRetrans stands still' },
  ],
  scenario: {
    plan: ({ ip, unusedOnServerLink, serverDevice }) => ({
      steps: [
        { on: 'server', run: [...ip, 'route', 'replace', 'default', 'via', unusedOnServerLink, 'dev', serverDevice] },
      ],
    }),
  },
  examples: [
    {
      name: 'three solicitations for the gateway, no answer',
      given: {
        attempt: FOUR_SYNS,
        sockets: { ...listening(), synReceived: 1 },
        outgoingRoute: ROUTE_BACK,
        neighbours: [FAILED],
        neighbourActivity: [
          { device: 'eth0', target: 'fe80::1', direction: 'out', requests: 3, replies: 0, answeredBy: [] },
        ],
        counters: SENDING,
      },
      expect: 'confirmed',
    },
    {
      name: 'the first request has gone out a moment ago',
      given: {
        attempt: { ...FOUR_SYNS, syns: 1 },
        sockets: listening(),
        outgoingRoute: ROUTE_BACK,
        neighbours: [{ ...FAILED, states: ['INCOMPLETE'] }],
        neighbourActivity: [
          { device: 'eth0', target: 'fe80::1', direction: 'out', requests: 1, replies: 0, answeredBy: [] },
        ],
      },
      expect: 'likely',
    },
    {
      name: 'only supposed: it failed the last time',
      given: { attempt: SUPPOSED, sockets: listening(), outgoingRoute: ROUTE_BACK, neighbours: [FAILED] },
      expect: 'likely',
    },
    {
      name: 'the gateway answers',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        outgoingRoute: ROUTE_BACK,
        neighbours: [{ ...FAILED, states: ['REACHABLE'], linkAddress: '02:00:00:00:00:01' }],
        neighbourActivity: [
          {
            device: 'eth0',
            target: 'fe80::1',
            direction: 'out',
            requests: 1,
            replies: 1,
            answeredBy: ['02:00:00:00:00:01'],
          },
        ],
      },
      expect: 'ruled-out',
    },
    {
      name: 'the gateway is known already',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        outgoingRoute: ROUTE_BACK,
        neighbours: [{ ...FAILED, states: ['STALE'], linkAddress: '02:00:00:00:00:01' }],
        neighbourActivity: [],
      },
      expect: 'ruled-out',
    },
    {
      name: 'no route: nobody is asked for',
      given: { attempt: FOUR_SYNS, sockets: listening(), outgoingRoute: NO_ROUTE_BACK, neighbours: [FAILED] },
      expect: 'ruled-out',
    },
    {
      name: 'SYN-ACKs left',
      given: { attempt: ANSWERED_IN_VAIN, sockets: listening(), outgoingRoute: ROUTE_BACK, neighbours: [FAILED] },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc826',
    'https://www.rfc-editor.org/rfc/rfc4861#section-7.2',
    'net/ipv4/tcp_ipv4.c: tcp_req_err()',
  ],
});
