import { type Cause, contradicts, defineCause, type Remedy, supports } from '../model/cause.ts';
import type { Listener, SocketTable } from '../model/facts/sockets.ts';
import {
  fullListeners,
  hindranceOf,
  overflowEvidence,
  ownerState,
  queueState,
  stuckMembers,
} from './shared-accept-queue.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, processName } from './shared-listener.ts';

const OVERFLOWS = exampleCounters({ TcpExtListenOverflows: 4, TcpExtListenDrops: 4 });

function group(changes: Partial<Listener>): SocketTable {
  const [one] = listening().matching;
  const members = [one!, { ...one!, owners: [{ pid: 900, name: 'nginx' }], dropsDelta: 4, ...changes }];
  return { ...listening(), listeners: members, matching: members };
}

export const cause: Cause = defineCause({
  id: 'reuseport-stuck-member',
  title: 'One of several listeners that share the port does not accept',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'surroundings'],
  assess({ attempt, sockets, counters, surroundings }) {
    const overflow = overflowEvidence({ attempt, counters, sockets });
    if (overflow.some(({ bearing, weight }) => bearing === 'contradicts' && weight === 'conclusive')) return overflow;
    const [stuck] = stuckMembers(sockets);
    if (stuck === undefined) {
      if (fullListeners(sockets).length === 0) return [];
      const all =
        sockets.matching.length === 1 ? 'the port has one listener only' : 'every listener of the port is full';
      return [contradicts('conclusive', 'sockets', all)];
    }
    const members = sockets.matching.length;
    const room = sockets.matching.filter((one) => one !== stuck && one.acceptQueue <= one.backlog).length;
    const evidence = [
      ...overflow,
      supports(
        'strong',
        'sockets',
        `${members} listeners share the port; that of ${processName(stuck)} is full (${queueState(stuck)}), ${room} have room`,
      ),
    ];
    const [owner] = stuck.owners;
    if (owner !== undefined && hindranceOf(stuck) !== undefined) {
      evidence.push(
        contradicts('strong', 'sockets', `${processName(stuck)} cannot accept at all: ${ownerState(owner)}`),
      );
    }
    const { answered = 0, unanswered = 0 } = surroundings ?? {};
    if (answered > 0) {
      evidence.push(
        supports(
          'moderate',
          'surroundings',
          `of the attempts to the port ${answered} were answered and ${unanswered} were not: it depends on the client's port`,
        ),
      );
    }
    return evidence;
  },
  sentence({ sockets }) {
    const [stuck] = stuckMembers(sockets);
    const who = stuck === undefined ? 'One listener' : listenerName(stuck);
    const share =
      sockets.matching.length > 1 ? `about one connection in ${sockets.matching.length}` : 'some connections';
    return `${who} shares the port with others (SO_REUSEPORT) and does not accept its connections, so ${share} times out`;
  },
  remedies({ sockets }) {
    const [stuck] = stuckMembers(sockets);
    const owner = stuck?.owners[0];
    const end: Remedy = {
      id: 'close-stuck-listener',
      title: `Let the process that does not accept close its listener, or end it${owner === undefined ? '' : `: pid ${owner.pid} (${owner.name})`}`,
      risk: 'medium',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'Often it is an old process after a reload, or a listener that a child inherited and nobody accepts on. ss -ltnp shows the owner of each.',
        },
      ],
    };
    const migrate: Remedy = {
      id: 'migrate-requests',
      title: 'Let connections that wait move to another member when a listener of the group is closed (Linux 5.14)',
      risk: 'medium',
      auto: 'never',
      changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_migrate_req', value: '1' }],
    };
    return [end, migrate];
  },
  explanation: `
Listeners with \`SO_REUSEPORT\` share a port; the kernel chooses one for each SYN by a hash of addresses and ports (\`reuseport_select_sock()\`), whether or not it has room. A
member that nobody accepts on gets its share all the same: its accept queue fills, and from then on one connection in N times out. Retransmissions come from the same
port and meet the same member; a new connection may work.

\`ListenOverflows\` and \`ListenDrops\` move as with \`accept-queue-full\`.

Be sure: \`ss -ltnp sport = :PORT\` shows several rows, one of them with Recv-Q above Send-Q. \`net.ipv4.tcp_migrate_req\` helps only when the stuck listener is closed.
`,
  confusedWith: [
    { id: 'accept-queue-full', toldApartBy: 'the port has one listener, or all are full' },
    { id: 'listener-process-stopped', toldApartBy: 'the process of the member is stopped' },
    {
      id: 'path-firewall-drop-syn',
      toldApartBy: 'a path of several ways with a bad one also depends on the port, but the SYN does not arrive',
    },
  ],
  scenario: {
    plan: () => ({
      listener: { reusePort: true },
      steps: [
        { on: 'server', listen: { name: 'stuck', reusePort: true, accept: 'never', backlog: 1 } },
        // The hash of the port decides who gets a connection: enough of them fill the stuck one.
        { on: 'client', connect: { count: 16, patienceMs: 150 } },
      ],
      attempt: { count: 10, patienceMs: 1300 },
    }),
  },
  examples: [
    {
      name: 'one of two is full',
      given: { attempt: FOUR_SYNS, sockets: group({ acceptQueue: 512 }), counters: OVERFLOWS },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: the SYN may go to the other',
      given: { attempt: SUPPOSED, sockets: group({ acceptQueue: 512 }) },
      expect: 'likely',
    },
    {
      name: 'its process is stopped: that is the cause',
      given: {
        attempt: FOUR_SYNS,
        sockets: group({ acceptQueue: 512, owners: [{ pid: 900, name: 'nginx', state: 'T' }] }),
        counters: OVERFLOWS,
      },
      expect: 'likely',
    },
    {
      name: 'the only listener is full',
      given: { attempt: FOUR_SYNS, sockets: listening({ acceptQueue: 512, dropsDelta: 4 }), counters: OVERFLOWS },
      expect: 'ruled-out',
    },
    {
      name: 'no queue overflowed',
      given: {
        attempt: FOUR_SYNS,
        sockets: group({}),
        counters: exampleCounters({ TcpExtListenDrops: 4 }, 'TcpExtListenOverflows'),
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://lwn.net/Articles/542629/', 'net/core/sock_reuseport.c: reuseport_select_sock()'],
});
