import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { nftChain } from './shared-lab-rules.ts';

/** The kernel sends its first SYN again after so long (RFC 6298 section 2). */
const INITIAL_RTO_MS = 1000;

export const cause: Cause = defineCause({
  id: 'application-timeout-too-short',
  title: 'The program gives up before the answer can arrive',
  place: 'client',
  step: 'client-socket',
  sides: ['client', 'server'],
  needs: ['attempt'],
  assess({ attempt }) {
    const { handshake } = attempt;
    if (handshake === undefined || handshake.outcome !== 'abandoned') return [];
    const rst = handshake.segments.find(({ kind, direction }) => kind === 'rst' && direction === 'to-server');
    const answer = handshake.segments.findLast(
      ({ kind, direction, timeNs }) => kind === 'syn-ack' && direction === 'to-client' && timeNs <= (rst?.timeNs ?? 0n),
    );
    if (answer === undefined || rst === undefined) return [];
    if (rst.ack !== 0 && (rst.flags & 0x10) !== 0) return [];
    // The capture of this side shows when the answer passed; before the RST, and late after the SYN.
    const waitedMs = Number(answer.timeNs - handshake.startedAtNs) / 1e6;
    if (waitedMs < 100)
      return [
        contradicts(
          'strong',
          'attempt',
          `the SYN-ACK came after ${Math.round(waitedMs)} ms, which no program calls late`,
        ),
      ];
    const statement = `the SYN-ACK came ${Math.round(waitedMs)} ms after the first SYN, and the client answered it with RST: nobody waited for it any more`;
    return [supports(waitedMs >= INITIAL_RTO_MS ? 'strong' : 'moderate', 'attempt', statement)];
  },
  sentence({ attempt }) {
    const { handshake } = attempt;
    const answer = handshake?.segments.findLast(({ kind }) => kind === 'syn-ack');
    const waited =
      handshake === undefined || answer === undefined
        ? ''
        : ` after ${Math.round(Number(answer.timeNs - handshake.startedAtNs) / 1e6)} ms`;
    return `The program on ${attempt.client.address} had given up when the SYN-ACK came${waited}`;
  },
  remedies() {
    return [
      {
        id: 'longer-timeout',
        title: 'Give connect() at least three seconds: one lost SYN costs one',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Look for the connect timeout of the program; and for why the answer takes so long.',
          },
        ],
      },
    ];
  },
  explanation: `
A program may give up earlier than the kernel does. With a timeout of a second or less, a single lost SYN is a failed connection, because the kernel repeats it only after one second
(RFC 6298). When the SYN-ACK comes after all, there is no socket any more, and the client's kernel answers with a RST; the server counts \`EmbryonicRsts\`.

Be sure: the packets show a SYN-ACK that arrives, late, and a RST from the client right after it.
`,
  confusedWith: [
    { id: 'rst-on-synack', toldApartBy: 'there the SYN-ACK comes at once: a scan, or a spoofed SYN' },
    { id: 'path-firewall-drop-syn', toldApartBy: 'no SYN-ACK comes at all' },
  ],
  scenario: {
    plan: ({ port }) => ({
      // The first SYN-ACK is lost; when the server repeats it after a second, the program has gone.
      steps: [
        {
          on: 'router',
          nft: nftChain(
            { hook: 'forward' },
            `tcp sport ${port} tcp flags & (syn | ack) == (syn | ack) limit rate 1/hour burst 1 packets drop`,
          ),
        },
      ],
      attempt: { patienceMs: 300 },
      expect: { server: ['application-timeout-too-short', 'rst-on-synack'], client: null, place: 'client' },
    }),
  },
  examples: [
    {
      name: 'the answer to the second SYN finds nobody',
      given: {
        attempt: {
          ...CLIENT_ATTEMPT,
          handshake: {
            client: CLIENT_ATTEMPT.client,
            server: CLIENT_ATTEMPT.server,
            outcome: 'abandoned',
            stage: 'syn-ack',
            segments: [
              {
                kind: 'syn',
                direction: 'to-server',
                frame: 1,
                timeNs: 0n,
                repeat: 0,
                copies: 0,
                seq: 1,
                ack: 0,
                flags: 2,
                payloadBytes: 0,
                ttl: 64,
              },
              {
                kind: 'syn-ack',
                direction: 'to-client',
                frame: 2,
                timeNs: 1_040_000_000n,
                repeat: 0,
                copies: 0,
                seq: 9,
                ack: 2,
                flags: 18,
                payloadBytes: 0,
                ttl: 60,
              },
              {
                kind: 'rst',
                direction: 'to-server',
                frame: 3,
                timeNs: 1_040_050_000n,
                repeat: 0,
                copies: 0,
                seq: 2,
                ack: 0,
                flags: 4,
                payloadBytes: 0,
                ttl: 64,
              },
            ],
            omittedSegments: 0,
            synRetransmissions: 1,
            synAckRetransmissions: 0,
            startedAtNs: 0n,
            endedAtNs: 1_040_050_000n,
            encapsulation: [],
            findings: [],
          },
        },
      },
      expect: 'likely',
    },
    { name: 'nothing came', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc6298'],
});
