import { type Cause, type CauseEvidence, contradicts, defineCause, type Remedy, supports } from '../model/cause.ts';
import { grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import type { Listener } from '../model/facts/sockets.ts';
import {
  fullListeners,
  hindranceOf,
  isFull,
  longerQueue,
  overflowEvidence,
  ownerState,
  stuckMembers,
} from './shared-accept-queue.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, processName } from './shared-listener.ts';
import { expectedSyns } from './shared-silence.ts';

const FULL = listening({ acceptQueue: 512, backlog: 511, dropsDelta: 4 });
const OVERFLOWS = exampleCounters({ TcpExtListenOverflows: 4, TcpExtListenDrops: 4 });

/** What explains the full queue better than a slow program; that is a cause of its own. */
function betterKnown(full: readonly Listener[], stuck: readonly Listener[]): CauseEvidence | undefined {
  const hindered = full.find((listener) => hindranceOf(listener) !== undefined);
  const owner = hindered?.owners[0];
  if (hindered !== undefined && owner !== undefined) {
    return contradicts('strong', 'sockets', `${processName(hindered)} cannot accept at all: ${ownerState(owner)}`);
  }
  const [member] = stuck;
  return member === undefined
    ? undefined
    : contradicts(
        'strong',
        'sockets',
        `only the listener of ${processName(member)} is full; others of its group have room`,
      );
}

export const cause: Cause = defineCause({
  id: 'accept-queue-full',
  title: 'The accept queue of the listener is full',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'sysctls'],
  assess({ attempt, sockets, counters, sysctls }) {
    const evidence = overflowEvidence({ attempt, counters, sockets });
    if (!evidence.some(({ bearing }) => bearing === 'supports')) return evidence;
    const better = betterKnown(fullListeners(sockets), stuckMembers(sockets));
    if (better !== undefined) evidence.push(better);
    if (watched(attempt, counters) && grown(counters, 'TcpExtTCPReqQFullDrop') >= expectedSyns(attempt)) {
      evidence.push(
        contradicts('strong', 'counters', 'the SYN queue was full as well, and it is asked first (TCPReqQFullDrop)'),
      );
    }
    const full = fullListeners(sockets)[0];
    const somaxconn = sysctlNumber(sysctls, 'net.core.somaxconn');
    if (full !== undefined && full.backlog === somaxconn) {
      evidence.push(supports('weak', 'sysctls', `net.core.somaxconn bounds the queue to ${somaxconn}`));
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    const listener = fullListeners(sockets)[0] ?? sockets.matching[0];
    const { server } = attempt;
    if (listener === undefined)
      return `The accept queue of port ${server.port} overflows, so the kernel drops SYNs without an answer`;
    const waiting = isFull(listener)
      ? `${listener.acceptQueue} connections wait in a queue for ${listener.backlog}`
      : `its queue for ${listener.backlog} overflowed when the SYNs came`;
    return `${listenerName(listener)} does not accept its connections fast enough: ${waiting}, so the kernel drops SYNs without an answer`;
  },
  remedies({ sockets, sysctls }) {
    const listener = fullListeners(sockets)[0] ?? sockets.matching[0];
    const who = listener?.owners[0]?.name ?? 'the program';
    const backlog = listener?.backlog ?? 128;
    const somaxconn = sysctlNumber(sysctls, 'net.core.somaxconn') ?? 4096;
    const accept: Remedy = {
      id: 'accept-faster',
      title: `Find out why ${who} does not accept: it is slow, blocked, or has too few workers`,
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: `ss -ltn shows Recv-Q above Send-Q for as long as it lasts. A longer queue only helps against bursts: the backlog that ${who} gives to listen() is ${backlog}.`,
        },
      ],
    };
    return [accept, longerQueue(listener, somaxconn)];
  },
  explanation: `
Connections whose handshake is complete wait in the accept queue until the program calls \`accept()\`. The queue takes backlog + 1 of them (\`sk_acceptq_is_full()\`); the backlog
is what the program gave to \`listen()\`, at most \`net.core.somaxconn\` at that moment (128 before Linux 5.4, 4096 since).

While it is full, \`tcp_conn_request()\` drops every SYN without an answer. \`ListenOverflows\` and \`ListenDrops\` move by one for each; with SYN cookies
\`TCPReqQFullDoCookies\` may move as well. The skb is consumed: no drop reason. Since Linux 4.10 this is strict; before, a SYN was still taken while few requests were young.

Be sure: \`ss -ltn sport = :PORT\` shows Recv-Q above Send-Q, and \`nstat -az TcpExtListenOverflows\` rises with the SYNs. Sampled with some luck the
queue may look fine: the counters and the drops of the listener (\`ss -ltnm\`, \`d\`) tell.

The final ACK of a handshake that began earlier is dropped in the same way: the client is connected then and waits (\`accept-queue-overflow-ack\`).
`,
  confusedWith: [
    { id: 'syn-queue-full', toldApartBy: 'TCPReqQFullDrop moves there, ListenOverflows here' },
    { id: 'no-return-route', toldApartBy: 'ListenDrops moves there as well, but ListenOverflows does not' },
    { id: 'accept-emfile', toldApartBy: 'the process has as many files open as it may' },
    { id: 'listener-process-stopped', toldApartBy: 'the process is stopped or frozen' },
    { id: 'reuseport-stuck-member', toldApartBy: 'only one listener of a group is full' },
    { id: 'accept-queue-overflow-ack', toldApartBy: 'there the SYN is answered and the final ACK is dropped' },
  ],
  scenario: {
    plan: () => ({
      listener: { backlog: 1, accept: 'never' },
      steps: [{ on: 'client', connect: { count: 2 } }],
    }),
  },
  examples: [
    {
      name: 'full, and one overflow for each SYN',
      given: { attempt: FOUR_SYNS, sockets: FULL, counters: OVERFLOWS },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: full now',
      given: { attempt: SUPPOSED, sockets: listening({ acceptQueue: 2, backlog: 1 }) },
      expect: 'confirmed',
    },
    {
      name: 'drained since, but every drop of the namespace was an overflow and the listener counts them',
      given: { attempt: FOUR_SYNS, sockets: listening({ dropsDelta: 4 }), counters: OVERFLOWS },
      expect: 'confirmed',
    },
    {
      name: 'exactly full is not too full: backlog + 1 connections fit',
      given: { attempt: SUPPOSED, sockets: listening({ acceptQueue: 511, backlog: 511 }) },
      expect: 'ruled-out',
    },
    {
      name: 'ListenDrops without overflow: no-return-route and others',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: exampleCounters({ TcpExtListenDrops: 4, Ip6OutNoRoutes: 4 }, 'TcpExtListenOverflows'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'another port overflows, this listener refused nothing',
      given: { attempt: FOUR_SYNS, sockets: listening(), counters: OVERFLOWS },
      expect: 'ruled-out',
    },
    {
      name: 'the process is stopped: that is the cause',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ acceptQueue: 512, dropsDelta: 4, owners: [{ pid: 811, name: 'nginx', state: 'T' }] }),
        counters: OVERFLOWS,
      },
      expect: 'likely',
    },
    {
      name: 'the process has no free file descriptor: that is the cause',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({
          acceptQueue: 512,
          dropsDelta: 4,
          owners: [{ pid: 811, name: 'nginx', openFiles: 1024, openFilesLimit: 1024 }],
        }),
        counters: OVERFLOWS,
      },
      expect: 'likely',
    },
    {
      name: 'the SYN was answered',
      given: { attempt: { ...FOUR_SYNS, synAcks: 1 }, sockets: FULL, counters: OVERFLOWS },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://blog.cloudflare.com/syn-packet-handling-in-the-wild/',
    'https://man7.org/linux/man-pages/man2/listen.2.html',
    'net/ipv4/tcp_input.c: tcp_conn_request()',
  ],
});
