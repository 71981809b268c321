import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { CONNECTED_ATTEMPT } from './shared-client.ts';

/** Segments above this size are the first ones that a smaller path can lose. */
const LARGE_BYTES = 1000;

function withData(repeats: number): Attempt {
  const base = { copies: 0, ack: 9, flags: 24, ttl: 64, direction: 'to-server' } as const;
  return {
    ...CONNECTED_ATTEMPT,
    handshake: {
      client: CONNECTED_ATTEMPT.client,
      server: CONNECTED_ATTEMPT.server,
      outcome: 'established',
      stage: 'established',
      segments: Array.from({ length: repeats + 1 }, (_, repeat) => ({
        ...base,
        kind: 'data' as const,
        frame: 4 + repeat,
        timeNs: BigInt(repeat) * 200_000_000n,
        repeat,
        seq: 2,
        payloadBytes: 1448,
      })),
      omittedSegments: 0,
      synRetransmissions: 0,
      synAckRetransmissions: 0,
      startedAtNs: 0n,
      endedAtNs: 1_000_000_000n,
      encapsulation: [],
      findings: [],
    },
  };
}

export const cause: Cause = defineCause({
  id: 'pmtu-blackhole',
  title: 'Large packets are lost on the way: a path MTU black hole',
  place: 'path',
  step: 'after',
  sides: ['client', 'server'],
  needs: ['attempt'],
  wants: ['counters'],
  assess({ attempt, counters }) {
    const { handshake } = attempt;
    if (handshake === undefined) return [];
    const large = handshake.segments.filter(
      ({ kind, payloadBytes, repeat }) => kind === 'data' && payloadBytes > LARGE_BYTES && repeat > 1,
    );
    const told = attempt.icmpErrors.find(({ mtuBytes }) => mtuBytes !== undefined);
    if (told !== undefined && large.length === 0) {
      return [
        contradicts(
          'moderate',
          'attempt',
          `${told.from} says that the MTU is ${told.mtuBytes}, so path MTU discovery works`,
        ),
      ];
    }
    const [first] = large;
    if (first === undefined) return [];
    const evidence = [
      supports(
        'strong',
        'attempt',
        `a segment of ${first.payloadBytes} bytes was sent ${large.length + 2} times and never acknowledged, after a handshake that worked`,
      ),
    ];
    if ((counters?.growth.TcpExtTCPMTUPFail ?? 0) > 0)
      evidence.push(supports('moderate', 'counters', 'TCPMTUPFail moved: a probe of the MTU was lost'));
    return evidence;
  },
  sentence({ attempt }) {
    return `The handshake of ${attempt.client.address} with ${attempt.server.address} works, and the first large segment is lost: a path MTU black hole`;
  },
  remedies() {
    return [
      {
        id: 'probe-mtu',
        title: 'Let TCP probe the path MTU by itself; the lasting repair is to let ICMP "fragmentation needed" pass',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_mtu_probing', value: '1' }],
      },
    ];
  },
  explanation: `
The packets of a handshake are small; none of them meets an MTU. The first large segment does (the certificate of a TLS server, a POST): a router with a smaller link drops it and sends ICMP
"fragmentation needed" (3/4) or "packet too big", and something filters that. The sender repeats the large segment for ever: connected, then silence.

Be sure: small transfers work, large ones hang; \`ping -M do -s 1472 ADDRESS\` is not answered while a smaller one is. Told from a lost final ACK by the sockets of the server: here it has
an established one.

Linux 6.18: \`ip_forward()\` drops with PKT_TOO_BIG; \`tcp_mtu_probing=1\` (RFC 4821) finds the size without ICMP.
`,
  confusedWith: [
    { id: 'accept-queue-overflow-ack', toldApartBy: 'the server has no established socket' },
    { id: 'final-ack-lost', toldApartBy: 'the server repeats its SYN-ACK' },
  ],
  scenario: { impossible: 'the handshake works, and the attempt that synscope makes sends no large segment' },
  examples: [
    { name: 'a large segment again and again', given: { attempt: withData(3) }, expect: 'likely' },
    { name: 'no data', given: { attempt: CONNECTED_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc4821', 'https://www.rfc-editor.org/rfc/rfc2923'],
});
