import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { clientSaw } from './shared-example-handshakes.ts';
import { routeBackV4, SOURCE_REFUSED } from './shared-example-hits.ts';
import { exampleCounters } from './shared-examples.ts';
import { afterSynAck, sighted } from './shared-final-ack.ts';
import { stoodStill, tracedSyn } from './shared-silence.ts';
import { knownRpFilter, rpFilterText, sourceRefused } from './shared-source-check.ts';

const TIMED_OUT = clientSaw(
  'half-open',
  { errno: 'ETIMEDOUT', elapsedMs: 3000 },
  '>syn',
  '<syn-ack',
  '>syn',
  '<syn-ack',
);

export const cause: Cause = defineCause({
  id: 'client-rp-filter',
  title: "The client's reverse path filter drops the SYN-ACK, which comes in on another interface",
  place: 'client',
  step: 'client-ip-in',
  sides: ['client'],
  needs: ['attempt', 'sysctls'],
  wants: ['counters', 'outgoingRoute', 'incomingRoute', 'kernelTrace'],
  assess({ attempt, sysctls, counters, outgoingRoute, incomingRoute, kernelTrace }) {
    const { connect, captured } = attempt;
    if (attempt.side !== 'client' || attempt.family !== 4 || connect === undefined) return [];
    if (connect.errno === undefined) return [contradicts('conclusive', 'attempt', 'connect() succeeded')];
    const answers = Math.max(attempt.synAcks, sighted(attempt, 'syn-ack', 'in'));
    if (captured && answers === 0) return [contradicts('conclusive', 'attempt', 'no SYN-ACK came to this host')];
    if (afterSynAck(attempt).acks > 0 || sighted(attempt, 'rst', 'out') > 0) {
      return [contradicts('conclusive', 'attempt', 'TCP of this host answered the SYN-ACK, so it got it')];
    }
    const device = answerDevice(attempt);
    const mode = knownRpFilter(sysctls, device);
    if (mode === undefined) return [];
    if (mode === 0) return [contradicts('conclusive', 'sysctls', 'rp_filter is off')];
    if (incomingRoute?.ok) {
      return [
        contradicts('conclusive', 'incomingRoute', `the input path takes the SYN-ACK (${incomingRoute.question})`),
      ];
    }
    const way = outgoingRoute?.ok ? outgoingRoute.device : undefined;
    const elsewhere = device !== undefined && way !== undefined && way !== device;
    if (mode === 1 && device !== undefined && way === device && incomingRoute === undefined) {
      return [
        contradicts(
          'strong',
          'outgoingRoute',
          `the SYN-ACK comes in on ${device}, through which the server is reached`,
        ),
      ];
    }
    const evidence: CauseEvidence[] = [];
    const refused = sourceRefused(incomingRoute);
    const filtered = watched(attempt, counters) ? grown(counters, 'TcpExtIPReversePathFilter') : 0;
    if (stoodStill(counters, 'TcpExtIPReversePathFilter')) {
      return [contradicts('conclusive', 'counters', 'IPReversePathFilter +0: the reverse path filter dropped nothing')];
    }
    if (filtered > 0) {
      const fits = filtered >= Math.max(1, answers);
      const decisive = fits && (refused || (mode === 1 && elsewhere)) && answers > 0;
      const statement = `IPReversePathFilter +${filtered} for ${formatQuantity(answers, 'SYN-ACK')}`;
      evidence.push(supports(decisive ? 'conclusive' : 'strong', 'counters', statement));
    }
    if (refused && incomingRoute !== undefined) {
      evidence.push(
        supports(
          'strong',
          'incomingRoute',
          `the input path refuses its source: ${incomingRoute.question} answers "${incomingRoute.message}"`,
        ),
      );
    }
    if (elsewhere) {
      evidence.push(
        supports(
          'strong',
          'outgoingRoute',
          `the SYN-ACK comes in on ${device}, and the route to the server leaves through ${way}`,
        ),
      );
    }
    if (evidence.length > 0) evidence.push(supports('moderate', 'sysctls', rpFilterText(sysctls, device)));
    return [...evidence, ...tracedSyn(kernelTrace, { reasons: /^IP_RPFILTER$/ }, 'syn-ack')];
  },
  sentence({ attempt, outgoingRoute, sysctls }) {
    const device = answerDevice(attempt) ?? 'one interface';
    const way = outgoingRoute?.device ?? 'another';
    return `The SYN-ACK of ${formatEndpoint(attempt.server)} comes in on ${device}, but the route to it leaves through ${way}, and ${rpFilterText(sysctls, answerDevice(attempt))} drops it`;
  },
  remedies({ attempt }) {
    const device = answerDevice(attempt);
    if (device === undefined) return [];
    return [
      {
        id: 'loose-filter',
        title: `Let ${device} take packets whose way back leaves through any interface`,
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'sysctl', key: `net.ipv4.conf.${device}.rp_filter`, value: '2' }],
      },
      {
        id: 'one-way',
        title: 'Let SYN and SYN-ACK take the same interface',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Route the server through the interface to which the socket is bound, or do not bind it (policy routing by source address for a host with two uplinks)',
          },
        ],
      },
    ];
  },
  explanation: `
A client with two interfaces sends its SYN through one of them (because the socket is bound to a device or an address, or by a rule) while its route to the server leaves through the other. The SYN-ACK
comes back on the first one, and \`rp_filter=1\` drops it there: the best way to the server is not that interface. The server's capture looks healthy, the client repeats its SYN.

Be sure: \`IPReversePathFilter\` on the client grows with the SYN-ACKs that its capture shows, and \`ip route get SERVER\` names another interface than the one on which they
come in.

Linux 6.18: \`__fib_validate_source()\`, drop reason IP_RPFILTER. IPv6 has no such filter.
`,
  confusedWith: [
    { id: 'client-input-drop', toldApartBy: 'there a rule drops, and IPReversePathFilter stands still' },
    { id: 'return-path-lost', toldApartBy: 'there no SYN-ACK comes to the client' },
    { id: 'rp-filter-strict', toldApartBy: 'the same on the server, for the SYN' },
  ],
  scenario: {
    families: [4],
    plan: ({ ip, server, clientDevice }) => ({
      steps: [
        { on: 'client', run: ['ip', 'link', 'add', 'side0', 'type', 'veth', 'peer', 'name', 'side1'] },
        { on: 'client', run: ['ip', 'link', 'set', 'side0', 'up'] },
        { on: 'client', run: ['ip', 'link', 'set', 'side1', 'up'] },
        { on: 'client', run: [...ip, 'route', 'add', `${server}/32`, 'dev', 'side0'] },
        { on: 'client', sysctl: { 'net.ipv4.conf.all.rp_filter': 1 } },
      ],
      attempt: { device: clientDevice },
      expect: { server: ['return-path-lost', 'final-ack-lost', 'client-rp-filter'] },
    }),
  },
  examples: [
    {
      name: 'in on eth0, the route to the server through eth1',
      given: {
        attempt: { ...TIMED_OUT, inDevice: 'eth0' },
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1', 'net.ipv4.conf.eth0.rp_filter': '0' },
        counters: exampleCounters({ TcpExtIPReversePathFilter: 2 }),
        outgoingRoute: routeBackV4('eth1'),
        incomingRoute: SOURCE_REFUSED,
      },
      expect: 'confirmed',
    },
    {
      name: 'the filter dropped nothing',
      given: {
        attempt: { ...TIMED_OUT, inDevice: 'eth0' },
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1' },
        counters: { ...exampleCounters({}), now: { TcpExtIPReversePathFilter: 44 } },
        outgoingRoute: routeBackV4('eth1'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'it dropped something, but the SYN-ACK comes in where the route leaves',
      given: {
        attempt: { ...TIMED_OUT, inDevice: 'eth0' },
        sysctls: { 'net.ipv4.conf.all.rp_filter': '1' },
        counters: exampleCounters({ TcpExtIPReversePathFilter: 2 }),
        outgoingRoute: routeBackV4('eth0'),
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/ip-sysctl.html', 'net/ipv4/fib_frontend.c: __fib_validate_source()'],
});

function answerDevice({ sightings, inDevice }: Attempt): string | undefined {
  return sightings.find(({ segment, direction }) => segment === 'syn-ack' && direction === 'in')?.device ?? inDevice;
}
