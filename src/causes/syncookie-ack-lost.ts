import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { serverSaw, waiting } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { afterSynAck, answeredHere } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, stoodStill } from './shared-silence.ts';

const SENT = 'TcpExtSyncookiesSent';
const RECEIVED = 'TcpExtSyncookiesRecv';
/** A server that keeps the SYN repeats its SYN-ACK after one second. */
const REPEATS_AFTER_MS = 1500;

export const cause: Cause = defineCause({
  id: 'syncookie-ack-lost',
  title: 'The final ACK of a SYN cookie is lost, and the server remembers nothing',
  place: 'path',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'surroundings', 'sysctls'],
  assess({ attempt, counters, sockets, surroundings }) {
    if (!answeredHere(attempt) || !watched(attempt, counters)) return [];
    if (stoodStill(counters, SENT)) {
      return [contradicts('conclusive', 'counters', 'SyncookiesSent +0: no SYN was answered with a cookie')];
    }
    const sent = grown(counters, SENT);
    if (sent === 0) return [];
    const { acks, synsAfterSynAck } = afterSynAck(attempt);
    if (acks > 0) return [contradicts('conclusive', 'attempt', 'an ACK of the client arrived')];
    if (sockets?.exact !== undefined) {
      return [contradicts('conclusive', 'sockets', `the server has a socket for it (${sockets.exact.state})`)];
    }
    if (attempt.synAcks > attempt.syns) {
      return [contradicts('strong', 'attempt', 'the SYN-ACK was repeated, which a cookie never is')];
    }
    if (synsAfterSynAck > 0) {
      return [contradicts('strong', 'attempt', 'the client repeats its SYN: it never got the SYN-ACK')];
    }
    const missing = sent - grown(counters, RECEIVED);
    const evidence: CauseEvidence[] = [];
    if (missing > 0) {
      evidence.push(
        supports('moderate', 'counters', `${formatGrowths(counters, [SENT, RECEIVED])}: not every cookie came back`),
      );
    }
    if (attempt.lastedMs >= REPEATS_AFTER_MS || sockets !== undefined) {
      evidence.push(
        supports('moderate', 'sockets', 'the SYN-ACK went out once, no ACK came, and there is no socket for it'),
      );
    }
    if ((surroundings?.floodSources ?? 0) > 0) {
      evidence.push(
        contradicts(
          'strong',
          'surroundings',
          `${surroundings?.floodSources} sources never acknowledge: that is a flood of forged SYNs`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, counters }) {
    return `The server answered ${clientName(attempt)} with a SYN cookie and never saw the ACK (${formatGrowths(counters, [SENT, RECEIVED])}): the client is connected, and the server knows nothing of it`;
  },
  remedies({ sockets }) {
    const backlog = sockets?.matching[0]?.backlog ?? 128;
    return [
      {
        id: 'leave-cookie-mode',
        title: 'Keep the server out of cookie mode: a larger backlog (and somaxconn), so that SYNs are remembered',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: 'net.core.somaxconn', value: String(Math.max(4096, backlog * 2)) }],
      },
      {
        id: 'time-out',
        title: 'Give clients a timeout for the first byte, or keepalives',
        risk: 'low',
        auto: 'never',
        changes: [
          { kind: 'advice', text: 'A client that waits for a greeting of the server waits for ever otherwise' },
        ],
      },
    ];
  },
  explanation: `
With SYN cookies the server remembers nothing of a SYN: everything it needs is in the sequence number of its SYN-ACK, which it never repeats. When the client's ACK is lost and the
client sends nothing (SSH, SMTP, MySQL: the server speaks first), the client is connected to a server that has never heard of it, for ever. When the client speaks first its data carry the
cookie and heal the loss.

Linux sends cookies when the SYN queue is full (\`tcp_syncookies=1\`), or always (2). In a flood of forged SYNs the evidence on the server is the same for every
source, so that synscope calls this likely at most.

Be sure: the client says ESTAB, the server has no socket for the tuple, and \`SyncookiesSent\` grows more than \`SyncookiesRecv\`.

Linux 6.18: \`tcp_conn_request()\` with \`want_cookie\`, \`cookie_v4_init_sequence()\`, \`cookie_v4_check()\`.
`,
  confusedWith: [
    { id: 'final-ack-lost', toldApartBy: 'without cookies the server is in SYN-RECV and repeats its SYN-ACK' },
    { id: 'return-path-lost', toldApartBy: 'there the client repeats its SYN' },
    { id: 'syncookies-failed', toldApartBy: 'there the ACK arrives and is answered with RST' },
  ],
  scenario: {
    requires: ['nft'],
    plan: ({ port }) => ({
      listener: { backlog: 8, then: 'greet' },
      steps: [
        { on: 'server', sysctl: { 'net.ipv4.tcp_syncookies': 2 } },
        {
          on: 'router',
          nft: nftChain({ hook: 'forward' }, `tcp dport ${port} tcp flags & (syn|ack) == ack counter drop`),
        },
      ],
      attempt: { readMs: 3000 },
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'one cookie, no ACK, no socket',
      given: {
        attempt: { ...serverSaw('half-open', '>syn', '<syn-ack'), lastedMs: 3000 },
        counters: exampleCounters({ [SENT]: 1 }),
        sockets: HEALTHY_LISTENER,
      },
      expect: 'likely',
    },
    {
      name: 'the server remembers the SYN',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '<syn-ack'),
        counters: exampleCounters({ [SENT]: 1 }),
        sockets: waiting(0, 128),
      },
      expect: 'ruled-out',
    },
    {
      name: 'no cookie was sent',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack'),
        counters: { ...exampleCounters({}), now: { [SENT]: 900 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
    {
      name: 'a flood',
      given: {
        attempt: { ...serverSaw('half-open', '>syn', '<syn-ack'), lastedMs: 3000 },
        counters: exampleCounters({ [SENT]: 4000, [RECEIVED]: 12 }),
        sockets: HEALTHY_LISTENER,
        surroundings: {
          answered: 4000,
          unanswered: 0,
          reset: 0,
          sameClient: { answered: 1, unanswered: 0, reset: 0 },
          answeredClients: [],
          unansweredClients: [],
          syns: 4000,
          resetsToClient: 0,
          floodSources: 3900,
        },
      },
      expect: 'ruled-out',
    },
  ],
  references: ['RFC 4987 section 3.6', 'https://docs.kernel.org/networking/ip-sysctl.html', 'net/ipv4/syncookies.c'],
});
