import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { SOURCE_REFUSED, TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters, NO_ROUTE_BACK } from './shared-examples.ts';
import { addRoute, wayBack } from './shared-gateway.ts';
import { clientName, expectedSyns, hasClient, stoodStill, synArrived, theSyns, tracedSyn } from './shared-silence.ts';
import { dropsBeforeRouting, knownRpFilter, rpFilterText, sourceRefused } from './shared-source-check.ts';

export const cause: Cause = defineCause({
  id: 'rp-filter-no-route',
  title: 'The server has no route back to the client, and its reverse path filter drops the SYN',
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'outgoingRoute', 'sysctls'],
  wants: ['incomingRoute', 'counters', 'kernelTrace', 'networkChanges', 'routes', 'neighbours', 'packetFilter'],
  assess({ attempt, outgoingRoute, sysctls, incomingRoute, counters, kernelTrace, networkChanges, packetFilter }) {
    if (!synArrived(attempt) || attempt.family !== 4 || !hasClient(attempt) || attempt.inDevice === 'lo') return [];
    if (attempt.synAcks > 0) {
      return [contradicts('conclusive', 'attempt', 'a SYN-ACK was sent for this attempt, so there was a route')];
    }
    if (outgoingRoute.ok) {
      const way = outgoingRoute.gateway ?? outgoingRoute.device ?? 'a route';
      return [
        contradicts('conclusive', 'outgoingRoute', `the lookup ${outgoingRoute.question} finds a route (${way})`),
      ];
    }
    const mode = knownRpFilter(sysctls, attempt.inDevice);
    if (mode === undefined) return [];
    if (mode === 0) {
      return [contradicts('conclusive', 'sysctls', 'rp_filter is off: the IP layer does not look for a way back')];
    }
    if (incomingRoute?.ok) {
      return [
        contradicts('conclusive', 'incomingRoute', `the input path takes a SYN from there (${incomingRoute.question})`),
      ];
    }
    const expected = expectedSyns(attempt);
    // A route or rule that refuses the client ends the source check just as none at all; what to repair is then that route or rule.
    const refused = outgoingRoute.failure !== 'no-route';
    const lookup = `route lookup ${outgoingRoute.question} answers "${outgoingRoute.message}"`;
    const evidence: CauseEvidence[] = [
      refused
        ? contradicts('moderate', 'outgoingRoute', `${lookup}: a route or rule refuses the way back`)
        : supports('conclusive', 'outgoingRoute', lookup),
      supports('strong', 'sysctls', `${rpFilterText(sysctls, attempt.inDevice)}: a SYN without a way back is dropped`),
    ];
    if (sourceRefused(incomingRoute) && incomingRoute !== undefined) {
      evidence.push(
        supports(
          'strong',
          'incomingRoute',
          `the input path refuses the source: ${incomingRoute.question} answers "${incomingRoute.message}"`,
        ),
      );
    }
    if (watched(attempt, counters)) {
      const filtered = grown(counters, 'TcpExtIPReversePathFilter');
      if (filtered >= expected) {
        evidence.push(supports('strong', 'counters', `IPReversePathFilter +${filtered} for ${theSyns(attempt)}`));
      } else if (stoodStill(counters, 'TcpExtIPReversePathFilter')) {
        evidence.push(
          contradicts('conclusive', 'counters', 'IPReversePathFilter +0: the reverse path filter dropped nothing'),
        );
      }
    }
    const earlier = dropsBeforeRouting(packetFilter, attempt);
    if (earlier !== undefined) evidence.push(earlier);
    evidence.push(...tracedSyn(kernelTrace, { reasons: /^IP_RPFILTER$/ }));
    const deleted = networkChanges?.find(({ what, beforeMs }) => what === 'route-deleted' && beforeMs > 0);
    if (deleted !== undefined) {
      const seconds = Math.round(deleted.beforeMs / 1000);
      evidence.push(
        supports('weak', 'networkChanges', `${deleted.text} was deleted ${seconds} s before the first SYN`),
      );
    }
    return evidence;
  },
  sentence({ attempt, sysctls }) {
    return `The server has no route back to ${clientName(attempt)}, and with ${rpFilterText(sysctls, attempt.inDevice)} the IP layer drops ${theSyns(attempt)} before the listener sees it`;
  },
  remedies(facts) {
    const way = wayBack(facts);
    return [
      {
        id: 'add-default-route',
        title:
          way === undefined
            ? 'Give the server a route back to the client: its default route, as its configuration names it'
            : `Give the server its route back to the client: ${way.reason}`,
        risk: 'medium',
        auto: way === undefined ? 'never' : 'with-consent',
        changes: [addRoute(facts, way)],
      },
    ];
  },
  explanation: `
The reverse path filter looks up the source of each IPv4 packet that comes in. When there is no route at all to it, the packet is dropped, with \`rp_filter=1\`
(strict) as well as with \`rp_filter=2\` (loose, the default of systemd). The listener is never reached: \`ListenDrops\` and \`IpOutNoRoutes\` stand still, and
\`IPReversePathFilter\` grows by one for each SYN.

This is \`no-return-route\` with another symptom. Do not turn rp_filter off: the SYN would then reach TCP, which has no route for its answer either.

Be sure: \`ip route get CLIENT\` on the server answers "Network is unreachable", and \`nstat -az TcpExtIPReversePathFilter\` grows with the SYNs. When that lookup finds a
route through another interface, it is \`rp-filter-strict\`.

The value in force is the larger of \`net.ipv4.conf.all.rp_filter\` and that of the interface. IPv6 has no reverse path filter in its stack.

Linux 6.18: \`__fib_validate_source()\`, label \`last_resort\`, returns the drop reason IP_RPFILTER; \`ip route get SERVER from CLIENT iif DEVICE\` fails with EINVAL
(EXDEV before 6.13).
`,
  confusedWith: [
    { id: 'no-return-route', toldApartBy: 'with rp_filter=0, and on IPv6, ListenDrops moves instead' },
    { id: 'rp-filter-strict', toldApartBy: 'there a route exists, through another interface' },
    {
      id: 'martian-source',
      toldApartBy: "there the source is one of the server's own addresses, and no counter moves",
    },
    { id: 'netfilter-drop-in', toldApartBy: 'a rule drops there, and IPReversePathFilter stands still' },
  ],
  scenario: {
    families: [4],
    variants: ['strict', 'one-interface'],
    plan: ({ ip, serverDevice }, variant) => ({
      steps: [
        {
          on: 'server',
          sysctl:
            variant === 'one-interface'
              ? { [`net.ipv4.conf.${serverDevice}.rp_filter`]: 1 }
              : { 'net.ipv4.conf.all.rp_filter': variant === 'strict' ? 1 : 2 },
        },
        { on: 'server', run: [...ip, 'route', 'del', 'default'] },
      ],
    }),
  },
  examples: [
    {
      name: 'rp_filter 2, no default route, one drop for each SYN',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, syns: 3 },
        outgoingRoute: NO_ROUTE_BACK,
        sysctls: { 'net.ipv4.conf.all.rp_filter': '2', 'net.ipv4.conf.eth0.rp_filter': '0' },
        incomingRoute: SOURCE_REFUSED,
        counters: exampleCounters({ TcpExtIPReversePathFilter: 3 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, observed: false, captured: false, syns: 0, sightings: [] },
        outgoingRoute: NO_ROUTE_BACK,
        sysctls: { 'net.ipv4.conf.all.rp_filter': '0', 'net.ipv4.conf.eth0.rp_filter': '1' },
        incomingRoute: SOURCE_REFUSED,
      },
      expect: 'confirmed',
    },
    {
      name: 'rp_filter is off: the SYN reaches TCP',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        outgoingRoute: NO_ROUTE_BACK,
        sysctls: { 'net.ipv4.conf.all.rp_filter': '0', 'net.ipv4.conf.eth0.rp_filter': '0' },
        incomingRoute: TAKEN_IN,
      },
      expect: 'ruled-out',
    },
    {
      name: 'a route refuses the way back: the filter drops for that',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        outgoingRoute: { ...NO_ROUTE_BACK, failure: 'prohibit', message: 'Permission denied' },
        sysctls: { 'net.ipv4.conf.all.rp_filter': '2' },
        counters: exampleCounters({ TcpExtIPReversePathFilter: 1 }),
      },
      expect: 'likely',
    },
    {
      name: 'the filter dropped nothing: something else did',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        outgoingRoute: NO_ROUTE_BACK,
        sysctls: { 'net.ipv4.conf.all.rp_filter': '2' },
        counters: { ...exampleCounters({}), now: { TcpExtIPReversePathFilter: 9 } },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/ip-sysctl.html',
    'net/ipv4/fib_frontend.c: __fib_validate_source()',
    'RFC 3704',
  ],
});
