import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { isFull, longerQueue } from './shared-accept-queue.ts';
import { clientSaw, serverSaw, waiting } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { afterSynAck, answeredHere, serverMissesAck } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, stoodStill } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'accept-queue-overflow-ack',
  title: 'The accept queue is full when the final ACK arrives, so the kernel ignores it',
  place: 'server',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['counters', 'sockets', 'sysctls', 'kernelTrace'],
  assess({ attempt, counters, sockets, sysctls, kernelTrace }) {
    if (attempt.side === 'client') {
      return serverMissesAck(attempt)
        ? [supports('strong', 'attempt', 'connect() succeeded, and the server goes on repeating its SYN-ACK')]
        : [];
    }
    if (!answeredHere(attempt)) return [];
    const { acks, synAcksAfterAck } = afterSynAck(attempt);
    if (acks === 0) return [contradicts('conclusive', 'attempt', 'no ACK of the client arrived')];
    if (!watched(attempt, counters)) return [];
    if (stoodStill(counters, 'TcpExtListenOverflows')) {
      return [contradicts('conclusive', 'counters', 'ListenOverflows +0: no accept queue overflowed')];
    }
    const overflows = grown(counters, 'TcpExtListenOverflows');
    if (overflows === 0) return [];
    const full = sockets?.matching.find(isFull);
    const halfOpen = sockets?.exact?.state === 'SYN-RECV' || synAcksAfterAck > 0;
    const decisive = full !== undefined && halfOpen;
    const evidence: CauseEvidence[] = [
      supports(
        decisive ? 'conclusive' : 'strong',
        'counters',
        `ListenOverflows +${overflows}, and ${formatQuantity(acks, 'ACK')} of the client arrived without effect`,
      ),
    ];
    if (full !== undefined) {
      evidence.push(
        supports('strong', 'sockets', `the accept queue is full: ${full.acceptQueue} wait where ${full.backlog} may`),
      );
    } else if (sockets !== undefined && sockets.matching.length > 0) {
      evidence.push(contradicts('moderate', 'sockets', 'the accept queue has room by now'));
    }
    if (sockets?.exact?.state === 'ESTAB') {
      evidence.push(contradicts('strong', 'sockets', 'the connection is established here'));
    } else if (halfOpen) {
      evidence.push(supports('moderate', 'sockets', 'the connection is still half-open here (SYN-RECV)'));
    }
    if (sysctlNumber(sysctls, 'net.ipv4.tcp_abort_on_overflow') === 1 && afterSynAck(attempt).serverResets > 0) {
      evidence.push(
        contradicts('strong', 'sysctls', 'tcp_abort_on_overflow is 1, and the server reset the connection'),
      );
    }
    const traced = kernelTrace?.events.some(
      (event) => event.kind === 'dropped' && event.reason === 'TCP_LISTEN_OVERFLOW',
    );
    if (traced) evidence.push(supports('weak', 'kernelTrace', 'the kernel dropped the ACK with TCP_LISTEN_OVERFLOW'));
    return evidence;
  },
  sentence({ attempt, sockets }) {
    const full = sockets?.matching.find(isFull);
    if (attempt.side === 'client') {
      return `${formatEndpoint(attempt.server)} ignores the final ACK and goes on repeating its SYN-ACK: its accept queue may be full`;
    }
    const queue = full === undefined ? '' : ` (${full.acceptQueue} of ${full.backlog})`;
    const owner = full?.owners[0];
    const who = owner === undefined ? 'the application' : `${owner.name} (process ${owner.pid})`;
    return `The accept queue of port ${attempt.server.port} is full${queue}, so the kernel ignores the final ACK of ${clientName(attempt)}: ${who} does not accept connections fast enough`;
  },
  remedies({ sysctls, sockets }) {
    const listener = sockets?.matching.find(isFull) ?? sockets?.matching[0];
    const somaxconn = sysctlNumber(sysctls, 'net.core.somaxconn') ?? 4096;
    return [
      {
        id: 'make-it-accept',
        title: 'Make the application accept: it is busy, stuck, or short of files or threads',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `See what ${listener?.owners[0]?.name ?? 'the process'} does (top, its log, its open files), and give it more workers`,
          },
        ],
      },
      longerQueue(listener, somaxconn),
    ];
  },
  explanation: `
There was room in the accept queue when the SYN came and none when the final ACK comes. The kernel then ignores the ACK: the client is connected, the server is not. The server
repeats its SYN-ACK, the client's next ACK (or data) tries again, and the connection completes when the application has accepted others meanwhile, at most until
\`tcp_synack_retries\` is used up. Meanwhile data of the client are retransmitted without an answer.

\`ListenOverflows\` and \`ListenDrops\` grow by one for each ACK that is ignored. With a queue that is full already, SYNs are dropped at once: that is \`accept-queue-full\`.

Be sure: \`ss -ltn\` shows Recv-Q above Send-Q for the listener, the tuple is in SYN-RECV while the client has it as ESTAB, and the capture of the server shows the ACK.

Linux 6.18: \`tcp_v4_syn_recv_sock()\` / \`tcp_v6_syn_recv_sock()\` find \`sk_acceptq_is_full()\`, and \`tcp_check_req()\` marks the request as acknowledged; drop reason
TCP_LISTEN_OVERFLOW (about 6.15, NOT_SPECIFIED before).
`,
  confusedWith: [
    {
      id: 'final-ack-lost',
      toldApartBy: 'there the ACK does not arrive at the server, and ListenOverflows stands still',
    },
    {
      id: 'route-lost-before-ack',
      toldApartBy: 'the same drop reason, but there ListenOverflows stands still and OutNoRoutes moves',
    },
    { id: 'accept-queue-full', toldApartBy: 'there the SYN itself is dropped' },
    { id: 'abort-on-overflow', toldApartBy: 'there the server answers the ACK with RST' },
  ],
  scenario: {
    requires: ['nft with limits'],
    plan: ({ port }) => ({
      // Three connections fit, and two wait already.
      listener: { backlog: 2, accept: 'never' },
      steps: [
        { on: 'client', connect: { count: 2 } },
        {
          // The first two ACKs are lost; those that answer the repeated SYN-ACKs pass.
          on: 'router',
          nft: nftChain(
            { hook: 'forward' },
            `tcp dport ${port} tcp flags & (syn|ack) == ack limit rate 1/hour burst 2 packets counter drop`,
          ),
        },
      ],
      // The first of the two takes the third place when its SYN-ACK is repeated; the second one finds the queue full.
      attempt: { count: 2, readMs: 60 },
      // From the client it is one of several that look alike: none may stand out.
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'the ACK arrives at a full queue',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: exampleCounters({ TcpExtListenOverflows: 1, TcpExtListenDrops: 1 }),
        sockets: waiting(129, 128),
      },
      expect: 'confirmed',
    },
    {
      name: 'no queue overflowed',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: { ...exampleCounters({}), now: { TcpExtListenOverflows: 88 } },
        sockets: waiting(0, 128),
      },
      expect: 'ruled-out',
    },
    {
      name: 'a queue overflowed, but this one has room: the SYNs of another port',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: exampleCounters({ TcpExtListenOverflows: 4 }),
        sockets: { ...HEALTHY_LISTENER, exact: waiting(0, 1).connections[0]! },
      },
      expect: 'likely',
    },
    {
      name: 'no ACK arrived',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '<syn-ack'),
        counters: exampleCounters({ TcpExtListenOverflows: 4 }),
        sockets: waiting(129, 128),
      },
      expect: 'ruled-out',
    },
    {
      name: 'from the client it is one of several that look alike',
      given: {
        attempt: clientSaw('half-open', { elapsedMs: 3, afterwards: 'silent' }, '>syn', '<syn-ack', '>ack', '<syn-ack'),
      },
      expect: 'likely',
    },
  ],
  references: [
    'net/ipv4/tcp_minisocks.c: tcp_check_req()',
    'https://docs.kernel.org/networking/snmp_counter.html',
    'man 2 listen',
  ],
});
