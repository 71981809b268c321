import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { ANSWERED_BY_ACK, SYN_OPTIONS, withOldSocket } from './shared-example-old-sockets.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';
import { answeredByAck, oldSocket, settledWithoutOldSocket } from './shared-old-socket.ts';
import { stoodStill, tracedSyn } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'timewait-paws',
  title: 'The SYN meets a connection in TIME-WAIT, and its timestamp is older',
  place: 'path',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'kernelTrace'],
  assess({ attempt, sockets, counters, kernelTrace }) {
    const settled = settledWithoutOldSocket(attempt);
    if (settled !== undefined) return settled;
    if (attempt.synOptions?.timestamps === false && attempt.synOptions.cut !== true) {
      return [contradicts('conclusive', 'attempt', 'the SYN has no timestamp')];
    }
    const traced = tracedSyn(kernelTrace, { reasons: /^TCP_RFC7323_TW_PAWS$/ });
    if (traced.some(({ bearing }) => bearing === 'contradicts')) return traced;
    const moved = watched(attempt, counters) ? grown(counters, 'TcpExtPAWSTimewait') : 0;
    if (traced.length === 0 && moved === 0) {
      return stoodStill(counters, 'TcpExtPAWSTimewait')
        ? [
            contradicts(
              'conclusive',
              'counters',
              'PAWSTimewait did not move: no SYN was too old for a connection in TIME-WAIT',
            ),
          ]
        : [];
    }
    const socket = oldSocket(sockets, /^TIME-WAIT$/);
    const evidence: CauseEvidence[] = [...traced];
    if (watched(attempt, counters) && moved > 0) {
      const sure = socket !== undefined && answeredByAck(attempt);
      evidence.push(
        supports(
          sure ? 'conclusive' : 'moderate',
          'counters',
          `${formatGrowths(counters, ['TcpExtPAWSTimewait'])}: the timestamp of a SYN was older than that of its connection in TIME-WAIT`,
        ),
      );
    }
    if (socket !== undefined) {
      evidence.push(supports('strong', 'sockets', `a connection with the same addresses and ports is in TIME-WAIT`));
    }
    if (answeredByAck(attempt)) evidence.push(supports('strong', 'attempt', 'an ACK answered the SYN, not a SYN-ACK'));
    else evidence.push(contradicts('moderate', 'attempt', 'no ACK answered the SYN'));
    return evidence;
  },
  sentence({ attempt }) {
    const { client, server } = attempt;
    return `SYNs of ${client.address} port ${client.port} meet a connection of the same ports in TIME-WAIT on port ${server.port} and have an older timestamp, so the server answers with ACK instead of SYN-ACK`;
  },
  remedies: () => [
    {
      id: 'let-acks-pass',
      title:
        'Let the ACK and the RST that follows pass the firewalls: the client then clears the way itself within a second',
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'net.ipv4.tcp_rfc1337=0 on the server (the default), so that the RST ends TIME-WAIT; let the client close first, and choose its ports at random.',
        },
      ],
    },
  ],
  explanation: `
The side that closes first keeps the connection in TIME-WAIT for 60 s. A new SYN with the same addresses and ports is welcome when it is clearly newer: \`tcp_timewait_state_process()\` takes it when
its sequence number or timestamp is ahead. When the **timestamp is older** than the last one (the client rebooted, several clients behind one translated address, a device that rewrites
timestamps) it is refused, and the server answers with the ACK of the old connection.

A real client answers that ACK with RST, the RST ends TIME-WAIT (unless \`net.ipv4.tcp_rfc1337=1\`), and the repeated SYN succeeds a second later. When a firewall drops the ACK or the RST, the client times out.

\`PAWSTimewait\` moves; the drop reason is \`TCP_RFC7323_TW_PAWS\` (Linux 6.15 or so), \`NOT_SPECIFIED\` before. Be sure: \`ss -tan state time-wait\` has the addresses and ports, and a capture shows SYN answered by ACK.
`,
  confusedWith: [
    { id: 'timewait-old-sequence', toldApartBy: 'the SYN has no timestamp, and PAWSTimewait stands still' },
    { id: 'half-open-established', toldApartBy: 'the old connection is still ESTABLISHED, and TCPSYNChallenge moves' },
    { id: 'synack-bad-ack', toldApartBy: 'there it is a SYN-ACK, with a wrong acknowledgement' },
  ],
  scenario: {
    plan: ({ port }) => ({
      listener: { then: 'close' },
      steps: [
        // Timestamps without a random offset: a small one is older then.
        { on: 'client', sysctl: { 'net.ipv4.tcp_timestamps': 2 } },
        { on: 'client', connect: { sourcePort: 30_001, readMs: 500, then: 'close' } },
        { waitMs: 200 },
        { on: 'client', nft: nftChain({ hook: 'output' }, `tcp dport ${port} tcp flags & rst == rst drop`) },
      ],
      attempt: {
        on: 'client',
        send: { flags: 'S', sourcePort: 30_001, seq: 5, tcpOptions: '020405b40101080a0000000500000000' },
      },
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'in TIME-WAIT, PAWSTimewait moves, an ACK answers',
      given: {
        attempt: { ...ANSWERED_BY_ACK, synOptions: SYN_OPTIONS },
        sockets: withOldSocket('TIME-WAIT'),
        counters: exampleCounters({ TcpExtPAWSTimewait: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'PAWSTimewait moved for another connection',
      given: {
        attempt: { ...ANSWERED_BY_ACK, sightings: [] },
        sockets: listening(),
        counters: exampleCounters({ TcpExtPAWSTimewait: 1 }),
      },
      expect: 'not-indicated',
    },
    {
      name: 'a SYN without timestamps: timewait-old-sequence',
      given: {
        attempt: { ...ANSWERED_BY_ACK, synOptions: { ...SYN_OPTIONS, timestamps: false } },
        sockets: withOldSocket('TIME-WAIT'),
        counters: exampleCounters({}, 'TcpExtPAWSTimewait'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the old connection is still established',
      given: {
        attempt: { ...ANSWERED_BY_ACK, synOptions: SYN_OPTIONS },
        sockets: withOldSocket('ESTAB'),
        counters: exampleCounters({ TcpExtTCPSYNChallenge: 1 }, 'TcpExtPAWSTimewait'),
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc7323#section-5',
    'https://www.rfc-editor.org/rfc/rfc6191',
    'net/ipv4/tcp_minisocks.c: tcp_timewait_state_process()',
  ],
});
