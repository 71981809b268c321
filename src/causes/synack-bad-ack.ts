import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { Segment } from '../model/handshake.ts';
import { formatQuantity } from '../model/text.ts';
import { clientSaw } from './shared-example-handshakes.ts';
import { exampleCounters } from './shared-examples.ts';
import { sighted } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';

export const cause: Cause = defineCause({
  id: 'synack-bad-ack',
  title: 'The SYN-ACK acknowledges another sequence number than that of the SYN',
  place: 'path',
  step: 'client-tcp-in',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['counters', 'kernelTrace'],
  assess({ attempt, counters, kernelTrace }) {
    if (attempt.side !== 'client' || !attempt.captured) return [];
    const wrong = wrongAnswers(attempt);
    const [first] = wrong;
    const isn = attempt.handshake?.clientIsn;
    const right = synAcks(attempt).length - wrong.length;
    if (first === undefined || isn === undefined) {
      if (right === 0) return [];
      return [contradicts('conclusive', 'attempt', 'the SYN-ACK acknowledges the SYN as it should')];
    }
    const evidence: CauseEvidence[] = [];
    const resets = sighted(attempt, 'rst', 'out');
    const failed = attempt.connect === undefined || attempt.connect.errno !== undefined;
    const numbers = `the SYN-ACK acknowledges ${first.ack} where the SYN needs ${(isn + 1) >>> 0}`;
    evidence.push(supports(resets > 0 && failed && right === 0 ? 'conclusive' : 'strong', 'attempt', numbers));
    if (resets > 0) {
      evidence.push(supports('moderate', 'attempt', `this host answered it with ${formatQuantity(resets, 'RST')}`));
    }
    if (watched(attempt, counters) && grown(counters, 'TcpOutRsts') > 0) {
      evidence.push(supports('weak', 'counters', `OutRsts +${grown(counters, 'TcpOutRsts')}`));
    }
    if (right > 0 || !failed) {
      evidence.push(contradicts('strong', 'attempt', 'another SYN-ACK acknowledges the SYN as it should'));
    }
    const traced = kernelTrace?.events.some(
      (event) => event.kind === 'dropped' && event.reason === 'TCP_INVALID_ACK_SEQUENCE',
    );
    if (traced)
      evidence.push(supports('moderate', 'kernelTrace', 'the kernel dropped it with TCP_INVALID_ACK_SEQUENCE'));
    return evidence;
  },
  sentence({ attempt }) {
    const [first] = wrongAnswers(attempt);
    const numbers =
      first === undefined ? 'another number' : `${first.ack}, not ${((attempt.handshake?.clientIsn ?? 0) + 1) >>> 0}`;
    return `What answers in the name of ${formatEndpoint(attempt.server)} acknowledges ${numbers}: this host resets it and goes on waiting`;
  },
  remedies() {
    return [
      {
        id: 'find-the-answerer',
        title:
          'Find out who answers: a firewall that randomises sequence numbers in one direction, a forger, or a server with an old connection',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Compare with a capture on the server: a SYN-ACK that left it with the right number was changed on the way; compare the TTL of the SYN-ACK with that of good ones',
          },
        ],
      },
    ];
  },
  explanation: `
A SYN-ACK must acknowledge the sequence number of the SYN plus one. One that does not is no answer to this SYN; the client sends RST and goes on waiting, and repeats its SYN almost at once.
It comes from a firewall that randomises sequence numbers and sees one direction only, from a device that answers in the server's name, or from a
forger. (A server that still holds an older connection of the same ports answers with a plain ACK instead: that is \`half-open-established\`.)

Be sure: the acknowledgement number in the client's capture against the sequence number of its SYN (Wireshark shows relative numbers: it must be 1).

Linux 6.18: \`tcp_rcv_synsent_state_process()\` → \`reset_and_undo\`; drop reason TCP_INVALID_ACK_SEQUENCE (NOT_SPECIFIED before about 6.10); RFC 9293 section 3.10.7.3.
`,
  confusedWith: [
    { id: 'half-open-established', toldApartBy: 'there the answer is a plain ACK, not a SYN-ACK' },
    { id: 'synack-bad-timestamp', toldApartBy: 'there the number is right and PAWSActive moves' },
    { id: 'client-input-drop', toldApartBy: 'there the client sends no RST' },
  ],
  scenario: {
    requires: ['nft that can set TCP fields'],
    variants: ['forged'],
    plan: ({ port }, variant) =>
      variant === 'forged'
        ? {
            // The kernel of the server stays out of it; something else answers.
            listener: null,
            steps: [
              { on: 'server', nft: nftChain({ hook: 'input' }, `tcp dport ${port} drop`) },
              { on: 'server', answerWith: { flags: 'SA', ackOffset: 7776 } },
            ],
          }
        : {
            steps: [
              {
                on: 'router',
                nft: nftChain(
                  { hook: 'forward' },
                  `tcp sport ${port} tcp flags & (syn|ack) == syn|ack tcp ackseq set 123456789`,
                ),
              },
            ],
          },
  },
  examples: [
    {
      name: 'a wrong number, and a RST for it',
      given: {
        attempt: clientSaw(
          'abandoned',
          { errno: 'ETIMEDOUT', elapsedMs: 2100 },
          '>syn',
          '<wrong-syn-ack',
          '>rst',
          '>syn',
        ),
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the right number',
      given: { attempt: clientSaw('half-open', { errno: 'ETIMEDOUT', elapsedMs: 3000 }, '>syn', '<syn-ack', '>rst') },
      expect: 'ruled-out',
    },
    {
      name: 'a forged answer beside the real one: it connected',
      given: {
        attempt: clientSaw('established', { elapsedMs: 20 }, '>syn', '<wrong-syn-ack', '>rst', '<syn-ack', '>ack'),
      },
      expect: 'possible',
    },
  ],
  references: ['RFC 9293 section 3.10.7.3', 'net/ipv4/tcp_input.c: tcp_rcv_synsent_state_process()'],
});

function synAcks({ handshake }: Attempt): readonly Segment[] {
  return (handshake?.segments ?? []).filter(({ kind, direction }) => kind === 'syn-ack' && direction === 'to-client');
}

/** SYN-ACKs that do not acknowledge the SYN (or some of its data, RFC 7413). */
function wrongAnswers(attempt: Attempt): readonly Segment[] {
  const { clientIsn, segments = [] } = attempt.handshake ?? {};
  if (clientIsn === undefined) return [];
  const data = segments.find(({ kind }) => kind === 'syn')?.payloadBytes ?? 0;
  return synAcks(attempt).filter(({ ack }) => {
    const ahead = (ack - clientIsn) | 0;
    return ahead < 1 || ahead > 1 + data;
  });
}
