import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { serverSaw } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { afterSynAck, answeredHere, sighted } from './shared-final-ack.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, stoodStill } from './shared-silence.ts';

const FAILED = 'TcpExtSyncookiesFailed';
const SENT = 'TcpExtSyncookiesSent';

export const cause: Cause = defineCause({
  id: 'syncookies-failed',
  title: 'The cookie in the final ACK is not valid, so the server resets the connection',
  place: 'server',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'packetFilter'],
  assess({ attempt, counters, sockets, packetFilter }) {
    if (!answeredHere(attempt) || !watched(attempt, counters)) return [];
    if (stoodStill(counters, FAILED)) {
      return [contradicts('conclusive', 'counters', 'SyncookiesFailed +0: no cookie was refused')];
    }
    const failed = grown(counters, FAILED);
    if (failed === 0) return [];
    const acks = sighted(attempt, 'ack', 'in');
    const resets = Math.max(sighted(attempt, 'rst', 'out'), afterSynAck(attempt).serverResets);
    if (acks === 0 || resets === 0) {
      const what = acks === 0 ? 'no ACK of the client arrived' : 'this host did not reset the connection';
      return [contradicts('conclusive', 'attempt', what)];
    }
    const proxied = packetFilter?.hits.some(({ verdict }) => verdict === 'synproxy');
    if (proxied) {
      return [contradicts('strong', 'packetFilter', 'a SYN proxy of the packet filter answers SYNs to this port')];
    }
    const listens = (sockets?.matching.length ?? 1) > 0;
    const cookies = grown(counters, SENT) > 0;
    const evidence: CauseEvidence[] = [
      supports(
        listens && cookies ? 'conclusive' : 'strong',
        'counters',
        `${formatGrowths(counters, [FAILED, SENT, 'TcpOutRsts'])}: the ACK was answered with RST`,
      ),
    ];
    if (sockets?.exact !== undefined) {
      evidence.push(contradicts('strong', 'sockets', `the server has a socket for it (${sockets.exact.state})`));
    }
    return evidence;
  },
  sentence({ attempt, counters }) {
    return `The server answered ${clientName(attempt)} with a SYN cookie and refuses the ACK as its cookie is not valid (SyncookiesFailed +${grown(counters, FAILED)}): the connection is reset`;
  },
  remedies() {
    return [
      {
        id: 'same-node',
        title: 'Let all packets of a connection reach the same node, or leave cookie mode with a larger backlog',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Hash connections consistently on the load balancer (its nodes do not share the secret of the cookies), look for devices that change timestamps or sequence numbers, and raise backlog and somaxconn',
          },
        ],
      },
    ];
  },
  explanation: `
In cookie mode the server checks the acknowledgement number of an ACK that belongs to no socket: is it a cookie that it gave to this client in the last two minutes? If not, the ACK is answered with RST, and the
client, which was connected, gets "connection reset by peer". An ACK that another node of a load balancer gets, that comes after two minutes, whose
timestamp or sequence numbers were changed on the way, or that is forged, fails the check.

Be sure: \`SyncookiesFailed\` and \`OutRsts\` grow with the connections that are reset. \`SyncookiesFailed\` moves only within two minutes after cookies were sent; later the RST comes without it.

Linux 6.18: \`cookie_v4_check()\` / \`cookie_v6_check()\` → \`__cookie_v4_check()\` returns 0; the ACK is freed with TCP_FLAGS in \`tcp_v4_do_rcv()\`.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'there the SYN itself is answered with RST' },
    {
      id: 'synproxy-misconfigured',
      toldApartBy: 'there a rule of the packet filter makes the cookies: SyncookiesSent stands still',
    },
    { id: 'syncookie-ack-lost', toldApartBy: 'there no ACK arrives' },
    { id: 'connected-then-reset', toldApartBy: 'there the connection was made: PassiveOpens moves' },
  ],
  scenario: {
    requires: ['nft'],
    plan: ({ port, clientDevice }) => {
      // The kernel of the client knows nothing of this SYN, and must not reset the connection before the wrong ACK is sent.
      const quiet = nftChain(
        { hook: 'output' },
        `oifname "${clientDevice}" tcp dport ${port} tcp flags & rst == rst drop`,
      );
      const packet = { sourcePort: 41_007, seq: 70_001 };
      return {
        steps: [
          { on: 'server', sysctl: { 'net.ipv4.tcp_syncookies': 2 } },
          { on: 'client', nft: quiet },
        ],
        attempt: { on: 'client', send: { ...packet, seq: 70_000, flags: 'S' } },
        meanwhile: [{ afterMs: 250, step: { on: 'client', send: { ...packet, flags: 'A', ack: 123_456_789 } } }],
      };
    },
  },
  examples: [
    {
      name: 'a cookie was refused and the ACK answered with RST',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'),
        counters: exampleCounters({ [FAILED]: 1, [SENT]: 1, TcpOutRsts: 1 }),
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'cookies failed for others: this ACK did not arrive',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack'),
        counters: exampleCounters({ [FAILED]: 1, [SENT]: 1 }),
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
    {
      name: 'no cookie failed: the application reset the connection',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'),
        counters: { ...exampleCounters({ TcpOutRsts: 1 }), now: { [FAILED]: 12 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
  ],
  references: ['RFC 4987 section 3.6', 'net/ipv4/syncookies.c: cookie_v4_check(), __cookie_v4_check()'],
});
