import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { clientSaw, serverSaw, waiting } from './shared-example-handshakes.ts';
import { exampleCounters } from './shared-examples.ts';
import { afterSynAck, answeredHere, serverMissesAck } from './shared-final-ack.ts';
import { clientName, stoodStill } from './shared-silence.ts';

const COUNTER = 'TcpExtTCPDeferAcceptDrop';

export const cause: Cause = defineCause({
  id: 'defer-accept',
  title: 'The listener waits for data before it accepts (TCP_DEFER_ACCEPT), and the client sends none',
  place: 'server',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['counters', 'sockets'],
  assess({ attempt, counters, sockets }) {
    if (attempt.side === 'client') {
      return serverMissesAck(attempt)
        ? [supports('strong', 'attempt', 'connect() succeeded, and the server goes on repeating its SYN-ACK')]
        : [];
    }
    if (!answeredHere(attempt)) return [];
    const { acks, synAcksAfterAck } = afterSynAck(attempt);
    if (acks === 0) return [contradicts('conclusive', 'attempt', 'no ACK of the client arrived')];
    if (!watched(attempt, counters)) return [];
    if (stoodStill(counters, COUNTER)) {
      return [contradicts('conclusive', 'counters', 'TCPDeferAcceptDrop +0: no ACK was put off')];
    }
    const deferred = grown(counters, COUNTER);
    if (deferred === 0) return [];
    const halfOpen = sockets?.exact?.state === 'SYN-RECV' || synAcksAfterAck > 0;
    const evidence: CauseEvidence[] = [
      supports(
        halfOpen ? 'conclusive' : 'strong',
        'counters',
        `TCPDeferAcceptDrop +${deferred}: the bare ACK of the client was put off until it sends data`,
      ),
    ];
    if (halfOpen) {
      evidence.push(
        supports('moderate', 'sockets', 'the connection is half-open here (SYN-RECV) although the ACK arrived'),
      );
    }
    if (grown(counters, 'TcpExtListenOverflows') > 0) {
      evidence.push(
        contradicts(
          'strong',
          'counters',
          `ListenOverflows +${grown(counters, 'TcpExtListenOverflows')}: an accept queue was full`,
        ),
      );
    }
    const data = attempt.handshake?.segments.some(
      ({ kind, direction }) => kind === 'data' && direction === 'to-server',
    );
    if (data) evidence.push(contradicts('strong', 'attempt', 'the client did send data'));
    return evidence;
  },
  sentence({ attempt, counters }) {
    if (attempt.side === 'client') {
      return `${formatEndpoint(attempt.server)} ignores the bare ACK: it may wait for data first (TCP_DEFER_ACCEPT)`;
    }
    const times = formatQuantity(grown(counters, COUNTER), 'ACK');
    return `The listener on port ${attempt.server.port} accepts connections only with data (TCP_DEFER_ACCEPT), and ${clientName(attempt)} sends none: the kernel put ${times} off`;
  },
  remedies({ sockets }) {
    const name = sockets?.matching[0]?.owners[0]?.name;
    return [
      {
        id: 'accept-at-once',
        title: `Let ${name ?? 'the application'} accept at once, or let the client speak first`,
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Take "deferred" off the listen directive (nginx), AcceptFilter (Apache), "defer-accept" (HAProxy), or TCP_DEFER_ACCEPT in the program; make health checks send something',
          },
        ],
      },
    ];
  },
  explanation: `
A listener with TCP_DEFER_ACCEPT is woken only when data arrive. Until then the kernel ignores the client's bare ACK and keeps the connection half-open; when the time that was
asked for is over it repeats the SYN-ACK, and takes the ACK that answers it. For protocols in which the client speaks first that saves a wake-up. Where the server speaks
first, and for health checks that only connect, it is a silence of seconds.

Be sure: \`TCPDeferAcceptDrop\` grows by one for each ACK that is put off, and \`ss -tan\` shows the tuple in SYN-RECV while the client says ESTAB.

Linux 6.18: \`tcp_check_req()\` (\`rskq_defer_accept\`), \`syn_ack_recalc()\`; the packet is freed with NOT_SPECIFIED, which is no fault.
`,
  confusedWith: [
    { id: 'final-ack-lost', toldApartBy: 'there the ACK does not arrive at the server' },
    { id: 'accept-queue-overflow-ack', toldApartBy: 'there ListenOverflows moves' },
    {
      id: 'listener-process-stopped',
      toldApartBy: 'there the connection is established and waits in the accept queue',
    },
  ],
  scenario: {
    plan: () => ({
      // IPPROTO_TCP, TCP_DEFER_ACCEPT: three seconds.
      listener: { options: [{ level: 6, option: 9, value: 3 }] },
      steps: [],
      attempt: { readMs: 2500 },
      // From the client it is one of several that look alike: none may stand out.
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'the ACK was put off',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: exampleCounters({ TcpExtTCPDeferAcceptDrop: 1 }),
        sockets: waiting(0, 511),
      },
      expect: 'confirmed',
    },
    {
      name: 'nothing was put off: the queue is full',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: {
          ...exampleCounters({ TcpExtListenOverflows: 1 }),
          now: { TcpExtTCPDeferAcceptDrop: 7, TcpExtListenOverflows: 1 },
        },
        sockets: waiting(129, 128),
      },
      expect: 'ruled-out',
    },
    {
      name: 'an ACK was put off, perhaps that of another connection: this one sent data',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>data', '<syn-ack'),
        counters: exampleCounters({ TcpExtTCPDeferAcceptDrop: 1 }),
        sockets: waiting(0, 511),
      },
      expect: 'likely',
    },
    {
      name: 'from the client it is one of several that look alike',
      given: {
        attempt: clientSaw('half-open', { elapsedMs: 3, afterwards: 'silent' }, '>syn', '<syn-ack', '>ack', '<syn-ack'),
      },
      expect: 'likely',
    },
  ],
  references: ['https://man7.org/linux/man-pages/man7/tcp.7.html', 'net/ipv4/tcp_minisocks.c: tcp_check_req()'],
});
