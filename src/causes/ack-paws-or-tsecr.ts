import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { serverSaw, waiting } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { afterSynAck, answeredHere } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, stoodStill, tracedSyn } from './shared-silence.ts';

const TSECR = 'TcpExtTSEcrRejected';
const PAWS = 'TcpExtPAWSEstab';

export const cause: Cause = defineCause({
  id: 'ack-paws-or-tsecr',
  title: 'The server refuses the final ACK for its timestamps',
  place: 'path',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'kernelTrace', 'packetFilter'],
  assess({ attempt, counters, sockets, kernelTrace, packetFilter }) {
    if (!answeredHere(attempt) || !watched(attempt, counters)) return [];
    if (stoodStill(counters, TSECR, PAWS)) {
      return [contradicts('conclusive', 'counters', 'TSEcrRejected +0 and PAWSEstab +0: no timestamp was refused')];
    }
    const moved = [TSECR, PAWS].filter((name) => grown(counters, name) > 0);
    if (moved.length === 0) return [];
    const { acks, synAcksAfterAck, serverResets } = afterSynAck(attempt);
    if (acks === 0) return [contradicts('conclusive', 'attempt', 'no ACK of the client arrived')];
    if (serverResets > 0)
      return [contradicts('strong', 'attempt', 'the server reset the connection, which a refused timestamp does not')];
    const halfOpen = sockets?.exact?.state === 'SYN-RECV' || synAcksAfterAck > 0;
    // A SYN proxy moves TSEcrRejected once for each connection, also when all is well; PAWSEstab is of all connections.
    const proxied = packetFilter?.hits.some(({ verdict }) => verdict === 'synproxy') ?? false;
    const others = grown(counters, 'TcpExtListenOverflows', 'TcpExtTCPDeferAcceptDrop') > 0;
    const decisive = grown(counters, TSECR) > 0 && halfOpen && !proxied && !others;
    const evidence: CauseEvidence[] = [
      supports(
        decisive ? 'conclusive' : proxied ? 'weak' : 'strong',
        'counters',
        `${formatGrowths(counters, moved)}, and the ACK of the client arrived without effect`,
      ),
    ];
    if (halfOpen) {
      evidence.push(
        supports(proxied ? 'weak' : 'moderate', 'sockets', 'the connection is still half-open here (SYN-RECV)'),
      );
    } else if (sockets?.exact?.state === 'ESTAB') {
      evidence.push(contradicts('strong', 'sockets', 'the connection is established here'));
    }
    if (others)
      evidence.push(contradicts('moderate', 'counters', 'ListenOverflows or TCPDeferAcceptDrop moved as well'));
    const reasons = /^TCP_RFC7323_(PAWS|TSECR|PAWS_ACK)$/;
    return [...evidence, ...tracedSyn(kernelTrace, { reasons, weight: 'strong' }, 'ack')];
  },
  sentence({ attempt, counters }) {
    const moved = [TSECR, PAWS].filter((name) => grown(counters, name) > 0);
    return `The server refuses the final ACK of ${clientName(attempt)} for its timestamps (${formatGrowths(counters, moved)}): something on the way changes them`;
  },
  remedies() {
    return [
      {
        id: 'find-the-rewriter',
        title: 'Find the device that changes TCP timestamps',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Capture on both sides and compare the options of the ACK: TSval and TSecr must arrive as they were sent; load balancers, scrubbers and "normalising" firewalls change them',
          },
        ],
      },
    ];
  },
  explanation: `
While a connection is half-open the kernel checks the timestamps of the client's ACK: TSval must not be older than that of the SYN (PAWS, RFC 7323), and TSecr must be one that the server
has sent (since about Linux 6.15). An ACK that fails is answered with an ACK and otherwise ignored. A device that rewrites timestamps in one direction only breaks every connection
that way; several clients behind one translated address can do it with reused ports.

The client is connected and hangs: its data fail the same check.

Be sure: \`TSEcrRejected\` or \`PAWSEstab\` grows with the ACKs, and \`ss -tan\` shows the tuple in SYN-RECV although the capture of the server has the ACK.

Linux 6.18: \`tcp_check_req()\`; drop reasons TCP_RFC7323_PAWS, TCP_RFC7323_TSECR. A SYN proxy moves \`TSEcrRejected\` by one for each good connection.
`,
  confusedWith: [
    { id: 'final-ack-lost', toldApartBy: 'there the ACK does not arrive' },
    { id: 'accept-queue-overflow-ack', toldApartBy: 'there ListenOverflows moves' },
    { id: 'synack-bad-timestamp', toldApartBy: "there the client refuses the server's timestamp" },
    { id: 'option-mangling', toldApartBy: 'the device on the way that does it' },
  ],
  scenario: {
    requires: ['nft that can set TCP options', 'Linux 6.15'],
    plan: ({ port }) => ({
      steps: [
        {
          on: 'router',
          nft: nftChain(
            { hook: 'forward' },
            `tcp dport ${port} tcp flags & (syn|ack) == ack tcp option timestamp tsecr set 1`,
          ),
        },
      ],
      attempt: { send: 'hello', readMs: 4000 },
      expect: { place: 'path' },
    }),
  },
  examples: [
    {
      name: 'TSecr was refused, and the connection stays half-open',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: exampleCounters({ [TSECR]: 1 }),
        sockets: waiting(0, 128),
      },
      expect: 'confirmed',
    },
    {
      name: 'PAWS refused something of some connection',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: exampleCounters({ [PAWS]: 1 }),
        sockets: waiting(0, 128),
      },
      expect: 'likely',
    },
    {
      name: 'nothing was refused during the watch',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: { ...exampleCounters({}), now: { [TSECR]: 5, [PAWS]: 2 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
  ],
  references: ['RFC 7323 section 5', 'net/ipv4/tcp_minisocks.c: tcp_check_req()'],
});
