import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatQuantity } from '../model/text.ts';
import { withOldSocket } from './shared-example-old-sockets.ts';
import { ANSWERED_IN_VAIN, FOUR_SYNS, listening } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';

export const cause: Cause = defineCause({
  id: 'syn-to-request-sock',
  title: 'A repeated SYN meets its own half-open connection: that is normal',
  place: 'path',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  assess({ attempt, sockets }) {
    if (attempt.side !== 'server' || !attempt.observed) return [];
    if (attempt.synAcks === 0) {
      return [contradicts('conclusive', 'attempt', 'no SYN-ACK left this host, so there was no half-open connection')];
    }
    if (attempt.syns < 2) return [contradicts('conclusive', 'attempt', 'the SYN was not repeated')];
    const state = sockets.exact?.state === 'SYN-RECV' ? '; it is in SYN-RECV' : '';
    const said = `${formatQuantity(attempt.syns, 'SYN')} and ${formatQuantity(attempt.synAcks, 'SYN-ACK')}: each repeated SYN was answered again${state}`;
    // It is what a healthy server does. Whatever lost the SYN-ACKs is the cause.
    return [supports('weak', 'attempt', said)];
  },
  sentence({ attempt }) {
    return `Repeated SYNs of ${attempt.client.address} meet their own half-open connection and are answered again, as they should be`;
  },
  explanation: `
When the SYN-ACK is lost the client repeats its SYN. It meets the half-open connection (SYN-RECV) of the first one: \`tcp_check_req()\`, "pure retransmitted SYN", sends the SYN-ACK once more, at most
one in 500 ms (\`TCPACKSkippedSynRecv\` counts those held back). The segment itself is then freed as a drop: \`kfree_skb\` with reason \`NOT_SPECIFIED\` in \`tcp_v4_rcv()\`.

**That is no fault.** Tools that list drops show it as one. What lost the SYN-ACK is the cause: see \`return-path-lost\` and the causes on the client.

Be sure: \`tcp:tcp_retransmit_synack\` fires beside it, and \`TCPSynRetrans\` moves.
`,
  confusedWith: [
    { id: 'return-path-lost', toldApartBy: 'that is why the SYN is repeated' },
    { id: 'netfilter-drop-in', toldApartBy: 'there no SYN-ACK leaves the server' },
  ],
  scenario: {
    plan: ({ port }) => ({
      steps: [{ on: 'client', nft: nftChain({ hook: 'input' }, `tcp sport ${port} drop`) }],
      // The server sees only that its SYN-ACKs are not acknowledged.
      expect: { server: ['return-path-lost'], client: ['client-input-drop'], place: 'client' },
    }),
  },
  examples: [
    {
      name: 'SYNs and SYN-ACKs repeat each other',
      given: { attempt: ANSWERED_IN_VAIN, sockets: withOldSocket('SYN-RECV') },
      expect: 'possible',
    },
    { name: 'nothing was answered', given: { attempt: FOUR_SYNS, sockets: listening() }, expect: 'ruled-out' },
    {
      name: 'one SYN',
      given: { attempt: { ...ANSWERED_IN_VAIN, syns: 1 }, sockets: listening() },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc9293#section-3.8.1', 'net/ipv4/tcp_minisocks.c: tcp_check_req()'],
});
