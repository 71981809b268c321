import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, shortCounter, sysctlNumber, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Counters } from '../model/facts/facts.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { DROP_HIT, filterWith, TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { clientName, expectedSyns, reachedTcp, stoodStill, synArrived, theSyns, tracedSyn } from './shared-silence.ts';
import { sourceRefused } from './shared-source-check.ts';

const OTHER: LinkAddress = {
  family: 4,
  address: '192.0.2.99',
  prefixLength: 24,
  device: 'eth0',
  scope: 'global',
  flags: [],
};
const NOT_DELIVERED: RouteLookup = {
  command: TAKEN_IN.command,
  question: TAKEN_IN.question,
  ok: false,
  failure: 'unreachable',
  message: 'No route to host',
};

export const cause: Cause = defineCause({
  id: 'not-my-address',
  title: 'The SYN is for an address that this server does not have',
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'addresses'],
  wants: ['incomingRoute', 'sysctls', 'counters', 'sockets', 'surroundings', 'kernelTrace', 'packetFilter'],
  assess(facts) {
    const { attempt, addresses, incomingRoute, counters, kernelTrace, packetFilter } = facts;
    const { address } = attempt.server;
    if (!synArrived(attempt) || unspecified(address)) return [];
    const own = addresses.find((one) => one.address === address);
    if (own !== undefined) {
      return [contradicts('conclusive', 'addresses', `${address} is an address of this host (on ${own.device})`)];
    }
    if (incomingRoute?.ok && incomingRoute.type === 'local') {
      return [contradicts('conclusive', 'incomingRoute', `${address} is delivered to this host (a local route)`)];
    }
    const translated = packetFilter?.hits.some(
      ({ packet, verdict }) => packet === 'syn-in' && ['dnat', 'redirect', 'tproxy'].includes(verdict),
    );
    if (translated) {
      return [contradicts('conclusive', 'packetFilter', `a rule translates packets for ${address} to another address`)];
    }
    const contradiction = reachedTcp(facts);
    if (contradiction.length > 0) return contradiction;
    const missing = `${address} is none of the ${addresses.length} addresses of this host`;
    if (forwards(facts)) {
      const way = incomingRoute?.device ?? 'another interface';
      // A router forwards what is for others: then the fault lies behind it.
      const sent = supports('strong', 'incomingRoute', `${missing}, and the SYN is forwarded through ${way}`);
      const back = attempt.inDevice !== undefined && incomingRoute?.device === attempt.inDevice;
      const loop = 'it goes back where it came from: a loop of two routers, of which this is one';
      return back ? [sent, contradicts('moderate', 'incomingRoute', loop)] : [sent];
    }
    if (sourceRefused(incomingRoute)) return [supports('moderate', 'addresses', missing)];
    const errors = attempt.family === 4 ? 'IpInAddrErrors' : 'Ip6InAddrErrors';
    const evidence: CauseEvidence[] = [supports('strong', 'addresses', missing)];
    if (incomingRoute !== undefined && !incomingRoute.ok) {
      const answer = `${incomingRoute.question} answers "${incomingRoute.message ?? 'unreachable'}"`;
      evidence.push(
        supports(
          attempt.observed ? 'strong' : 'conclusive',
          'incomingRoute',
          `the input path does not deliver it: ${answer}`,
        ),
      );
    }
    if (watched(attempt, counters)) {
      const count = grown(counters, errors);
      if (count >= expectedSyns(attempt)) {
        evidence.push(supports('conclusive', 'counters', `${shortCounter(errors)} +${count} for ${theSyns(attempt)}`));
      } else if (stoodStill(counters, errors)) {
        evidence.push(
          contradicts('strong', 'counters', `${shortCounter(errors)} +0: nothing was refused for its address`),
        );
      }
    }
    return [...evidence, ...tracedSyn(kernelTrace, { reasons: /^IP_INADDRERRORS$/ })];
  },
  sentence(facts) {
    const { attempt } = facts;
    const { address, port } = attempt.server;
    const what = forwards(facts) ? 'forwards' : 'drops';
    return `${clientName(attempt)} wants port ${port} of ${address}, which is no address of this server, so it ${what} ${theSyns(attempt)}`;
  },
  remedies({ attempt, addresses }) {
    const { family, server, inDevice } = attempt;
    const device = inDevice ?? addresses.find((one) => one.family === family && one.scope === 'global')?.device;
    const prefixLength = family === 4 ? 32 : 128;
    return [
      ...(device === undefined
        ? []
        : [
            {
              id: 'add-address',
              title: `Give this server the address, when no other host has it`,
              risk: 'high' as const,
              auto: 'never' as const,
              changes: [
                { kind: 'address' as const, action: 'add' as const, address: server.address, prefixLength, device },
              ],
            },
          ]),
      {
        id: 'local-route',
        title: 'Take packets for the address without having it (anycast, load balancing)',
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'route',
            action: 'add',
            family,
            type: 'local',
            destination: `${server.address}/${prefixLength}`,
            device: 'lo',
            table: 'local',
          },
        ],
      },
    ];
  },
  explanation: `
The network sends the SYN to this host, but its destination is none of the host's addresses: a virtual address that moved to the other node, an address that was removed or
lost with its interface, a wrong prefix, a route of somebody else that points here. With forwarding off the kernel drops it without a word; with
forwarding on it sends the packet on, perhaps back where it came from, until the TTL is used up.

Be sure: the address is not in \`ip addr\`, \`ip route get ADDRESS from CLIENT iif DEVICE\` is not "local", and \`IpInAddrErrors\` (\`Ip6InAddrErrors\`) grows by one for each SYN.
A router whose forwarding was switched off shows exactly the same: only what the host is meant to be tells the two apart.

Linux 6.18: \`ip_route_input_slow()\` finds no local route and \`IN_DEV_FORWARD\` is off → \`ip_error()\`; \`ip6_forward()\`; drop reason IP_INADDRERRORS.
`,
  confusedWith: [
    { id: 'router-forwarding-off', toldApartBy: 'the same evidence; there the host is meant to forward' },
    { id: 'dnat-dead-backend', toldApartBy: 'there a rule translates the address first' },
    { id: 'ttl-exceeded-loop', toldApartBy: 'with forwarding on, the packet may loop until its TTL is used up' },
    { id: 'wrong-mac', toldApartBy: 'there the frame is addressed to another host' },
  ],
  scenario: {
    plan: ({ ip, elsewhere, server, family }) => ({
      steps: [{ on: 'router', run: [...ip, 'route', 'add', `${elsewhere}/${family === 4 ? 32 : 128}`, 'via', server] }],
      attempt: { address: elsewhere },
    }),
  },
  examples: [
    {
      name: 'a SYN for an address of somebody else, counted as such',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, syns: 2 },
        addresses: [OTHER],
        incomingRoute: NOT_DELIVERED,
        counters: exampleCounters({ IpInAddrErrors: 2 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'it is an address of this host',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        addresses: [{ ...OTHER, address: EXAMPLE_ATTEMPT_V4.server.address }],
        incomingRoute: TAKEN_IN,
      },
      expect: 'ruled-out',
    },
    {
      name: 'a router forwards it: the server is another host',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        addresses: [OTHER],
        incomingRoute: { ...TAKEN_IN, type: 'unicast', device: 'eth1' },
      },
      expect: 'likely',
    },
    {
      name: 'a rule translates the address',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        addresses: [OTHER],
        packetFilter: filterWith({ ...DROP_HIT, verdict: 'dnat', hook: 'prerouting', text: 'dnat to 10.0.0.7' }),
      },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/route.c: ip_route_input_slow(), ip_error()', 'net/ipv6/ip6_output.c: ip6_forward()'],
});

/**
 * Whether the host sends the SYN on to where it belongs. A lookup of IPv6 finds the way also when forwarding is off, and the kernel then
 * drops the packet all the same.
 */
function forwards({
  attempt,
  incomingRoute,
  sysctls,
  counters,
}: {
  readonly attempt: Attempt;
  readonly incomingRoute: RouteLookup | undefined;
  readonly sysctls: Readonly<Record<string, string>> | undefined;
  readonly counters: Counters | undefined;
}): boolean {
  if (incomingRoute?.ok !== true) return false;
  if (attempt.family === 6 && sysctlNumber(sysctls, 'net.ipv6.conf.all.forwarding') === 0) return false;
  const errors = attempt.family === 4 ? 'IpInAddrErrors' : 'Ip6InAddrErrors';
  return !(watched(attempt, counters) && grown(counters, errors) >= expectedSyns(attempt));
}

function unspecified(address: Attempt['server']['address']): boolean {
  return address === '0.0.0.0' || address === '::';
}
