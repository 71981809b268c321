import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { connectStatement, failedAtOnce, failedAttempt, noRouteOut, ROUTE_OUT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-link-down',
  title: 'The interface towards the server is down',
  place: 'client',
  step: 'client-route',
  sides: ['client'],
  needs: ['attempt', 'outgoingRoute', 'links'],
  wants: ['addresses', 'networkChanges'],
  assess({ attempt, outgoingRoute, links, addresses, networkChanges }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined) return [];
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'an answer came in, so the interface works')];
    const used = links.find(({ name }) => name === outgoingRoute.device);
    if (outgoingRoute.ok && used !== undefined) {
      if (used.operState !== 'DOWN' && used.operState !== 'LOWERLAYERDOWN' && !used.flags.includes('NO-CARRIER')) {
        return [contradicts('conclusive', 'links', `${used.name}, which has the route, is ${used.operState}`)];
      }
      return [
        supports(
          'conclusive',
          'links',
          `${used.name}, through which the route leads, is ${used.operState}${used.flags.includes('NO-CARRIER') ? ' (no carrier)' : ''}`,
        ),
      ];
    }
    if (outgoingRoute.failure !== 'no-route') return [];
    // A route goes with its interface: one that is down and has, or had, an address is why there is none.
    const down = links.filter(
      ({ name, flags, operState }) => name !== 'lo' && (!flags.includes('UP') || operState === 'DOWN'),
    );
    const up = links.filter(
      ({ name, flags, operState }) => name !== 'lo' && flags.includes('UP') && operState !== 'DOWN',
    );
    const [first] = down;
    if (first === undefined) return [contradicts('strong', 'links', 'every interface is up')];
    const addressed = down.filter(({ name }) =>
      addresses?.some(({ device, family }) => device === name && family === 4),
    );
    const evidence = [
      supports(
        up.length === 0 ? 'conclusive' : addressed.length > 0 ? 'strong' : 'weak',
        'links',
        up.length === 0
          ? `no interface but lo is up; ${first.name} is ${first.operState}`
          : `${(addressed[0] ?? first).name} is down, and its routes went with it`,
      ),
    ];
    if (failedAtOnce(attempt, 'ENETUNREACH')) evidence.push(supports('moderate', 'attempt', connectStatement(attempt)));
    const change = networkChanges?.find(({ what, beforeMs }) => what === 'link-down' && beforeMs > 0);
    if (change !== undefined) evidence.push(supports('moderate', 'networkChanges', change.text));
    return evidence;
  },
  sentence({ attempt, links, outgoingRoute }) {
    const name =
      outgoingRoute.device ??
      links.find((link) => link.name !== 'lo' && (!link.flags.includes('UP') || link.operState === 'DOWN'))?.name ??
      'an interface';
    return `${name} is down, so this host cannot send to ${attempt.server.address}`;
  },
  remedies({ links, outgoingRoute }) {
    const device =
      outgoingRoute.device ??
      links.find((link) => link.name !== 'lo' && (!link.flags.includes('UP') || link.operState === 'DOWN'))?.name;
    if (device === undefined) return [];
    return [
      {
        id: 'link-up',
        title: `Bring ${device} up; when it has no carrier, look at the cable, the switch port or the hypervisor`,
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'link', device, setting: ['up'] }],
      },
    ];
  },
  explanation: `
When an interface is taken down, the kernel removes the routes through it: \`connect()\` fails with ENETUNREACH at once. When only the carrier is lost (cable, switch
port, virtual machine), routes stay, marked \`linkdown\`; packets are queued or thrown away, and \`connect()\` times out, unless the sysctl
\`ignore_routes_with_linkdown\` lets the kernel skip them.

Be sure: \`ip link\` shows the state of the interface that has, or had, the route. Linux 6.18: \`fib_sync_down_dev()\`.
`,
  confusedWith: [{ id: 'client-no-route', toldApartBy: 'interfaces are up, and the tables have no route' }],
  scenario: {
    plan: ({ clientDevice }) => ({
      steps: [{ on: 'client', run: ['ip', 'link', 'set', clientDevice, 'down'] }],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'the only interface is down',
      given: {
        attempt: failedAttempt('ENETUNREACH'),
        outgoingRoute: noRouteOut('no-route', 'Network is unreachable'),
        links: [
          {
            index: 2,
            name: 'eth0',
            flags: ['BROADCAST', 'MULTICAST'],
            operState: 'DOWN',
            xdp: [],
            counters: {},
            growth: {},
          },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'it is up',
      given: {
        attempt: failedAttempt('ETIMEDOUT', 3000),
        outgoingRoute: ROUTE_OUT,
        links: [
          { index: 2, name: 'eth0', flags: ['UP', 'LOWER_UP'], operState: 'UP', xdp: [], counters: {}, growth: {} },
        ],
      },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/fib_semantics.c: fib_sync_down_dev()', 'https://docs.kernel.org/networking/operstates.html'],
});
