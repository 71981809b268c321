import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { formatHost } from '../model/flow.ts';
import { ANSWERED_BY_ACK, withOldSocket } from './shared-example-old-sockets.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';
import { answeredByAck, oldSocket, settledWithoutOldSocket } from './shared-old-socket.ts';
import { stoodStill, tracedSyn } from './shared-silence.ts';

const LIVE = /^(?:ESTAB|FIN-WAIT-[12]|CLOSE-WAIT|LAST-ACK|CLOSING)$/;
const CHALLENGED = exampleCounters({ TcpExtTCPSYNChallenge: 1, TcpExtTCPChallengeACK: 1 });

export const cause: Cause = defineCause({
  id: 'half-open-established',
  title: 'For the server the same connection is still open',
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'kernelTrace'],
  assess({ attempt, sockets, counters, kernelTrace }) {
    const settled = settledWithoutOldSocket(attempt);
    if (settled !== undefined) return settled;
    const traced = tracedSyn(kernelTrace, { reasons: /^TCP_INVALID_SYN$/ });
    if (traced.some(({ bearing }) => bearing === 'contradicts')) return traced;
    const socket = oldSocket(sockets, LIVE);
    const names = ['TcpExtTCPSYNChallenge', 'TcpExtTCPChallengeACK'];
    const challenges = watched(attempt, counters) ? grown(counters, 'TcpExtTCPSYNChallenge') : 0;
    if (traced.length === 0 && socket === undefined) {
      return challenges > 0 && answeredByAck(attempt)
        ? [
            supports(
              'moderate',
              'counters',
              `TCPSYNChallenge +${challenges}, and an ACK answered the SYN; the old connection is gone by now`,
            ),
          ]
        : [contradicts('conclusive', 'sockets', 'no open connection has the same addresses and ports')];
    }
    const evidence: CauseEvidence[] = [...traced];
    if (watched(attempt, counters)) {
      if (stoodStill(counters, 'TcpExtTCPSYNChallenge')) {
        return [contradicts('conclusive', 'counters', 'TCPSYNChallenge did not move: no SYN met an open connection')];
      }
      if (challenges > 0) {
        evidence.push(
          supports(
            socket === undefined ? 'moderate' : 'conclusive',
            'counters',
            `${formatGrowths(counters, names)}: the SYN met an open connection`,
          ),
        );
      }
    }
    if (socket !== undefined) {
      const owner = socket.owners[0];
      const held = owner === undefined ? '' : `, held by ${owner.name} (pid ${owner.pid})`;
      evidence.push(
        supports(
          'strong',
          'sockets',
          `a connection with the same addresses and ports is in state ${socket.state}${held}`,
        ),
      );
    }
    if (answeredByAck(attempt)) evidence.push(supports('strong', 'attempt', 'an ACK answered the SYN, not a SYN-ACK'));
    return evidence;
  },
  sentence({ attempt, sockets }) {
    const { client, server } = attempt;
    const socket = oldSocket(sockets, LIVE);
    const owner = socket?.owners[0];
    const who = owner === undefined ? 'The server' : `${owner.name} (pid ${owner.pid})`;
    return `${who} still holds an earlier connection from ${client.address} port ${client.port} on port ${server.port}, so the SYN is answered with a challenge ACK instead of a SYN-ACK`;
  },
  remedies({ attempt, sockets }) {
    const { client, server } = attempt;
    const lasting = {
      id: 'notice-lost-clients',
      title: 'Let the program notice clients that vanished, and let ACKs and RSTs pass the firewalls',
      risk: 'low' as const,
      auto: 'never' as const,
      changes: [
        {
          kind: 'advice' as const,
          text: 'SO_KEEPALIVE or TCP_USER_TIMEOUT ends such connections. A client that gets the ACK answers with RST and clears the way itself: a firewall must drop neither.',
        },
      ],
    };
    if (oldSocket(sockets, LIVE) === undefined) return [lasting];
    return [
      {
        id: 'close-old-connection',
        title: 'Close exactly this old connection',
        risk: 'medium',
        auto: 'with-consent',
        changes: [
          {
            kind: 'command',
            argv: [
              ...['ss', '-K', '-t'],
              ...['src', formatHost(server.address), 'sport', '=', `:${server.port}`],
              ...['dst', formatHost(client.address), 'dport', '=', `:${client.port}`],
            ],
          },
        ],
      },
      lasting,
    ];
  },
  explanation: `
The client vanished without a word (crash, power, a translation that forgot it) and comes back with the same port; for the server the old connection is still open. A SYN within an open connection is not taken:
\`tcp_validate_incoming()\`, label \`syn_challenge\`, answers with a **challenge ACK** (RFC 5961 section 4).

A real client answers the ACK with RST, which ends the old connection, and its next SYN succeeds within milliseconds. It times out when a firewall drops the pure ACK (stateful
ones do: they expect a SYN-ACK) or the RST.

\`TCPSYNChallenge\`, \`TCPChallengeACK\` and \`TcpInErrs\` move; the drop reason is \`TCP_INVALID_SYN\`. Challenge ACKs are limited: \`net.ipv4.tcp_challenge_ack_limit\` for the
host, \`tcp_invalid_ratelimit\` (500 ms) for a connection.

Be sure: \`ss -tan dst CLIENT dport = :PORT\` shows the connection, and a capture shows SYN answered by ACK with an old sequence number.
`,
  confusedWith: [
    { id: 'timewait-paws', toldApartBy: 'the old connection is in TIME-WAIT, and PAWSTimewait moves' },
    { id: 'timewait-old-sequence', toldApartBy: 'the old connection is in TIME-WAIT' },
    { id: 'return-path-lost', toldApartBy: 'there SYN-ACKs leave the server' },
  ],
  scenario: {
    plan: ({ port }) => ({
      steps: [
        { on: 'client', connect: { sourcePort: 30_002, then: 'vanish' } },
        // A strict firewall: no ACK without a handshake.
        {
          on: 'router',
          nft: nftChain({ hook: 'forward' }, `tcp sport ${port} tcp flags & (syn | ack | fin) == ack drop`),
        },
      ],
      attempt: { sourcePort: 30_002 },
    }),
  },
  examples: [
    {
      name: 'still ESTABLISHED, challenged',
      given: { attempt: ANSWERED_BY_ACK, sockets: withOldSocket('ESTAB'), counters: CHALLENGED },
      expect: 'confirmed',
    },
    {
      name: 'in TIME-WAIT instead',
      given: {
        attempt: ANSWERED_BY_ACK,
        sockets: withOldSocket('TIME-WAIT'),
        counters: exampleCounters({ TcpExtPAWSTimewait: 1 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'challenged, but the old connection is gone by now',
      given: { attempt: ANSWERED_BY_ACK, sockets: listening(), counters: CHALLENGED },
      expect: 'possible',
    },
    {
      name: 'a connection that another SYN will not meet: no challenge was sent',
      given: {
        attempt: ANSWERED_BY_ACK,
        sockets: withOldSocket('ESTAB'),
        counters: exampleCounters({}, 'TcpExtTCPSYNChallenge'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the attempt itself succeeded',
      given: { attempt: { ...ANSWERED_BY_ACK, synAcks: 1 }, sockets: withOldSocket('ESTAB'), counters: CHALLENGED },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc5961#section-4', 'net/ipv4/tcp_input.c: tcp_validate_incoming()'],
});
