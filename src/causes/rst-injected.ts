import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Segment } from '../model/handshake.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { nftChain } from './shared-lab-rules.ts';
import { SILENT_PROBE } from './shared-path-silence.ts';

/** TTLs that systems start with: a packet that still has one has crossed no router. */
const INITIAL_TTLS: ReadonlySet<number> = new Set([64, 128, 255]);

/** The RST that answered, as this client saw it. */
function answeringReset({ handshake, side }: Attempt): Segment | undefined {
  if (side !== 'client') return undefined;
  return handshake?.segments.find(({ kind, direction }) => kind === 'rst' && direction === 'to-client');
}

const SYN = { repeat: 0, copies: 0, seq: 1, ack: 0, payloadBytes: 0 } as const;

function refused(ttl: number): Attempt {
  return {
    ...CLIENT_ATTEMPT,
    syns: 1,
    arrivedTtl: ttl,
    connect: { remote: CLIENT_ATTEMPT.server, local: CLIENT_ATTEMPT.client, errno: 'ECONNREFUSED', elapsedMs: 1 },
    handshake: {
      client: CLIENT_ATTEMPT.client,
      server: CLIENT_ATTEMPT.server,
      outcome: 'refused',
      stage: 'syn',
      segments: [
        { ...SYN, kind: 'syn', direction: 'to-server', frame: 1, timeNs: 0n, flags: 2, ttl: 64 },
        { ...SYN, kind: 'rst', direction: 'to-client', frame: 2, timeNs: 500_000n, ack: 2, flags: 20, ttl },
      ],
      omittedSegments: 0,
      synRetransmissions: 0,
      synAckRetransmissions: 0,
      startedAtNs: 0n,
      endedAtNs: 500_000n,
      encapsulation: [],
      findings: [],
    },
  };
}

export const cause: Cause = defineCause({
  id: 'rst-injected',
  title: 'Something on the way sends a RST in the name of the server',
  place: 'path',
  step: 'path-out',
  sides: ['client', 'server'],
  needs: ['attempt'],
  wants: ['pathProbe'],
  assess({ attempt, pathProbe }) {
    const rst = answeringReset(attempt);
    if (rst === undefined) return [];
    const answer = attempt.handshake?.segments.find(
      ({ kind, direction }) => kind === 'syn-ack' && direction === 'to-client',
    );
    if (answer !== undefined) {
      return answer.ttl === rst.ttl
        ? [contradicts('strong', 'attempt', `the RST has the TTL of the SYN-ACK (${rst.ttl})`)]
        : [
            supports(
              'strong',
              'attempt',
              `the RST came with TTL ${rst.ttl}, the SYN-ACK of the server with TTL ${answer.ttl}`,
            ),
          ];
    }
    const behind = pathProbe?.hops.find(({ ttl, answer }) => ttl === 1 && answer === 'time-exceeded');
    if (INITIAL_TTLS.has(rst.ttl) && behind !== undefined) {
      const statement = `the RST came with TTL ${rst.ttl}: it crossed no router, and a SYN with TTL 1 dies at ${behind.address}, before the server`;
      return [supports('conclusive', 'pathProbe', statement)];
    }
    return [
      supports('weak', 'attempt', `a RST with TTL ${rst.ttl} answered; only the server knows whether it sent it`),
    ];
  },
  sentence({ attempt }) {
    return `Something on the way refused the connection in the name of ${attempt.server.address}: the RST did not come from there`;
  },
  remedies() {
    return [
      {
        id: 'find-sender',
        title:
          'Find what sends it: a firewall that rejects with RST, an intrusion prevention system, a load balancer without a backend',
        risk: 'low',
        auto: 'never',
        changes: [
          { kind: 'advice', text: 'Captures at both ends tell: the server never sent that RST (synscope compare).' },
        ],
      },
    ];
  },
  explanation: `
A RST answers the SYN, and the server did not send it: a firewall that rejects with a reset, deep packet inspection, a load balancer without a healthy backend. \`connect()\` fails with
ECONNREFUSED, exactly as for a closed port.

What gives it away: a TTL that does not fit the distance of the server (or the TTL, IP Identification and options of its SYN-ACKs), and on the server no \`tcp_send_reset\` and no
\`TcpOutRsts\` for that tuple. From the client alone a RST with a plausible TTL cannot be told from a real one.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'the server counts TcpOutRsts' },
    { id: 'netfilter-reject-in', toldApartBy: 'the rule is on the server itself' },
  ],
  scenario: {
    plan: ({ port }) => ({
      steps: [{ on: 'router', nft: nftChain({ hook: 'forward' }, `tcp dport ${port} reject with tcp reset`) }],
      expect: { server: null },
    }),
  },
  examples: [
    { name: 'it crossed no router', given: { attempt: refused(64), pathProbe: SILENT_PROBE }, expect: 'confirmed' },
    { name: 'a plausible TTL', given: { attempt: refused(60) }, expect: 'possible' },
    {
      name: 'the server is next door',
      given: { attempt: refused(64), pathProbe: { hops: [{ ttl: 1, answer: 'rst' }] } },
      expect: 'possible',
    },
    { name: 'silence', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc3360', 'net/ipv4/netfilter/nf_reject_ipv4.c'],
});
