import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatQuantity } from '../model/text.ts';
import { DROP_HIT, filterWith } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { listening, listeningElsewhere, NOTHING_LISTENS, REFUSED, SUPPOSED } from './shared-examples-server.ts';
import {
  listenerName,
  namespacesListening,
  nearestMismatch,
  processName,
  refusedByTcp,
  socketWeight,
} from './shared-listener.ts';

const MISMATCHES = {
  address: 'for another address',
  family: 'for the other family',
  device: 'for another interface',
} as const;

export const cause: Cause = defineCause({
  id: 'no-listener',
  title: 'Nothing listens on the port',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'kernelTrace', 'packetFilter', 'outgoingRoute', 'otherNamespaces'],
  assess({ attempt, sockets, counters, kernelTrace, packetFilter, outgoingRoute, otherNamespaces = [] }) {
    const { port } = attempt.server;
    if (attempt.side === 'client') {
      if (attempt.connect?.errno !== 'ECONNREFUSED') return [];
      const after = `${Math.round(attempt.connect.elapsedMs)} ms`;
      return [
        supports(
          'weak',
          'attempt',
          `connect() was refused after ${after}, as by a host on which nothing listens there`,
        ),
      ];
    }
    const [taker] = sockets.matching;
    if (taker !== undefined && taker.appeared !== true) {
      return [contradicts('conclusive', 'sockets', `${listenerName(taker)} takes a SYN to port ${port}`)];
    }
    const evidence: CauseEvidence[] =
      taker === undefined
        ? [
            supports(
              socketWeight(attempt),
              'sockets',
              `of ${formatQuantity(sockets.listeners.length, 'listening TCP socket')} of this host none takes a SYN to port ${port}`,
            ),
          ]
        : [
            supports(
              'strong',
              'sockets',
              `${processName(taker)} began to listen on port ${port} only during the watch`,
            ),
          ];
    const near = nearestMismatch(sockets);
    if (near !== undefined) {
      const { listener, why } = near;
      evidence.push(
        contradicts('strong', 'sockets', `${listenerName(listener)} listens on the port, but ${MISMATCHES[why]}`),
      );
    }
    const others = namespacesListening(otherNamespaces, port);
    const [other] = others;
    if (near === undefined && other !== undefined) {
      evidence.push(
        contradicts(
          others.length === 1 ? 'strong' : 'weak',
          'otherNamespaces',
          `port ${port} has a listener in network namespace ${other.name}`,
        ),
      );
    }
    if (outgoingRoute?.ok === false && attempt.handshake?.outcome !== 'refused') {
      evidence.push(contradicts('strong', 'outgoingRoute', `no RST could leave either: ${outgoingRoute.message}`));
    }
    return [...evidence, ...refusedByTcp({ attempt, counters, kernelTrace, packetFilter })];
  },
  sentence({ attempt, sockets }) {
    const { client, server } = attempt;
    const [taker] = sockets.matching;
    const late = taker === undefined ? '' : `; ${processName(taker)} began to listen only after it`;
    const whom =
      attempt.observed && attempt.syns > 0
        ? `so the kernel refuses ${client.address} with RST`
        : 'so the kernel refuses every SYN with RST';
    return `Nothing listens on port ${server.port} of this host, ${whom}${late}`;
  },
  remedies: ({ attempt, sockets }) => {
    if (sockets.matching.length > 0) return [];
    return [
      {
        id: 'start-service',
        title: 'Start the service, or use the port on which it listens',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `systemctl status UNIT and its log say why it does not run; ss -ltnp shows what listens. Nothing is on port ${attempt.server.port}.`,
          },
        ],
      },
    ];
  },
  explanation: `
No socket of this network namespace takes the SYN, so TCP answers with RST: \`tcp_v4_rcv()\` (\`tcp_v6_rcv()\`), label \`no_tcp_socket\` → \`tcp_v4_send_reset()\`. The client gets
ECONNREFUSED after one round trip. The service is down, is still starting, has crashed, or listens on another port.

\`TcpOutRsts\` moves by one for each SYN; the drop reason of the SYN is \`NO_SOCKET\`, and since Linux 6.11 or so the tracepoint \`tcp:tcp_send_reset\` says so.

Be sure: \`ss -ltn sport = :PORT\` **in that network namespace** is empty. A RST that the packet filter made looks the same to the client, but
does not count in \`TcpOutRsts\`.
`,
  confusedWith: [
    { id: 'netfilter-reject-in', toldApartBy: 'the same RST, but TcpOutRsts stands still' },
    { id: 'listener-wrong-address', toldApartBy: 'the port has a listener, for another address' },
    { id: 'listener-wrong-family', toldApartBy: 'the port has a listener, for the other family' },
    { id: 'listener-in-other-netns', toldApartBy: 'the port has a listener, in another network namespace' },
    { id: 'redirect-closed-port', toldApartBy: 'a rule sends the SYN to another port' },
    { id: 'rst-injected', toldApartBy: 'the RST does not come from this host' },
    { id: 'no-listener-and-no-route', toldApartBy: 'there the RST cannot leave, and the client times out' },
  ],
  scenario: { plan: () => ({ listener: null, steps: [], expect: { client: null } }) },
  examples: [
    {
      name: 'a RST from TCP, and nothing listens',
      given: {
        attempt: REFUSED,
        sockets: NOTHING_LISTENS,
        counters: exampleCounters({ TcpOutRsts: 1 }),
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: a SYN would be refused',
      given: { attempt: SUPPOSED, sockets: NOTHING_LISTENS, outgoingRoute: ROUTE_BACK },
      expect: 'confirmed',
    },
    {
      name: 'no SYN came, and nothing would have taken one',
      given: { attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] }, sockets: NOTHING_LISTENS },
      expect: 'likely',
    },
    {
      name: 'the RST was made by the packet filter',
      given: { attempt: REFUSED, sockets: NOTHING_LISTENS, counters: exampleCounters({}, 'TcpOutRsts') },
      expect: 'ruled-out',
    },
    {
      name: 'a listener on another address explains it better',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('address', { address: '::1' }),
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'likely',
    },
    {
      name: 'nothing listens, and a RST could not leave',
      given: { attempt: SUPPOSED, sockets: NOTHING_LISTENS, outgoingRoute: NO_ROUTE_BACK },
      expect: 'likely',
    },
    {
      name: 'a rule redirects the port to one that has a listener',
      given: {
        attempt: SUPPOSED,
        sockets: NOTHING_LISTENS,
        packetFilter: filterWith({ ...DROP_HIT, verdict: 'redirect', hook: 'prerouting', target: { port: 8443 } }),
      },
      expect: 'ruled-out',
    },
    { name: 'a listener takes it', given: { attempt: REFUSED, sockets: listening() }, expect: 'ruled-out' },
    {
      name: 'the client alone cannot tell it from a firewall',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT,
          side: 'client',
          connect: { remote: EXAMPLE_ATTEMPT.server, errno: 'ECONNREFUSED', elapsedMs: 3 },
        },
        sockets: NOTHING_LISTENS,
      },
      expect: 'possible',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.1', 'net/ipv4/tcp_ipv4.c: tcp_v4_rcv()'],
});
