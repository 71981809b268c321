import { type Cause, contradicts, defineCause, type Remedy, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Link } from '../model/facts/links.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening, listeningElsewhere, NOTHING_LISTENS, REFUSED, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, processName, refusedByTcp, socketWeight } from './shared-listener.ts';

function vrfOf(attempt: Attempt, links: readonly Link[] | undefined): string | undefined {
  return links?.find(({ name }) => name === attempt.inDevice)?.vrf;
}

function otherOf({ mismatched }: SocketTable): SocketTable['mismatched'][number]['listener'] | undefined {
  return mismatched.find(({ why }) => why === 'device')?.listener;
}

export const cause: Cause = defineCause({
  id: 'listener-wrong-device-or-vrf',
  title: 'The port has a listener, but only for another interface or VRF',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'kernelTrace', 'packetFilter', 'links', 'sysctls'],
  assess({ attempt, sockets, counters, kernelTrace, packetFilter, links, sysctls }) {
    if (attempt.side !== 'server') return [];
    const { port } = attempt.server;
    const [taker] = sockets.matching;
    if (taker !== undefined) return [contradicts('conclusive', 'sockets', `${listenerName(taker)} takes the SYN`)];
    const other = otherOf(sockets);
    if (other === undefined) {
      return sockets.mismatched.length === 0
        ? [contradicts('conclusive', 'sockets', `nothing listens on port ${port} at all`)]
        : [];
    }
    const vrf = vrfOf(attempt, links);
    const device = attempt.inDevice ?? 'another interface';
    const evidence = [
      supports(
        socketWeight(attempt),
        'sockets',
        `${listenerName(other)} does not take SYNs that come in through ${device}${vrf === undefined ? '' : ` of VRF ${vrf}`}`,
      ),
    ];
    const accept = sysctlNumber(sysctls, 'net.ipv4.tcp_l3mdev_accept');
    if (other.device === undefined && vrf !== undefined && accept === 0) {
      evidence.push(
        supports(
          'strong',
          'sysctls',
          'net.ipv4.tcp_l3mdev_accept is 0: sockets of the default VRF take no SYN of another',
        ),
      );
    }
    return [...evidence, ...refusedByTcp({ attempt, counters, kernelTrace, packetFilter })];
  },
  sentence({ attempt, sockets, links }) {
    const other = otherOf(sockets);
    const vrf = vrfOf(attempt, links);
    const bound = other?.device === undefined ? 'outside of that VRF' : `for device ${other.device} only`;
    const came = `${attempt.inDevice ?? 'another interface'}${vrf === undefined ? '' : ` (VRF ${vrf})`}`;
    const who = other === undefined ? 'The listener' : processName(other);
    return `${who} listens on port ${attempt.server.port} ${bound}, but the SYN comes in through ${came}, so it is refused with RST`;
  },
  remedies({ attempt, sockets, links }) {
    const other = otherOf(sockets);
    const vrf = vrfOf(attempt, links);
    const who = other?.owners[0]?.name ?? 'the service';
    const unbound: Remedy = {
      id: 'bind-device',
      title: `Let ${who} listen for the interface of the SYN`,
      risk: 'medium',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text:
            vrf === undefined
              ? `Take SO_BINDTODEVICE (an interface in its listen setting) away from ${who}, or name ${attempt.inDevice ?? 'the right interface'}.`
              : `Start it inside the VRF: ip vrf exec ${vrf} COMMAND.`,
        },
      ],
    };
    if (vrf === undefined || other?.device !== undefined) return [unbound];
    return [
      unbound,
      {
        id: 'l3mdev-accept',
        title: 'Let sockets of the default VRF take connections of all VRFs; that opens every such service to them',
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_l3mdev_accept', value: '1' }],
      },
    ];
  },
  explanation: `
A socket with \`SO_BINDTODEVICE\` takes SYNs of that interface alone. Interfaces that belong to a VRF count as that VRF: a socket of the default VRF
takes none of their SYNs unless \`net.ipv4.tcp_l3mdev_accept=1\` (it governs IPv6 as well). Such a SYN finds no socket and gets RST.

Be sure: \`ss -ltn\` shows the device behind a percent sign (\`0.0.0.0%eth1:443\`); \`ip link show DEVICE\` names its master.

\`compute_score()\` → \`inet_sk_bound_dev_eq()\` / \`inet_bound_dev_eq()\` decide, with \`dif\` and \`sdif\` of the packet (Linux 4.14 and later for VRF).
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'no socket has the port at all' },
    { id: 'listener-in-other-netns', toldApartBy: 'the listener is in another network namespace' },
    { id: 'netfilter-reject-in', toldApartBy: 'TcpOutRsts stands still there' },
  ],
  scenario: {
    plan: ({ family }) => ({
      listener: { address: family === 4 ? '0.0.0.0' : '::', device: 'lo' },
      steps: [],
    }),
  },
  examples: [
    {
      name: 'bound to another device',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('device', { device: 'eth1' }),
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the SYN comes in through a VRF',
      given: {
        attempt: { ...SUPPOSED, inDevice: 'eth0' },
        sockets: listeningElsewhere('device', {}),
        links: [
          {
            index: 2,
            name: 'eth0',
            flags: ['UP'],
            operState: 'UP',
            master: 'blue',
            vrf: 'blue',
            xdp: [],
            counters: {},
            growth: {},
          },
        ],
        sysctls: { 'net.ipv4.tcp_l3mdev_accept': '0' },
      },
      expect: 'confirmed',
    },
    {
      name: 'the RST was not sent by TCP',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('device', { device: 'eth1' }),
        counters: exampleCounters({}, 'TcpOutRsts'),
      },
      expect: 'ruled-out',
    },
    { name: 'nothing has the port', given: { attempt: REFUSED, sockets: NOTHING_LISTENS }, expect: 'ruled-out' },
    { name: 'a listener takes it', given: { attempt: REFUSED, sockets: listening() }, expect: 'ruled-out' },
  ],
  references: ['https://docs.kernel.org/networking/vrf.html', 'https://man7.org/linux/man-pages/man7/socket.7.html'],
});
