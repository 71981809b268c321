import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatHost } from '../model/flow.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening, listeningElsewhere, NOTHING_LISTENS, REFUSED, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, nearestMismatch, processName, refusedByTcp, socketWeight } from './shared-listener.ts';

export const cause: Cause = defineCause({
  id: 'listener-wrong-address',
  title: 'The port has a listener, but on another address',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'kernelTrace', 'packetFilter'],
  assess({ attempt, sockets, counters, kernelTrace, packetFilter }) {
    if (attempt.side !== 'server') return [];
    const { port, address } = attempt.server;
    const [taker] = sockets.matching;
    if (taker !== undefined) {
      return [
        contradicts('conclusive', 'sockets', `${listenerName(taker)} takes a SYN to ${formatHost(address)}:${port}`),
      ];
    }
    const others = sockets.mismatched.filter(({ why }) => why === 'address');
    const [other] = others;
    if (other === undefined) {
      return sockets.mismatched.length === 0
        ? [contradicts('conclusive', 'sockets', `nothing listens on port ${port} at all`)]
        : [];
    }
    const more = others.length === 1 ? '' : ` and ${others.length - 1} more`;
    const evidence = [
      supports(
        socketWeight(attempt),
        'sockets',
        `${listenerName(other.listener)}${more} is bound to its own address; the SYN goes to ${formatHost(address)}:${port}`,
      ),
    ];
    const near = nearestMismatch(sockets);
    if (near !== undefined && near.why !== 'address') {
      evidence.push(
        contradicts('strong', 'sockets', `${listenerName(near.listener)} comes nearer: only its ${near.why} differs`),
      );
    }
    return [...evidence, ...refusedByTcp({ attempt, counters, kernelTrace, packetFilter })];
  },
  sentence({ attempt, sockets }) {
    const { server } = attempt;
    const [other] = sockets.mismatched.filter(({ why }) => why === 'address');
    const where = other === undefined ? 'another address' : formatHost(other.listener.address);
    const who = other === undefined ? 'The listener' : processName(other.listener);
    return `${who} listens on ${where} port ${server.port} only, so SYNs to ${formatHost(server.address)}:${server.port} are refused with RST`;
  },
  remedies({ attempt, sockets }) {
    const listener = sockets.mismatched.find(({ why }) => why === 'address')?.listener;
    const who = listener?.owners[0]?.name ?? 'the service';
    return [
      {
        id: 'bind-address',
        title: `Let ${who} listen on ${attempt.server.address} as well; that opens it to whoever reaches this address`,
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `In the configuration of ${who} (listen, bind, bind-address, listen_addresses): ${attempt.server.address}, or ${attempt.family === 6 ? '::' : '0.0.0.0'} for every address. Then restart it.`,
          },
        ],
      },
    ];
  },
  explanation: `
A socket that is bound to one address takes SYNs to that address alone; \`127.0.0.1\` and \`::1\` are reached from this host only. For any other address
\`inet_lookup_listener()\` (\`inet6_lookup_listener()\`) finds nothing, and TCP answers with RST: the client gets ECONNREFUSED. To it this looks exactly
like a port on which nothing listens.

Be sure: \`ss -ltn sport = :PORT\` shows the port, with a local address that is neither \`0.0.0.0\`, \`[::]\`, \`*\` nor the address of the SYN. From the
host itself, connecting to that local address works.

\`compute_score()\` in \`net/ipv4/inet_hashtables.c\` decides: a bound address must be equal.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'no socket has the port at all' },
    { id: 'listener-wrong-family', toldApartBy: 'the listener is for every address, but of the other family' },
    { id: 'netfilter-reject-in', toldApartBy: 'TcpOutRsts stands still there' },
    { id: 'redirect-closed-port', toldApartBy: 'a rule sends the SYN to another port or address' },
  ],
  scenario: {
    plan: ({ family }) => ({
      listener: { address: family === 4 ? '127.0.0.1' : '::1' },
      steps: [],
    }),
  },
  examples: [
    {
      name: 'only on the loopback address',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('address', { address: '::1' }),
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: { attempt: SUPPOSED, sockets: listeningElsewhere('address', { address: '::1' }) },
      expect: 'confirmed',
    },
    {
      name: 'a firewall made the RST',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('address', { address: '::1' }),
        counters: exampleCounters({}, 'TcpOutRsts'),
      },
      expect: 'ruled-out',
    },
    { name: 'nothing has the port', given: { attempt: REFUSED, sockets: NOTHING_LISTENS }, expect: 'ruled-out' },
    { name: 'a listener takes it', given: { attempt: REFUSED, sockets: listening() }, expect: 'ruled-out' },
    {
      name: 'only the family is wrong',
      given: { attempt: REFUSED, sockets: listeningElsewhere('family', { address: '0.0.0.0', family: 4 }) },
      expect: 'not-indicated',
    },
  ],
  references: ['https://man7.org/linux/man-pages/man7/ip.7.html', 'net/ipv4/inet_hashtables.c: compute_score()'],
});
