import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import { serverSaw, waiting } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { afterSynAck, answeredHere } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, stoodStill } from './shared-silence.ts';

const KEY = 'net.ipv4.tcp_abort_on_overflow';

export const cause: Cause = defineCause({
  id: 'abort-on-overflow',
  title: 'The accept queue is full, and the kernel is told to reset such connections',
  place: 'server',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt', 'sysctls'],
  wants: ['counters', 'sockets'],
  assess({ attempt, sysctls, counters, sockets }) {
    if (!answeredHere(attempt)) return [];
    const abort = sysctlNumber(sysctls, KEY);
    if (abort === undefined) return [];
    if (abort === 0) return [contradicts('conclusive', 'sysctls', `${KEY} is 0: an overflow resets nothing`)];
    const { acks, serverResets } = afterSynAck(attempt);
    if (acks === 0 || serverResets === 0) {
      const what = acks === 0 ? 'no ACK of the client arrived' : 'this host did not reset the connection';
      return [contradicts('conclusive', 'attempt', what)];
    }
    const evidence: CauseEvidence[] = [
      supports(
        'moderate',
        'sysctls',
        `${KEY} is ${abort}: an ACK that finds the accept queue full is answered with RST`,
      ),
    ];
    if (!watched(attempt, counters)) return evidence;
    if (stoodStill(counters, 'TcpExtListenOverflows')) {
      return [contradicts('conclusive', 'counters', 'ListenOverflows +0: no accept queue overflowed')];
    }
    if (grown(counters, 'TcpExtListenOverflows') > 0 && grown(counters, 'TcpOutRsts') > 0) {
      const growths = formatGrowths(counters, ['TcpExtListenOverflows', 'TcpExtEmbryonicRsts', 'TcpOutRsts']);
      const made = grown(counters, 'TcpEstabResets') === 0;
      evidence.push(
        supports(made ? 'conclusive' : 'strong', 'counters', `${growths}, and the client's ACK was answered with RST`),
      );
    }
    const full = sockets?.matching.find(({ acceptQueue, backlog }) => acceptQueue > backlog);
    if (full !== undefined) {
      evidence.push(
        supports('strong', 'sockets', `the accept queue is full: ${full.acceptQueue} wait where ${full.backlog} may`),
      );
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    const full = sockets?.matching.find(({ acceptQueue, backlog }) => acceptQueue > backlog);
    const queue = full === undefined ? '' : ` (${full.acceptQueue} of ${full.backlog})`;
    return `The accept queue of port ${attempt.server.port} is full${queue}, and with tcp_abort_on_overflow=1 the kernel resets the connection of ${clientName(attempt)}`;
  },
  remedies() {
    return [
      {
        id: 'do-not-abort',
        title: 'Let clients try again instead of resetting them: the queue may drain within seconds',
        risk: 'low',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: KEY, value: '0' }],
      },
      {
        id: 'make-it-accept',
        title: 'Make the application accept faster, and give it a larger backlog',
        risk: 'low',
        auto: 'never',
        changes: [{ kind: 'advice', text: 'See why it does not call accept(): busy, stuck, out of file descriptors' }],
      },
    ];
  },
  explanation: `
With \`tcp_abort_on_overflow=1\` the kernel answers a final ACK that finds the accept queue full with RST, instead of ignoring it and trying again. The client is connected for a
moment and then gets "connection reset by peer". SYNs that come while the queue is full are dropped in silence all the same.

\`ListenOverflows\`, \`ListenDrops\`, \`EmbryonicRsts\` and \`OutRsts\` grow by one for each connection that is reset.

Be sure: the sysctl is 1, \`ListenOverflows\` moves with the RSTs, and \`ss -ltn\` shows Recv-Q above Send-Q for the listener.

Linux 6.18: \`tcp_check_req()\`, labels \`listen_overflow\` and \`embryonic_reset\`; the sysctl exists since 2.4 and is 0 by default.
`,
  confusedWith: [
    { id: 'accept-queue-overflow-ack', toldApartBy: 'there the ACK is ignored, not answered with RST' },
    { id: 'connected-then-reset', toldApartBy: 'there the application had the connection: EstabResets moves' },
    { id: 'rst-injected', toldApartBy: 'there the RST does not leave this host' },
    { id: 'listener-closed-during-handshake', toldApartBy: 'there the listener is gone' },
  ],
  scenario: {
    requires: ['nft with limits'],
    plan: ({ port }) => ({
      // Three connections fit, and two wait already.
      listener: { backlog: 2, accept: 'never' },
      steps: [
        { on: 'client', connect: { count: 2 } },
        { on: 'server', sysctl: { [KEY]: 1 } },
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
    }),
  },
  examples: [
    {
      name: 'an overflow was answered with RST',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'),
        sysctls: { [KEY]: '1' },
        counters: exampleCounters({
          TcpExtListenOverflows: 1,
          TcpExtListenDrops: 1,
          TcpExtEmbryonicRsts: 1,
          TcpOutRsts: 1,
        }),
        sockets: waiting(129, 128),
      },
      expect: 'confirmed',
    },
    {
      name: 'the sysctl is 0',
      given: { attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'), sysctls: { [KEY]: '0' } },
      expect: 'ruled-out',
    },
    {
      name: 'reset without an overflow: the application did it',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'),
        sysctls: { [KEY]: '1' },
        counters: { ...exampleCounters({ TcpOutRsts: 1, TcpEstabResets: 1 }), now: { TcpExtListenOverflows: 3 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/ip-sysctl.html', 'net/ipv4/tcp_minisocks.c: tcp_check_req()'],
});
