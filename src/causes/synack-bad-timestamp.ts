import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { clientSaw } from './shared-example-handshakes.ts';
import { exampleCounters } from './shared-examples.ts';
import { afterSynAck, sighted } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { stoodStill, tracedSyn } from './shared-silence.ts';

const COUNTER = 'TcpExtPAWSActive';

export const cause: Cause = defineCause({
  id: 'synack-bad-timestamp',
  title: 'The SYN-ACK echoes a timestamp that this host never sent',
  place: 'path',
  step: 'client-tcp-in',
  sides: ['client'],
  needs: ['attempt', 'counters'],
  wants: ['kernelTrace'],
  assess({ attempt, counters, kernelTrace }) {
    if (attempt.side !== 'client' || !watched(attempt, counters)) return [];
    if (stoodStill(counters, COUNTER)) {
      return [contradicts('conclusive', 'counters', 'PAWSActive +0: no SYN-ACK was refused for its timestamp')];
    }
    const refused = grown(counters, COUNTER);
    if (refused === 0) return [];
    if (attempt.captured && attempt.synAcks === 0) {
      return [contradicts('conclusive', 'attempt', 'no SYN-ACK that answers the SYN came to this host')];
    }
    const { connect } = attempt;
    if (connect !== undefined && connect.errno === undefined) {
      return [contradicts('conclusive', 'attempt', 'connect() succeeded')];
    }
    const resets = Math.max(sighted(attempt, 'rst', 'out'), afterSynAck(attempt).clientResets);
    const fits = refused >= Math.max(1, Math.min(attempt.synAcks, resets));
    const evidence: CauseEvidence[] = [
      supports(
        resets > 0 && fits ? 'conclusive' : 'strong',
        'counters',
        `${formatGrowths(counters, [COUNTER, 'TcpOutRsts'])} for ${formatQuantity(attempt.synAcks, 'SYN-ACK')}`,
      ),
    ];
    if (resets > 0) {
      evidence.push(supports('moderate', 'attempt', `this host answered with ${formatQuantity(resets, 'RST')}`));
    }
    return [...evidence, ...tracedSyn(kernelTrace, { reasons: /^TCP_RFC7323_PAWS/, weight: 'strong' }, 'syn-ack')];
  },
  sentence({ attempt, counters }) {
    return `The SYN-ACK of ${formatEndpoint(attempt.server)} echoes a timestamp that this host never sent, so it is reset (PAWSActive +${grown(counters, COUNTER)}): something on the way changes timestamps`;
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
            text: 'Compare TSval of the SYN and TSecr of the SYN-ACK in captures on both sides: load balancers, scrubbers and "normalising" firewalls change them',
          },
        ],
      },
      {
        id: 'without-timestamps',
        title: 'Connect without timestamps until it is repaired (weaker protection against old segments)',
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_timestamps', value: '0' }],
      },
    ];
  },
  explanation: `
A SYN carries a timestamp, and the SYN-ACK must echo it (TSecr). One that echoes something that this host did not send between its first SYN and now is refused with RST, although its numbers are right.
Devices that rewrite timestamps in one direction cause it, and hosts whose clocks for timestamps differ behind one address.

Be sure: \`PAWSActive\` ("active connections rejected because of time stamp") and \`OutRsts\` grow by one for each SYN-ACK that the client's capture shows.

Linux 6.18: \`tcp_rcv_synsent_state_process()\`, PAWSACTIVEREJECTED; drop reason TCP_RFC7323_PAWS.
`,
  confusedWith: [
    { id: 'synack-bad-ack', toldApartBy: 'there the acknowledgement number is wrong, and PAWSActive stands still' },
    { id: 'ack-paws-or-tsecr', toldApartBy: "there the server refuses the client's timestamps" },
    { id: 'rst-on-synack', toldApartBy: 'the same, seen from the server; this says why' },
    { id: 'option-mangling', toldApartBy: 'the device on the way that does it' },
  ],
  scenario: {
    requires: ['nft that can set TCP options'],
    plan: ({ port }) => ({
      steps: [
        {
          on: 'router',
          nft: nftChain(
            { hook: 'forward' },
            `tcp sport ${port} tcp flags & (syn|ack) == syn|ack tcp option timestamp tsecr set 1`,
          ),
        },
      ],
      expect: { server: ['rst-on-synack'] },
    }),
  },
  examples: [
    {
      name: 'each SYN-ACK was refused and reset',
      given: {
        attempt: clientSaw(
          'abandoned',
          { errno: 'ETIMEDOUT', elapsedMs: 3000 },
          '>syn',
          '<syn-ack',
          '>rst',
          '>syn',
          '<syn-ack',
          '>rst',
        ),
        counters: exampleCounters({ [COUNTER]: 2, TcpOutRsts: 2 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'no timestamp was refused',
      given: {
        attempt: clientSaw('abandoned', { errno: 'ETIMEDOUT', elapsedMs: 3000 }, '>syn', '<wrong-syn-ack', '>rst'),
        counters: { ...exampleCounters({ TcpOutRsts: 1 }), now: { [COUNTER]: 2 } },
      },
      expect: 'ruled-out',
    },
    {
      name: 'refused for another connection: this one has no RST',
      given: {
        attempt: clientSaw('half-open', { errno: 'ETIMEDOUT', elapsedMs: 3000 }, '>syn', '<syn-ack', '>syn'),
        counters: exampleCounters({ [COUNTER]: 1 }),
      },
      expect: 'likely',
    },
  ],
  references: ['RFC 7323 section 5', 'net/ipv4/tcp_input.c: tcp_rcv_synsent_state_process()'],
});
