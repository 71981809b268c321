import { type Cause, type CauseEvidence, contradicts, defineCause, type Remedy, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import type { Route, RouteLookup } from '../model/facts/routing.ts';
import { routeBackV4, SOURCE_REFUSED, TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters, NO_ROUTE_BACK } from './shared-examples.ts';
import { clientName, expectedSyns, hasClient, stoodStill, synArrived, theSyns, tracedSyn } from './shared-silence.ts';
import { dropsBeforeRouting, knownRpFilter, rpFilterText, sourceRefused } from './shared-source-check.ts';

export const cause: Cause = defineCause({
  id: 'rp-filter-strict',
  title:
    'The way back to the client leaves through another interface, and the strict reverse path filter drops the SYN',
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'incomingRoute', 'outgoingRoute', 'sysctls'],
  wants: ['counters', 'kernelTrace', 'packetFilter', 'routes', 'addresses'],
  assess({ attempt, incomingRoute, outgoingRoute, sysctls, counters, kernelTrace, packetFilter, addresses }) {
    const { inDevice } = attempt;
    if (!synArrived(attempt) || attempt.family !== 4 || !hasClient(attempt) || inDevice === 'lo') return [];
    if (attempt.synAcks > 0) {
      return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it, so the SYN passed the source check')];
    }
    if (!attempt.observed) return supposed(attempt, outgoingRoute, sysctls, addresses);
    if (incomingRoute.ok) {
      return [contradicts('conclusive', 'incomingRoute', `the input path takes the SYN (${incomingRoute.question})`)];
    }
    const mode = knownRpFilter(sysctls, inDevice);
    if (mode === undefined || !sourceRefused(incomingRoute)) return [];
    if (mode !== 1) {
      const why = mode === 0 ? 'rp_filter is off' : 'rp_filter is 2, which takes any way back';
      return [contradicts('conclusive', 'sysctls', why)];
    }
    if (!outgoingRoute.ok) {
      return [contradicts('strong', 'outgoingRoute', 'there is no way back at all, through no interface')];
    }
    if (outgoingRoute.type === 'local') {
      return [
        contradicts('conclusive', 'outgoingRoute', `${attempt.client.address} is an address of this host itself`),
      ];
    }
    const elsewhere = outgoingRoute.device !== undefined && inDevice !== undefined && outgoingRoute.device !== inDevice;
    const asked = `${incomingRoute.question} answers "${incomingRoute.message}"`;
    const evidence: CauseEvidence[] = [
      supports(elsewhere ? 'conclusive' : 'strong', 'incomingRoute', `the input path refuses the source: ${asked}`),
    ];
    if (elsewhere) {
      const way = `the SYN comes in on ${inDevice}, and the way back leaves through ${outgoingRoute.device}`;
      evidence.push(supports('strong', 'outgoingRoute', way));
    }
    evidence.push(
      supports('moderate', 'sysctls', `${rpFilterText(sysctls, inDevice)}: both must be the same interface`),
    );
    if (watched(attempt, counters)) {
      const filtered = grown(counters, 'TcpExtIPReversePathFilter');
      if (filtered >= expectedSyns(attempt)) {
        evidence.push(supports('strong', 'counters', `IPReversePathFilter +${filtered} for ${theSyns(attempt)}`));
      } else if (stoodStill(counters, 'TcpExtIPReversePathFilter')) {
        evidence.push(
          contradicts('conclusive', 'counters', 'IPReversePathFilter +0: the reverse path filter dropped nothing'),
        );
      }
    }
    const earlier = dropsBeforeRouting(packetFilter, attempt);
    if (earlier !== undefined) evidence.push(earlier);
    return [...evidence, ...tracedSyn(kernelTrace, { reasons: /^IP_RPFILTER$/ })];
  },
  sentence({ attempt, outgoingRoute, sysctls, addresses }) {
    const { observed, inDevice: seen } = attempt;
    const inDevice = (observed ? seen : addressDevice(attempt, addresses)) ?? 'one interface';
    const out = outgoingRoute.device ?? 'another';
    const came = `comes in on ${inDevice}, but the route back leaves through ${out}`;
    return `What ${clientName(attempt)} sends ${came}, and ${rpFilterText(sysctls, inDevice)} drops ${theSyns(attempt)} for that`;
  },
  remedies({ attempt, routes }) {
    const { inDevice } = attempt;
    if (inDevice === undefined) return [];
    return [
      answerWhereItCameIn(attempt, inDevice, routes),
      {
        id: 'loose-filter',
        title: `Let ${inDevice} take packets whose way back leaves through any interface (the answer still leaves by the other one)`,
        risk: 'medium',
        auto: 'with-consent',
        changes: [{ kind: 'sysctl', key: `net.ipv4.conf.${inDevice}.rp_filter`, value: '2' }],
      },
    ];
  },
  explanation: `
With \`rp_filter=1\` the kernel takes an IPv4 packet only when the best route back to its source leaves through the interface on which it came in. A server with
two interfaces and one default route fails that for every client that comes in by the other one; so does a server whose VPN or cloud network has just added a
more specific route.

The SYN is dropped in the IP layer: \`IPReversePathFilter\` grows by one for each SYN, TCP sees nothing, the client times out.

Be sure: \`ip route get CLIENT\` names another interface than the one on which the SYN came in, and
\`ip route get SERVER from CLIENT iif DEVICE\` fails.

The cure is to answer through the interface of the request (policy routing by source address). \`rp_filter=2\` only lets the SYN in: the answer still leaves by the other
interface, where the next router may drop it as well.

The value in force is the larger of \`conf.all\` and that of the interface, so 2 on the interface is enough. IPsec packets are exempt; IPv6 has no such filter.

Linux 6.18: \`__fib_validate_source()\`, drop reason IP_RPFILTER, EINVAL of the input lookup (EXDEV before 6.13).
`,
  confusedWith: [
    { id: 'rp-filter-no-route', toldApartBy: 'there is no route at all there, and rp_filter=2 drops as well' },
    {
      id: 'martian-source',
      toldApartBy: 'there the source is an address of the server, and IPReversePathFilter stands still',
    },
    {
      id: 'return-path-asymmetric',
      toldApartBy: 'there rp_filter lets the SYN in, and the SYN-ACK leaves by the other interface',
    },
    { id: 'netfilter-drop-in', toldApartBy: 'a rule drops there, and IPReversePathFilter stands still' },
  ],
  scenario: {
    families: [4],
    variants: ['one-interface'],
    plan: ({ ip, serverDevice, clientPrefix, elsewhere }, variant) => ({
      steps: [
        { on: 'server', run: ['ip', 'link', 'add', 'side0', 'type', 'veth', 'peer', 'name', 'side1'] },
        { on: 'server', run: ['ip', 'link', 'set', 'side0', 'up'] },
        { on: 'server', run: ['ip', 'link', 'set', 'side1', 'up'] },
        { on: 'server', run: [...ip, 'addr', 'add', `${elsewhere}/32`, 'dev', 'side0'] },
        { on: 'server', run: [...ip, 'route', 'add', clientPrefix, 'dev', 'side0'] },
        {
          on: 'server',
          sysctl:
            variant === 'one-interface'
              ? { [`net.ipv4.conf.${serverDevice}.rp_filter`]: 1 }
              : { 'net.ipv4.conf.all.rp_filter': 1 },
        },
      ],
    }),
  },
  examples: [
    {
      name: 'in on eth0, back through eth1',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, syns: 4 },
        incomingRoute: SOURCE_REFUSED,
        outgoingRoute: routeBackV4('eth1'),
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1', 'net.ipv4.conf.eth0.rp_filter': '0' },
        counters: exampleCounters({ TcpExtIPReversePathFilter: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: the address is on eth0, and the way back leaves through eth1',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, observed: false, captured: false, syns: 0, sightings: [], inDevice: 'eth1' },
        incomingRoute: TAKEN_IN,
        outgoingRoute: routeBackV4('eth1'),
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1', 'net.ipv4.conf.eth0.rp_filter': '0' },
        addresses: [{ family: 4, address: '192.0.2.1', prefixLength: 24, device: 'eth0', scope: 'global', flags: [] }],
      },
      expect: 'likely',
    },
    {
      name: 'the source is an address of this host: a martian',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        incomingRoute: SOURCE_REFUSED,
        outgoingRoute: { ...routeBackV4('lo'), type: 'local' },
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'no route at all',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        incomingRoute: SOURCE_REFUSED,
        outgoingRoute: NO_ROUTE_BACK,
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1' },
      },
      expect: 'ruled-out',
    },
    {
      name: 'the input path takes the SYN',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        incomingRoute: TAKEN_IN,
        outgoingRoute: routeBackV4('eth1'),
        sysctls: { 'net.ipv4.conf.all.rp_filter': '2' },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/ip-sysctl.html',
    'net/ipv4/fib_frontend.c: __fib_validate_source()',
    'RFC 3704 section 2.2',
  ],
});

