import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { HALF_OPEN, serverSaw } from './shared-example-handshakes.ts';
import { exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { afterSynAck, answeredHere, sighted } from './shared-final-ack.ts';
import { clientName } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'listener-closed-during-handshake',
  title: 'The listener was closed while the handshake was under way',
  place: 'server',
  step: 'final-ack',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'packetFilter'],
  assess({ attempt, sockets, counters, packetFilter }) {
    if (!answeredHere(attempt)) return [];
    const proxied = packetFilter?.hits.some(
      ({ verdict }) => verdict === 'synproxy' || verdict === 'dnat' || verdict === 'redirect',
    );
    if (proxied) {
      return [
        contradicts(
          'conclusive',
          'packetFilter',
          'a rule of the packet filter answers SYNs to this port itself, or translates them',
        ),
      ];
    }
    const fresh = sockets.matching.filter(({ appeared }) => appeared === true);
    const old = sockets.matching.filter(({ appeared }) => appeared !== true);
    if (old.length > 0) {
      const [listener] = old;
      const name = listener?.owners[0]?.name;
      return [
        contradicts(
          'conclusive',
          'sockets',
          `${name ?? 'the same program'} listens on the port now as it did when the watch began`,
        ),
      ];
    }
    const { acks, serverResets } = afterSynAck(attempt);
    const resets = Math.max(serverResets, sighted(attempt, 'rst', 'out'));
    const gone = fresh.length === 0;
    const state = gone
      ? `a SYN-ACK was sent for port ${attempt.server.port}, and nothing listens there now`
      : `a SYN-ACK was sent, and the listener of now was not there when the watch began`;
    if (sockets.exact !== undefined && sockets.exact.state !== 'SYN-RECV') {
      return [contradicts('conclusive', 'sockets', `the connection exists here (${sockets.exact.state})`)];
    }
    // Something else may have answered in its name.
    if (resets === 0) return [supports(gone ? 'moderate' : 'weak', 'sockets', state)];
    const evidence: CauseEvidence[] = [
      supports(gone && acks > 0 ? 'conclusive' : 'strong', 'sockets', state),
      supports('moderate', 'attempt', 'what the client sent then was answered with RST'),
    ];
    if (watched(attempt, counters) && grown(counters, 'TcpOutRsts') > 0) {
      evidence.push(supports('moderate', 'counters', `OutRsts +${grown(counters, 'TcpOutRsts')}: TCP itself sent it`));
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    const now =
      sockets.matching.length === 0 ? 'and nothing listens there now' : 'and another listener has taken its place';
    return `The listener on port ${attempt.server.port} answered the SYN of ${clientName(attempt)} and was closed before the handshake was over, ${now}`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'hand-over',
        title:
          'Hand the listener over instead of closing it: socket activation, or a new process before the old one stops',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `Let systemd hold the socket of port ${attempt.server.port} (a .socket unit), restart gracefully (nginx -s reload), or take the host off the load balancer first`,
          },
        ],
      },
      {
        id: 'migrate-requests',
        title: 'Let half-open connections move to another socket of the same SO_REUSEPORT group (since 5.14)',
        risk: 'low',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_migrate_req', value: '1' }],
      },
    ];
  },
  explanation: `
Half-open connections and those that wait in the accept queue belong to the listening socket. When the program closes it (a restart, a crash, a reload that opens a new one) they go with it: the
client's final ACK or its data find no socket and are answered with RST, and connections that waited are reset. The client was connected for a moment.

Be sure: the RSTs fall together with the restart (\`systemctl status\`, the journal), and the inode of the listener in \`ss -ltne\` has changed.

Linux 6.18: \`inet_csk_listen_stop()\` resets what waits; \`tcp_v4_rcv()\` drops the request of a closed listener (\`inet_csk_reqsk_queue_drop_and_put()\`) and looks again:
no socket → \`tcp_v4_send_reset()\`. \`tcp_migrate_req=1\` (since 5.14) moves requests inside a SO_REUSEPORT group.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'there the SYN itself is answered with RST' },
    {
      id: 'connected-then-reset',
      toldApartBy: 'there the listener is still there, and its program reset the connection',
    },
    { id: 'abort-on-overflow', toldApartBy: 'there the listener is there and its queue full' },
    { id: 'rst-injected', toldApartBy: 'there the RST does not leave this host' },
  ],
  scenario: {
    plan: () => ({
      // The connection waits in the accept queue when the program goes.
      listener: { accept: 'never' },
      steps: [],
      attempt: { readMs: 1500 },
      meanwhile: [{ afterMs: 300, step: { on: 'server', signal: 'KILL' } }],
    }),
  },
  examples: [
    {
      name: 'the listener answered the SYN, and is gone',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>data', '<rst'),
        sockets: { ...HEALTHY_LISTENER, listeners: [], matching: [] },
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'another listener has taken its place: it may have been there in time',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>data', '<rst'),
        sockets: {
          ...HEALTHY_LISTENER,
          matching: HEALTHY_LISTENER.matching.map((one) => ({ ...one, appeared: true as const })),
        },
      },
      expect: 'likely',
    },
    {
      name: 'the listener is the same: its program reset the connection',
      given: {
        attempt: serverSaw('refused', '>syn', '<syn-ack', '>ack', '<rst'),
        sockets: { ...HEALTHY_LISTENER, connections: [HALF_OPEN] },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/ipv4/inet_connection_sock.c: inet_csk_listen_stop()',
    'https://docs.kernel.org/networking/ip-sysctl.html',
  ],
});
