import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { OtherNamespace } from '../model/facts/sockets.ts';
import { formatEndpoint } from '../model/flow.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening, listeningElsewhere, NOTHING_LISTENS, REFUSED, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, namespacesListening, refusedByTcp, socketWeight } from './shared-listener.ts';

const CONTAINER: readonly OtherNamespace[] = [
  { name: 'pid 4711 (nginx)', listeners: [{ address: '::', port: 443, process: 'nginx' }] },
];

export const cause: Cause = defineCause({
  id: 'listener-in-other-netns',
  title: 'The listener is in another network namespace of this machine',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'otherNamespaces'],
  wants: ['counters', 'kernelTrace', 'packetFilter'],
  assess({ attempt, sockets, otherNamespaces, counters, kernelTrace, packetFilter }) {
    if (attempt.side !== 'server') return [];
    const { port } = attempt.server;
    const [taker] = sockets.matching;
    if (taker !== undefined) {
      return [contradicts('conclusive', 'sockets', `${listenerName(taker)} takes the SYN in this network namespace`)];
    }
    const found = namespacesListening(otherNamespaces, port);
    const [first] = found;
    if (first === undefined) {
      return [
        contradicts('conclusive', 'otherNamespaces', `no other network namespace has a listener on port ${port}`),
      ];
    }
    const listener = first.listeners.find((one) => one.port === port);
    const where = listener === undefined ? '' : ` (${listener.process ?? 'a process'} on ${formatEndpoint(listener)})`;
    const more = found.length === 1 ? '' : `, and ${found.length - 1} more: which of them is meant cannot be told`;
    const evidence = [
      supports(
        found.length === 1 ? socketWeight(attempt) : 'strong',
        'otherNamespaces',
        `nothing takes a SYN to port ${port} in this network namespace, but ${first.name} has a listener${where}${more}`,
      ),
    ];
    const [mismatch] = sockets.mismatched;
    if (mismatch !== undefined) {
      evidence.push(
        contradicts('strong', 'sockets', `${listenerName(mismatch.listener)} of this network namespace comes nearer`),
      );
    }
    return [...evidence, ...refusedByTcp({ attempt, counters, kernelTrace, packetFilter })];
  },
  sentence({ attempt, otherNamespaces }) {
    const { port } = attempt.server;
    const [first] = namespacesListening(otherNamespaces, port);
    return `Port ${port} has its listener in network namespace ${first?.name ?? '?'}, but the SYN arrives in this one, where nothing listens, and is refused with RST`;
  },
  remedies: ({ attempt }) => [
    {
      id: 'publish-port',
      title: 'Publish the port of the container, or send its traffic there',
      risk: 'medium',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: `Docker and Podman: run it with -p ${attempt.server.port}:PORT. Kubernetes: a Service, hostPort or hostNetwork. Otherwise a rule that translates the destination.`,
        },
      ],
    },
  ],
  explanation: `
Listeners belong to a network namespace. A container whose port is not published listens in its own namespace; a SYN to an address of the host is looked up in the host's, finds
nothing, and gets RST. To the client this is a port on which nothing listens.

Be sure: \`ss -ltn sport = :PORT\` is empty here; \`lsns -t net\` lists the namespaces, and \`nsenter -t PID -n ss -ltn\` shows the listener in one of them.

The lookup compares \`net_eq(sock_net(sk), net)\` first: \`inet_lookup_listener()\` in \`net/ipv4/inet_hashtables.c\`.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'no network namespace of the machine has a listener on the port' },
    { id: 'dnat-dead-backend', toldApartBy: 'there a rule sends the SYN on, and nobody answers' },
    { id: 'redirect-closed-port', toldApartBy: 'a rule sends the SYN to another port' },
  ],
  scenario: {
    plan: () => ({ listener: null, steps: [{ on: 'router', listen: { name: 'elsewhere' } }] }),
  },
  examples: [
    {
      name: 'a container whose port is not published',
      given: {
        attempt: REFUSED,
        sockets: NOTHING_LISTENS,
        otherNamespaces: CONTAINER,
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: { attempt: SUPPOSED, sockets: NOTHING_LISTENS, otherNamespaces: CONTAINER },
      expect: 'confirmed',
    },
    {
      name: 'several containers have the port: which one is meant cannot be told',
      given: {
        attempt: REFUSED,
        sockets: NOTHING_LISTENS,
        otherNamespaces: [...CONTAINER, { name: 'blue', listeners: [{ address: '::', port: 443 }] }],
      },
      expect: 'likely',
    },
    {
      name: 'this namespace has one on another address',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('address', { address: '::1' }),
        otherNamespaces: CONTAINER,
      },
      expect: 'likely',
    },
    {
      name: 'no other namespace has it',
      given: { attempt: REFUSED, sockets: NOTHING_LISTENS, otherNamespaces: [] },
      expect: 'ruled-out',
    },
    {
      name: 'a listener takes it here',
      given: { attempt: REFUSED, sockets: listening(), otherNamespaces: CONTAINER },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://man7.org/linux/man-pages/man7/network_namespaces.7.html',
    'net/ipv4/inet_hashtables.c: compute_score()',
  ],
});
