import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { exampleCounters } from './shared-examples.ts';
import { ANSWERED_IN_VAIN } from './shared-examples-server.ts';

const FOREIGN: Attempt = { ...CLIENT_ATTEMPT, foreignAnswers: [{ address: '192.0.2.77', port: 443, count: 2 }] };

export const cause: Cause = defineCause({
  id: 'synack-wrong-source',
  title: 'The SYN-ACK comes from another address than the one that was asked',
  place: 'path',
  step: 'path-back',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['counters', 'kernelTrace'],
  assess({ attempt, counters, kernelTrace }) {
    if (attempt.side !== 'client' || !attempt.observed) return [];
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'the server itself answered with SYN-ACK')];
    const [foreign] = attempt.foreignAnswers ?? [];
    if (foreign === undefined) {
      return attempt.captured && attempt.syns > 0
        ? [contradicts('strong', 'attempt', 'no other address answered this SYN')]
        : [];
    }
    const what = `${formatQuantity(foreign.count, 'SYN-ACK')} for this very SYN came from ${formatEndpoint(foreign)}`;
    const evidence: CauseEvidence[] = [supports('conclusive', 'attempt', what)];
    if (watched(attempt, counters) && grown(counters, 'TcpOutRsts') > 0) {
      evidence.push(
        supports(
          'moderate',
          'counters',
          `${formatGrowths(counters, ['TcpOutRsts'])}: the kernel refuses it, no connection to that address exists`,
        ),
      );
    }
    const reset = kernelTrace?.events.find((event) => event.kind === 'reset-sent');
    if (reset !== undefined)
      evidence.push(supports('moderate', 'kernelTrace', 'the kernel reports that it answered with RST'));
    return evidence;
  },
  sentence({ attempt }) {
    const [foreign] = attempt.foreignAnswers ?? [];
    const from = foreign === undefined ? 'another address' : formatEndpoint(foreign);
    return `The SYN went to ${formatEndpoint(attempt.server)}, but the SYN-ACK comes from ${from}, so this host refuses it with RST and goes on waiting`;
  },
  remedies: ({ attempt }) => {
    const [foreign] = attempt.foreignAnswers ?? [];
    return [
      {
        id: 'answer-through-translation',
        title: 'Lead the answers back through whatever translated the destination',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `${foreign?.address ?? 'The real server'} answers directly instead of through ${attempt.server.address}. Translate the source as well (SNAT, masquerade) where client and server share a network; with direct server return the server must have ${attempt.server.address} as its own address.`,
          },
        ],
      },
    ];
  },
  explanation: `
A load balancer or a rule translates the destination; the real server answers, but its SYN-ACK does not come back through the translation. It arrives with the server's own address. The client has no connection to that
address: \`tcp_v4_rcv()\` finds no socket (\`NO_SOCKET\`) and answers with RST, while its own SYN is repeated until it times out.

This happens when client and server share a network behind the same translation (hairpin), when the server has a shorter way back (several uplinks), and when direct server return or an IP-in-IP balancer is
configured without the service address on the server.

Be sure: the client's capture (without a filter for the address) shows SYN to one address, SYN-ACK from another with the right acknowledgement number, RST to that one.
The server sees the RST and counts \`EmbryonicRsts\`.
`,
  confusedWith: [
    { id: 'return-path-lost', toldApartBy: 'there no SYN-ACK arrives at all' },
    { id: 'synack-bad-ack', toldApartBy: 'there the address is right and the acknowledgement is wrong' },
    { id: 'rst-on-synack', toldApartBy: 'what the server sees of it' },
  ],
  scenario: {
    plan: ({ elsewhere }) => ({
      listener: null,
      steps: [{ on: 'server', answerWith: { flags: 'SA', fromAddress: elsewhere } }],
      expect: { client: ['synack-wrong-source'] },
    }),
  },
  examples: [
    {
      name: 'another address answers',
      given: { attempt: FOREIGN, counters: exampleCounters({ TcpOutRsts: 2 }) },
      expect: 'confirmed',
    },
    { name: 'nobody answers', given: { attempt: CLIENT_ATTEMPT }, expect: 'ruled-out' },
    { name: 'the right one answered as well', given: { attempt: { ...FOREIGN, synAcks: 1 } }, expect: 'ruled-out' },
    { name: 'the server cannot see it', given: { attempt: ANSWERED_IN_VAIN }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc5382#section-7.2', 'net/ipv4/tcp_ipv4.c: tcp_v4_rcv()'],
});
