import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { formatQuantity } from '../model/text.ts';
import { HALF_OPEN, serverSaw } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { afterSynAck, answeredHere } from './shared-final-ack.ts';
import { addRoute, wayBack } from './shared-gateway.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, stoodStill } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'route-lost-before-ack',
  title: 'The route back vanished between the SYN-ACK and the final ACK',
  place: 'server',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt', 'outgoingRoute'],
  wants: ['counters', 'sockets', 'kernelTrace', 'networkChanges', 'routes', 'neighbours'],
  assess({ attempt, outgoingRoute, counters, sockets, kernelTrace, networkChanges }) {
    if (!answeredHere(attempt)) return [];
    if (outgoingRoute.ok) {
      return [contradicts('conclusive', 'outgoingRoute', `the lookup ${outgoingRoute.question} finds a route`)];
    }
    const { acks } = afterSynAck(attempt);
    const lookup = `a SYN-ACK was sent, and now route lookup ${outgoingRoute.question} answers "${outgoingRoute.message}"`;
    if (acks === 0) {
      // Whether the ACK was lost or is still to come, the SYN-ACK cannot be repeated either.
      return [
        supports('strong', 'outgoingRoute', lookup),
        contradicts('moderate', 'attempt', 'no ACK of the client arrived yet'),
      ];
    }
    const evidence: CauseEvidence[] = [];
    const noRoutes = attempt.family === 4 ? 'IpOutNoRoutes' : 'Ip6OutNoRoutes';
    const established = sockets?.exact?.state === 'ESTAB';
    if (watched(attempt, counters)) {
      if (stoodStill(counters, 'TcpExtListenDrops')) {
        evidence.push(contradicts('strong', 'counters', 'ListenDrops +0: no ACK was refused'));
      } else if (grown(counters, 'TcpExtListenDrops') > 0) {
        const growths = formatGrowths(counters, ['TcpExtListenDrops', noRoutes, 'TcpExtListenOverflows']);
        evidence.push(supports('strong', 'counters', growths));
      }
      if (grown(counters, 'TcpExtListenOverflows') > 0) {
        evidence.push(contradicts('strong', 'counters', 'ListenOverflows moved: an accept queue was full'));
      }
    }
    const refused = watched(attempt, counters) && grown(counters, 'TcpExtListenDrops') > 0 && !established;
    evidence.push(
      supports(
        refused ? 'conclusive' : 'strong',
        'outgoingRoute',
        `${lookup}, so ${formatQuantity(acks, 'ACK')} of the client had no effect`,
      ),
    );
    if (established) {
      evidence.push(contradicts('strong', 'sockets', 'the connection is established here'));
    }
    const deleted = networkChanges?.find(({ what, beforeMs }) => what === 'route-deleted' && beforeMs <= 0);
    if (deleted !== undefined) {
      evidence.push(supports('strong', 'networkChanges', `${deleted.text} was deleted during the handshake`));
    }
    const traced = kernelTrace?.events.some(
      (event) => event.kind === 'dropped' && event.reason === 'TCP_LISTEN_OVERFLOW',
    );
    if (traced) {
      evidence.push(
        supports('weak', 'kernelTrace', 'the kernel dropped the ACK with TCP_LISTEN_OVERFLOW, as it does for both'),
      );
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `The server answered ${clientName(attempt)} with a SYN-ACK and has no route back any more, so it ignores the ACK and the client hangs`;
  },
  remedies(facts) {
    const way = wayBack(facts);
    return [
      {
        id: 'add-route',
        title:
          way === undefined
            ? 'Give the server its route back to the client again, and find out what removes it'
            : `Give the server its route back to the client again: ${way.reason}`,
        risk: 'medium',
        auto: way === undefined ? 'never' : 'with-consent',
        changes: [addRoute(facts, way)],
      },
    ];
  },
  explanation: `
When the final ACK comes the kernel looks up the route once more, for the new socket. When it has vanished since the SYN-ACK (a flapping link, a routing daemon, a lease that was renewed), the
ACK is dropped. The client is connected and its data die.

\`ListenDrops\` and \`OutNoRoutes\` grow by one for each ACK and each segment of data; \`ListenOverflows\` stands still. The kernel nevertheless reports the drop reason
TCP_LISTEN_OVERFLOW. On IPv4 \`PassiveOpens\` and \`AttemptFails\` move as well.

Be sure: \`ip route get CLIENT from SERVER\` fails now although a SYN-ACK was sent, and \`ip monitor route\` (or the journal) shows the deletion.

Linux 6.18: \`tcp_v4_syn_recv_sock()\` → \`inet_csk_route_child_sock()\`, \`tcp_v6_syn_recv_sock()\` → \`inet6_csk_route_req()\` return NULL.
`,
  confusedWith: [
    { id: 'accept-queue-overflow-ack', toldApartBy: 'there ListenOverflows moves, and there is a route' },
    { id: 'no-return-route', toldApartBy: 'there no SYN-ACK was ever sent' },
    { id: 'final-ack-lost', toldApartBy: 'there the ACK does not arrive' },
  ],
  scenario: {
    requires: ['nft'],
    plan: ({ ip, port, family, serverDevice }) => ({
      steps: [
        ...(family === 4
          ? [
              {
                on: 'server' as const,
                sysctl: { 'net.ipv4.conf.all.rp_filter': 0, [`net.ipv4.conf.${serverDevice}.rp_filter`]: 0 },
              },
            ]
          : []),
        {
          on: 'router',
          nft: nftChain({ hook: 'forward' }, `tcp dport ${port} tcp flags & (syn|ack) == ack counter drop`),
        },
      ],
      attempt: { send: 'hello', readMs: 4000 },
      meanwhile: [
        // As often as the client tries: with a flush it does not matter whether it is gone already.
        { afterMs: 250, step: { on: 'server', run: [...ip, 'route', 'flush', 'exact', 'default'] } },
        { afterMs: 400, step: { on: 'router', run: ['nft', 'flush', 'ruleset'] } },
      ],
    }),
  },
  examples: [
    {
      name: 'the ACK and data arrive, and there is no route any more',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>data', '>data'),
        outgoingRoute: NO_ROUTE_BACK,
        counters: { ...exampleCounters({ TcpExtListenDrops: 2, IpOutNoRoutes: 3 }), now: { TcpExtListenOverflows: 0 } },
        sockets: { ...HEALTHY_LISTENER, exact: HALF_OPEN },
      },
      expect: 'confirmed',
    },
    {
      name: 'there is a route',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
    {
      name: 'the accept queue overflowed as well',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        outgoingRoute: NO_ROUTE_BACK,
        counters: exampleCounters({ TcpExtListenDrops: 2, TcpExtListenOverflows: 2 }),
      },
      expect: 'likely',
    },
  ],
  references: [
    'net/ipv4/inet_connection_sock.c: inet_csk_route_child_sock()',
    'net/ipv4/tcp_ipv4.c: tcp_v4_syn_recv_sock()',
  ],
});