/** Of a SYN that is only supposed: it most likely comes in where the server's address is. */
function supposed(
  attempt: Attempt,
  outgoing: RouteLookup,
  sysctls: Readonly<Record<string, string>>,
  addresses: readonly LinkAddress[] | undefined,
): CauseEvidence[] {
  const device = addressDevice(attempt, addresses);
  if (device === undefined || device === 'lo' || !outgoing.ok || outgoing.type === 'local') return [];
  if (outgoing.device === undefined || outgoing.device === device || knownRpFilter(sysctls, device) !== 1) return [];
  const way = `the way back to ${attempt.client.address} leaves through ${outgoing.device}`;
  return [
    supports(
      'moderate',
      'addresses',
      `${attempt.server.address} is on ${device}, so a SYN for it most likely comes in there`,
    ),
    supports(
      'strong',
      'outgoingRoute',
      `${way}, and ${rpFilterText(sysctls, device)} drops what has no way back through ${device}`,
    ),
  ];
}

function addressDevice({ server }: Attempt, addresses: readonly LinkAddress[] | undefined): string | undefined {
  return addresses?.find(({ address }) => address === server.address)?.device;
}

/** A table of its own for packets of the address that was called: they leave through the interface of the request. */
function answerWhereItCameIn(attempt: Attempt, device: string, routes: readonly Route[] | undefined): Remedy {
  const gateway = routes
    ?.filter(({ family, type }) => family === attempt.family && type === 'unicast')
    .flatMap(({ nextHops }) => nextHops)
    .find((hop) => hop.device === device && hop.gateway !== undefined)?.gateway;
  return {
    id: 'policy-routing',
    title: `Answer packets of ${attempt.server.address} through ${device}, where they come in`,
    risk: 'medium',
    auto: 'never',
    changes: [
      {
        kind: 'route',
        action: 'add',
        family: 4,
        destination: 'default',
        via: gateway ?? 'GATEWAY',
        device,
        table: '101',
      },
      { kind: 'rule', action: 'add', family: 4, selector: ['from', attempt.server.address, 'lookup', '101'] },
    ],
  };
}
