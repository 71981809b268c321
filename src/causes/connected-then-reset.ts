import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { formatEndpoint } from '../model/flow.ts';
import { clientSaw, serverSaw, waiting } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { afterSynAck, answeredHere, sighted } from './shared-final-ack.ts';
import { clientName, stoodStill } from './shared-silence.ts';

const ABORTS = ['TcpExtTCPAbortOnData', 'TcpExtTCPAbortOnClose', 'TcpExtTCPAbortOnLinger'] as const;

export const cause: Cause = defineCause({
  id: 'connected-then-reset',
  title: 'The application accepts the connection and resets it at once',
  place: 'server',
  step: 'after',
  sides: ['server', 'client'],
  needs: ['attempt'],
  wants: ['counters', 'sockets'],
  assess({ attempt, counters, sockets }) {
    if (attempt.side === 'client') {
      const { connect } = attempt;
      if (connect === undefined || connect.errno !== undefined || connect.afterwards !== 'reset') return [];
      // Who reset it cannot be seen from here: the application, the kernel of the server, or somebody on the way.
      return [supports('strong', 'attempt', 'connect() succeeded, and the connection was reset a moment later')];
    }
    if (!answeredHere(attempt)) return [];
    const { acks, serverResets } = afterSynAck(attempt);
    const resets = Math.max(serverResets, acks > 0 ? sighted(attempt, 'rst', 'out') : 0);
    if (acks === 0 || resets === 0) {
      const what = acks === 0 ? 'no ACK of the client arrived' : 'this host did not reset the connection';
      return [contradicts('conclusive', 'attempt', what)];
    }
    if (!watched(attempt, counters))
      return [supports('moderate', 'attempt', 'this host reset the connection behind the ACK')];
    if (grown(counters, 'TcpExtListenOverflows', 'TcpExtSyncookiesFailed') > 0) {
      const growths = formatGrowths(counters, ['TcpExtListenOverflows', 'TcpExtSyncookiesFailed']);
      return [contradicts('strong', 'counters', `${growths}: the kernel reset it before it was a connection`)];
    }
    if (stoodStill(counters, 'TcpPassiveOpens')) {
      return [contradicts('conclusive', 'counters', 'PassiveOpens +0: no connection was ever made')];
    }
    const evidence: CauseEvidence[] = [];
    const aborted = ABORTS.filter((name) => grown(counters, name) > 0);
    const made = grown(counters, 'TcpPassiveOpens') > 0 && grown(counters, 'TcpEstabResets') > 0;
    if (made) {
      const names = ['TcpPassiveOpens', 'TcpEstabResets', ...aborted];
      evidence.push(
        supports(
          aborted.length > 0 ? 'conclusive' : 'strong',
          'counters',
          `${formatGrowths(counters, names)}: a connection was made and its socket reset it`,
        ),
      );
    } else {
      evidence.push(supports('moderate', 'attempt', 'this host reset the connection behind the ACK'));
    }
    if (sockets?.matching.length === 0) {
      evidence.push(contradicts('strong', 'sockets', 'nothing listens on the port any more'));
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    if (attempt.side === 'client') {
      return `${formatEndpoint(attempt.server)} accepts the connection and resets it at once`;
    }
    return `${owner(sockets)} accepts the connection of ${clientName(attempt)} to port ${attempt.server.port} and resets it at once`;
  },
  remedies({ sockets }) {
    return [
      {
        id: 'ask-the-application',
        title: `Look into the log of ${owner(sockets)}: it had the connection and did not want it`,
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Usual reasons: a proxy without a healthy backend, access lists (tcpwrappers, allow/deny), too many connections (sshd MaxStartups), a crash while it serves',
          },
        ],
      },
    ];
  },
  explanation: `
The handshake is complete: the kernel of the server made a connection, an application (or a proxy or load balancer in front of it) took it and reset it at once. It closed the socket with
data unread (\`TCPAbortOnClose\`), with SO_LINGER 0 (\`TCPAbortOnData\`), or its process died. Proxies do that when no backend is healthy, access lists of the
application do, sshd does with too many unauthenticated connections.

From the client it cannot be told from a RST that the kernel of the server sent (\`abort-on-overflow\`), or that was forged on the way.

Be sure, on the server: \`PassiveOpens\` and \`EstabResets\` grow with the connections, and one of the \`TCPAbortOn…\` counters; \`ListenOverflows\` stands still.

Linux 6.18: \`tcp_close()\` → \`tcp_send_active_reset()\`; \`EstabResets\` counts sockets that go from ESTABLISHED to CLOSE (\`tcp_set_state()\`).
`,
  confusedWith: [
    { id: 'abort-on-overflow', toldApartBy: 'there ListenOverflows moves, and no socket was ever established' },
    { id: 'rst-injected', toldApartBy: 'there the RST does not leave the server' },
    { id: 'listener-closed-during-handshake', toldApartBy: 'there the listener is gone' },
    { id: 'synproxy-misconfigured', toldApartBy: 'there a SYN proxy answered, and PassiveOpens stands still' },
  ],
  scenario: {
    plan: () => ({ listener: { then: 'reset' }, steps: [], attempt: { readMs: 1000 } }),
  },
  examples: [
    {
      name: 'a connection was made and aborted by its socket',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'),
        counters: exampleCounters({
          TcpPassiveOpens: 1,
          TcpEstabResets: 1,
          TcpOutRsts: 1,
          TcpExtTCPAbortOnData: 1,
        }),
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'an accept queue overflowed: the kernel did it',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'),
        counters: exampleCounters({ TcpExtListenOverflows: 1, TcpExtEmbryonicRsts: 1, TcpOutRsts: 1 }),
        sockets: waiting(129, 128),
      },
      expect: 'ruled-out',
    },
    {
      name: 'from the client: reset, by whom cannot be seen',
      given: {
        attempt: clientSaw('refused', { elapsedMs: 3, afterwards: 'reset' }, '>syn', '<syn-ack', '>ack', '<rst'),
      },
      expect: 'likely',
    },
    {
      name: 'nothing was reset',
      given: {
        attempt: serverSaw('half-open', '>syn', '<syn-ack', '>ack', '<syn-ack'),
        counters: exampleCounters({ TcpPassiveOpens: 1 }),
        sockets: HEALTHY_LISTENER,
      },
      expect: 'ruled-out',
    },
  ],
  references: ['RFC 9293 section 3.6.1', 'RFC 2525 section 2.17', 'net/ipv4/tcp.c: __tcp_close()'],
});

function owner(sockets: SocketTable | undefined): string {
  const first = sockets?.matching[0]?.owners[0];
  return first === undefined ? 'The application' : `${first.name} (process ${first.pid})`;
}
