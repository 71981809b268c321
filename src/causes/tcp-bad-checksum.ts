import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening } from './shared-examples-server.ts';
import { perSyn, settledOtherwise } from './shared-refusal.ts';
import { expectedSyns, listenerRefusals, stoodStill, theSyns, tracedSyn } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'tcp-bad-checksum',
  title: 'The SYN arrives with a wrong TCP checksum',
  place: 'path',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'kernelTrace', 'packetFilter'],
  assess({ attempt, counters, sockets, kernelTrace, packetFilter }) {
    const settled = settledOtherwise({ attempt });
    if (settled !== undefined) return settled;
    const evidence = tracedSyn(kernelTrace, { reasons: /^TCP_CSUM$/ });
    if (kernelTrace?.events.some(({ kind }) => kind === 'bad-checksum') === true) {
      evidence.push(
        supports('conclusive', 'kernelTrace', 'the kernel reports a bad TCP checksum for this very attempt'),
      );
    }
    if (!watched(attempt, counters)) return evidence;
    if (stoodStill(counters, 'TcpInCsumErrors')) {
      evidence.push(contradicts('conclusive', 'counters', 'TcpInCsumErrors did not move'));
      return evidence;
    }
    const bad = grown(counters, 'TcpInCsumErrors');
    if (bad === 0) return evidence;
    // Without a tracepoint the counter has no tuple: it decides only where it fits exactly and the SYN got no further and no less far.
    const onlyThis =
      bad === expectedSyns(attempt) &&
      stoodStill(counters, 'TcpExtListenDrops') &&
      listenerRefusals(sockets) === 0 &&
      packetFilter?.passes.includes('syn-in') === true;
    const weight = bad < expectedSyns(attempt) ? 'moderate' : onlyThis ? 'conclusive' : 'strong';
    const said = formatGrowths(counters, ['TcpInCsumErrors', 'TcpInErrs']);
    evidence.push(supports(weight, 'counters', `${said}: ${perSyn(attempt, [bad])}`));
    if (onlyThis) {
      evidence.push(supports('moderate', 'packetFilter', 'no rule stops the SYN, and it did not reach the listener'));
    }
    if ((listenerRefusals(sockets) ?? 0) >= expectedSyns(attempt)) {
      evidence.push(
        contradicts('strong', 'sockets', `the listener itself refused ${theSyns(attempt)}: its checksum was good`),
      );
    }
    return evidence;
  },
  sentence({ attempt, counters }) {
    const bad = grown(counters, 'TcpInCsumErrors');
    const said = bad > 0 ? ` (TcpInCsumErrors +${bad})` : '';
    return `The SYNs of ${attempt.client.address} arrive with a wrong TCP checksum, so the kernel drops them without an answer${said}`;
  },
  remedies: () => [
    {
      id: 'sender-without-offload',
      title:
        'On the sender, or on the host that changed the packet: leave the checksum to software until the device is repaired',
      risk: 'medium',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'ethtool -K DEVICE tx off on the sending side; a translation that does not correct checksums must be repaired where it is done',
        },
      ],
    },
  ],
  explanation: `
TCP verifies the checksum of each segment before it looks for a socket. A wrong one is dropped without an answer: \`tcp_v4_rcv()\` → \`skb_checksum_init()\`
(\`tcp_v6_rcv()\` likewise), label \`csum_error\`. \`TcpInCsumErrors\` and \`TcpInErrs\` move, the drop reason is \`TCP_CSUM\`, and the tracepoint
\`tcp:tcp_bad_csum\` gives the addresses and ports. Neither \`ListenDrops\` nor the drops of the listener move.

It comes from checksum offload that does not work between virtual machines, from translation that does not correct the checksum, and from broken hardware.

Be sure: a capture **on the receiver** shows "cksum incorrect" for the SYN. On the sender the same words mean nothing: the device fills in the checksum after the capture.

With connection tracking and a rule \`ct state invalid drop\`, the packet filter drops it first; then only \`nf_conntrack.invalid\` moves.
`,
  confusedWith: [
    { id: 'conntrack-invalid-syn', toldApartBy: 'connection tracking drops it first; TcpInCsumErrors stands still' },
    { id: 'netfilter-drop-in', toldApartBy: 'no counter of TCP moves there' },
  ],
  scenario: {
    plan: () => ({
      steps: [],
      attempt: { on: 'client', send: { flags: 'S', badTcpChecksum: true } },
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'the tracepoint names the attempt',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        counters: exampleCounters({ TcpInCsumErrors: 1, TcpInErrs: 1 }),
        kernelTrace: { events: [{ kind: 'bad-checksum', cpu: 0, timeUs: 10 }], drops: [], overrun: false },
      },
      expect: 'confirmed',
    },
    {
      name: 'no tracepoint, but exactly one error for each SYN, and the listener saw none',
      given: {
        attempt: FOUR_SYNS,
        counters: exampleCounters({ TcpInCsumErrors: 4, TcpInErrs: 4 }, 'TcpExtListenDrops'),
        sockets: listening(),
        packetFilter: PASSING_FILTER,
      },
      expect: 'confirmed',
    },
    {
      name: 'checksum errors of other connections as well: not tied to this attempt',
      given: {
        attempt: FOUR_SYNS,
        counters: exampleCounters({ TcpInCsumErrors: 90, TcpInErrs: 90 }),
        sockets: listening(),
      },
      expect: 'likely',
    },
    {
      name: 'the listener refused each SYN itself',
      given: {
        attempt: FOUR_SYNS,
        counters: exampleCounters({ TcpInCsumErrors: 4, TcpInErrs: 4, TcpExtListenDrops: 4 }),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the counter stands still',
      given: { attempt: FOUR_SYNS, counters: exampleCounters({}, 'TcpInCsumErrors') },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/checksum-offloads.html', 'net/ipv4/tcp_ipv4.c: tcp_v4_rcv()'],
});
