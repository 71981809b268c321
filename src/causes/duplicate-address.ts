import { type Cause, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, ROUTE_OUT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'duplicate-address',
  title: 'Two hosts on the link claim the same address',
  place: 'path',
  step: 'client-neighbour',
  sides: ['client', 'server'],
  needs: ['attempt', 'neighbourActivity'],
  wants: ['outgoingRoute', 'addresses', 'kernelLog'],
  assess({ attempt, neighbourActivity, outgoingRoute, addresses, kernelLog }) {
    const hop = outgoingRoute?.gateway ?? (attempt.side === 'client' ? attempt.server.address : attempt.client.address);
    const own = new Set((addresses ?? []).map(({ address }) => address));
    const evidence = [];
    const twice = neighbourActivity.find(
      ({ target, answeredBy, direction }) => direction === 'out' && target === hop && answeredBy.length > 1,
    );
    if (twice !== undefined) {
      evidence.push(
        supports(
          'conclusive',
          'neighbourActivity',
          `${twice.answeredBy.join(' and ')} both answer for ${twice.target}`,
        ),
      );
    }
    // Somebody else answers a question about an address of this host.
    const stolen = neighbourActivity.find(
      ({ target, answeredBy, direction }) => direction === 'out' && own.has(target) && answeredBy.length > 0,
    );
    if (stolen !== undefined) {
      evidence.push(
        supports(
          'conclusive',
          'neighbourActivity',
          `${stolen.answeredBy.join(' and ')} answers for ${stolen.target}, which is an address of this host`,
        ),
      );
    }
    const line = kernelLog?.find(({ text }) => /duplicate address/i.test(text));
    if (line !== undefined) evidence.push(supports('moderate', 'kernelLog', line.text));
    return evidence;
  },
  sentence({ attempt, neighbourActivity, outgoingRoute }) {
    const hop = outgoingRoute?.gateway ?? attempt.server.address;
    const twice = neighbourActivity.find(({ answeredBy }) => answeredBy.length > 1);
    return `Two hosts on the link claim ${twice?.target ?? hop} (${(twice?.answeredBy ?? []).join(', ')}), so packets go now to one and now to the other`;
  },
  remedies() {
    return [
      {
        id: 'remove-duplicate',
        title: 'Find the second host by its MAC address, and give it another address',
        risk: 'high',
        auto: 'never',
        changes: [
          { kind: 'advice', text: 'arping -D -I DEVICE ADDRESS; the switch knows on which port a MAC address is.' },
        ],
      },
    ];
  },
  explanation: `
Two hosts have the same address. Whoever answers the ARP request last gets the packets: connections work, are refused, or time out in turn, and the MAC address and the TTL of the
answers change. IPv6 notices by itself: duplicate address detection leaves one of the two unusable (dadfailed).

Redundancy protocols (VRRP, CARP) answer from one MAC at a time, so two answers to one request are no sign of them. Be sure: \`arping -D\`, or two MAC addresses that answer.
`,
  confusedWith: [
    { id: 'ipv6-dad-failed', toldApartBy: 'IPv6 marks the address as dadfailed' },
    { id: 'wrong-mac', toldApartBy: 'only one host has the address; the sender remembers an old one' },
  ],
  scenario: { impossible: 'it needs two hosts on one link, and the links of the lab have two ends' },
  examples: [
    {
      name: 'two answers for the gateway',
      given: {
        attempt: CLIENT_ATTEMPT,
        outgoingRoute: ROUTE_OUT,
        neighbourActivity: [
          {
            device: 'eth0',
            target: '198.51.100.1',
            direction: 'out',
            requests: 1,
            replies: 2,
            answeredBy: ['02:00:00:00:00:01', '02:00:00:00:00:02'],
          },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'one answer',
      given: {
        attempt: CLIENT_ATTEMPT,
        outgoingRoute: ROUTE_OUT,
        neighbourActivity: [
          {
            device: 'eth0',
            target: '198.51.100.1',
            direction: 'out',
            requests: 1,
            replies: 1,
            answeredBy: ['02:00:00:00:00:01'],
          },
        ],
      },
      expect: 'not-indicated',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc5227', 'https://www.rfc-editor.org/rfc/rfc4862#section-5.4'],
});
