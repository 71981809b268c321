import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, isSilent, ROUTE_OUT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-wrong-device',
  title: 'The SYN leaves through another interface than the route to the server',
  place: 'client',
  step: 'client-route',
  sides: ['client'],
  needs: ['attempt', 'outgoingRoute'],
  wants: ['neighbourActivity'],
  assess({ attempt, outgoingRoute, neighbourActivity }) {
    if (!isSilent(attempt) || !outgoingRoute.ok || outgoingRoute.device === undefined) return [];
    const { device } = outgoingRoute;
    const left = attempt.sightings.filter(({ segment, direction }) => segment === 'syn' && direction === 'out');
    const elsewhere = left.find((sighting) => sighting.device !== undefined && sighting.device !== device);
    if (elsewhere !== undefined && !left.some((sighting) => sighting.device === device)) {
      return [
        supports(
          'strong',
          'attempt',
          `the SYN left through ${elsewhere.device}, and the route to ${attempt.server.address} goes through ${device}`,
        ),
      ];
    }
    const asked = neighbourActivity?.find(
      ({ target, direction }) => target === attempt.server.address && direction === 'out',
    );
    if (asked?.device !== undefined && asked.device !== device && asked.replies === 0) {
      return [
        supports(
          'strong',
          'neighbourActivity',
          `${attempt.server.address} is looked for on the link of ${asked.device}, and the route to it goes through ${device}`,
        ),
      ];
    }
    return left.some((sighting) => sighting.device === device)
      ? [contradicts('conclusive', 'attempt', `the SYN left through ${device}, as the route says`)]
      : [];
  },
  sentence({ attempt, outgoingRoute }) {
    const device =
      attempt.sightings.find(({ segment, direction }) => segment === 'syn' && direction === 'out')?.device ??
      'another interface';
    return `The SYN to ${attempt.server.address} leaves through ${device}, while the route goes through ${outgoingRoute.device ?? 'another one'}: the socket is bound to a device or a VRF`;
  },
  remedies() {
    return [
      {
        id: 'bind-right-device',
        title: 'Let the program bind to the right interface or VRF, or to none',
        risk: 'low',
        auto: 'never',
        changes: [
          { kind: 'advice', text: 'ss -e shows the device of a socket; ip vrf exec NAME starts a program in a VRF.' },
        ],
      },
    ];
  },
  explanation: `
A socket that is bound to a device (SO_BINDTODEVICE), to a VRF, or whose packets carry a mark, is routed differently from what \`ip route get\` without these says.
With a device and no matching route, IPv4 even takes the destination for a neighbour on that link, and asks for it by ARP. The SYN leaves by the wrong
interface, or waits for an answer to ARP, and \`connect()\` times out.

Be sure: \`ip route get ADDRESS oif DEVICE\`, and \`ss -e\` for the socket of the program. Linux 6.18: \`ip_route_output_key_hash_rcu()\`.
`,
  confusedWith: [{ id: 'path-firewall-drop-syn', toldApartBy: 'the SYN left through the interface of the route' }],
  scenario: {
    impossible:
      'the socket that is bound is that of another program; the attempt that synscope makes is bound to no device',
  },
  examples: [
    {
      name: 'bound to the wrong interface',
      given: {
        attempt: {
          ...CLIENT_ATTEMPT,
          sightings: [{ segment: 'syn', direction: 'out', device: 'tun0', count: 2, linkDestination: 'unknown' }],
        },
        outgoingRoute: ROUTE_OUT,
      },
      expect: 'likely',
    },
    { name: 'as the route says', given: { attempt: CLIENT_ATTEMPT, outgoingRoute: ROUTE_OUT }, expect: 'ruled-out' },
  ],
  references: ['https://man7.org/linux/man-pages/man7/socket.7.html', 'https://docs.kernel.org/networking/vrf.html'],
});
