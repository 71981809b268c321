import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening } from './shared-examples-server.ts';
import { takerName } from './shared-listener.ts';
import { countedBeforeListener, settledOtherwise } from './shared-refusal.ts';
import { tracedSyn } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'min-ttl',
  title: 'The SYN has travelled further than the listener allows (minimum TTL)',
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'kernelTrace'],
  assess({ attempt, counters, sockets, kernelTrace }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    const { arrivedTtl } = attempt;
    if (arrivedTtl === 255) {
      return [contradicts('conclusive', 'attempt', 'the SYN arrives with TTL 255, which no minimum can exceed')];
    }
    const evidence = [
      ...tracedSyn(kernelTrace, { reasons: /^TCP_MINTTL$/ }),
      ...countedBeforeListener({ attempt, counters, sockets }, ['TcpExtTCPMinTTLDrop']),
    ];
    const supported = evidence.some(({ bearing }) => bearing === 'supports');
    if (supported && arrivedTtl !== undefined) {
      evidence.push(supports('moderate', 'attempt', `the SYN arrives with TTL ${arrivedTtl}`));
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    const { client, arrivedTtl } = attempt;
    const ttl = arrivedTtl === undefined ? 'too small a TTL' : `TTL ${arrivedTtl}`;
    const who = sockets === undefined ? `the listener on port ${attempt.server.port}` : takerName(sockets, attempt);
    return `SYNs of ${client.address} arrive with ${ttl}, less than ${who} demands, so the kernel drops them without an answer`;
  },
  remedies: () => [
    {
      id: 'allow-more-hops',
      title: 'Allow as many hops as there are, on both sides of the session',
      risk: 'medium',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'BGP: "ttl-security hops N" (bird: "ttl security", with "multihop"), equal on both peers; the sender must send with TTL 255.',
        },
      ],
    },
  ],
  explanation: `
A program can demand that packets have come no further than so many hops: socket option \`IP_MINTTL\` or \`IPV6_MINHOPCOUNT\`, the "TTL security" of BGP (RFC 5082). A sender
that does not send with TTL 255, or a path with one hop more than configured, falls below it.

\`tcp_v4_rcv()\` compares \`ip4_min_ttl\` (IPv6: \`min_hopcount\` in \`tcp_v6_rcv()\`) after it has found the listener: \`TCPMinTTLDrop\` and the listener's own drops (\`ss -ltnm\`, \`d\`)
move, \`ListenDrops\` does not; the drop reason is \`TCP_MINTTL\`.

Be sure: a capture with \`-v\` shows the TTL of the SYN. The demanded value cannot be read with \`ss\`: it is in the program's configuration.
`,
  confusedWith: [
    { id: 'netfilter-drop-in', toldApartBy: 'no counter of TCP moves, nor do the drops of the listener' },
    { id: 'md5-mismatch', toldApartBy: 'another counter; BGP often uses both' },
    { id: 'socket-filter', toldApartBy: 'the drops of the listener move there without any counter' },
  ],
  scenario: {
    plan: ({ family }) => ({
      // IP_MINTTL, IPV6_MINHOPCOUNT
      listener:
        family === 4
          ? { address: '0.0.0.0', options: [{ level: 0, option: 21, value: 255 }] }
          : { address: '::', options: [{ level: 41, option: 73, value: 255 }] },
      steps: [],
    }),
  },
  examples: [
    {
      name: 'four SYNs with TTL 63',
      given: {
        attempt: { ...FOUR_SYNS, arrivedTtl: 63 },
        counters: exampleCounters({ TcpExtTCPMinTTLDrop: 4 }, 'TcpExtListenDrops'),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'another listener moved the counter',
      given: {
        attempt: { ...FOUR_SYNS, arrivedTtl: 63 },
        counters: exampleCounters({ TcpExtTCPMinTTLDrop: 4 }, 'TcpExtListenDrops'),
        sockets: listening({ dropsDelta: 0 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the counter stands still',
      given: { attempt: FOUR_SYNS, counters: exampleCounters({}, 'TcpExtTCPMinTTLDrop'), sockets: listening() },
      expect: 'ruled-out',
    },
    {
      name: 'the SYN has TTL 255',
      given: { attempt: { ...FOUR_SYNS, arrivedTtl: 255 }, counters: exampleCounters({ TcpExtTCPMinTTLDrop: 4 }) },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc5082', 'https://man7.org/linux/man-pages/man7/ip.7.html'],
});
