import type { CauseEvidence } from '../model/cause.ts';
import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { LinkAddress } from '../model/facts/links.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';
import { sighted } from './shared-final-ack.ts';
import { answeringIcmp, icmpAttempt, icmpKey, icmpStatement } from './shared-icmp.ts';

const sightings = (count: number): Attempt['sightings'] =>
  (['in', 'out'] as const).map((direction) => ({
    segment: 'syn',
    direction,
    device: 'eth0',
    count,
    linkDestination: 'host',
  }));
const CIRCLING: Attempt = { ...EXAMPLE_ATTEMPT_V4, syns: 1, inDevice: 'eth0', sightings: sightings(31) };
const BACK: RouteLookup = { ...TAKEN_IN, type: 'unicast', device: 'eth0' };

/** Linux repeats a SYN after one second, nobody after less than this. */
const REPEAT_MS = 200;

export const cause: Cause = defineCause({
  id: 'ttl-exceeded-loop',
  title: 'The SYN runs in circles until its TTL is used up',
  place: 'path',
  step: 'path-out',
  sides: ['client', 'server'],
  needs: ['attempt'],
  wants: ['addresses', 'incomingRoute'],
  assess(facts) {
    const { attempt } = facts;
    if (attempt.side === 'server') return passingThrough(facts);
    const answer = answeringIcmp(attempt);
    if (answer === undefined) return [];
    const key = icmpKey(answer.icmp);
    if (key !== '4:11/0' && key !== '6:3/0')
      return [contradicts('strong', 'attempt', `${icmpStatement(answer)} is another error`)];
    return [supports('conclusive', 'attempt', icmpStatement(answer))];
  },
  sentence({ attempt }) {
    if (attempt.side === 'server') {
      return `The SYN to ${attempt.server.address} runs in circles through this host, which has no such address and sends it back where it came from`;
    }
    return `The SYN to ${attempt.server.address} died at ${answeringIcmp(attempt)?.icmp.from ?? 'a router'} because its TTL was used up: there is a routing loop, or the TTL is too small`;
  },
  remedies({ attempt }) {
    const seenFrom = attempt.side === 'server' ? 'this host' : (answeringIcmp(attempt)?.icmp.from ?? 'that router');
    return [
      {
        id: 'find-loop',
        title: 'Find the two routers that send it to each other',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `traceroute ${attempt.server.address} shows the loop; look at the routes of ${seenFrom}`,
          },
        ],
      },
    ];
  },
  explanation: `
Each router takes one off the TTL (hop limit) of a packet and throws it away at zero, with ICMP "time exceeded" (type 11; ICMPv6 type 3). Routers that send a packet back to each other use
it up; so does a client that sends with a tiny TTL. \`connect()\` fails with EHOSTUNREACH.

Be sure: \`traceroute\` shows two addresses in turn. On the looping link the same SYN passes dozens of times with a falling TTL. Linux 6.18: \`ip_forward()\`, \`ip6_forward()\`.
`,
  confusedWith: [{ id: 'router-neighbour-unresolved', toldApartBy: 'the same errno, another ICMP error' }],
  scenario: {
    plan: ({ ip, elsewhere, elsewherePrefix, server, serverGateway, family }) => ({
      steps: [
        { on: 'router', run: [...ip, 'route', 'add', elsewherePrefix, 'via', server] },
        { on: 'server', sysctl: family === 4 ? { 'net.ipv4.ip_forward': 1 } : { 'net.ipv6.conf.all.forwarding': 1 } },
        { on: 'server', run: [...ip, 'route', 'replace', 'default', 'via', serverGateway] },
      ],
      attempt: { address: elsewhere },
    }),
  },
  examples: [
    {
      name: 'time exceeded',
      given: { attempt: icmpAttempt(11, 0, 'Time to Live exceeded in Transit', '203.0.113.9') },
      expect: 'confirmed',
    },
    {
      name: 'a host on the loop, which sees the SYN again and again',
      given: { attempt: CIRCLING, addresses: [], incomingRoute: BACK },
      expect: 'confirmed',
    },
    {
      name: 'the SYN is sent back once, as a router on a stick does',
      given: { attempt: { ...CIRCLING, sightings: sightings(1) }, addresses: [], incomingRoute: BACK },
      expect: 'possible',
    },
    {
      name: 'the address is here',
      given: {
        attempt: CIRCLING,
        addresses: [
          { family: 4, address: CIRCLING.server.address, prefixLength: 24, device: 'eth0', scope: 'global', flags: [] },
        ],
        incomingRoute: BACK,
      },
      expect: 'ruled-out',
    },
    { name: 'silence', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc792', 'net/ipv4/ip_forward.c: ip_forward()'],
});

/** What a host that lies on the loop can tell: it has not the address, and the same SYN comes in more often than it was sent. */
function passingThrough({
  attempt,
  addresses,
  incomingRoute,
}: {
  readonly attempt: Attempt;
  readonly addresses: readonly LinkAddress[] | undefined;
  readonly incomingRoute: RouteLookup | undefined;
}): CauseEvidence[] {
  const { server, inDevice } = attempt;
  if (addresses === undefined || !attempt.observed || attempt.syns === 0) return [];
  const own = addresses.find(({ address }) => address === server.address);
  if (own !== undefined || incomingRoute?.type === 'local') {
    return [contradicts('conclusive', 'addresses', `${server.address} is delivered to this host`)];
  }
  if (inDevice === undefined || incomingRoute?.ok !== true || incomingRoute.device !== inDevice) return [];
  const evidence = [
    supports('moderate', 'incomingRoute', `the SYN is sent back through ${inDevice}, where it came from`),
  ];
  const passes = sighted(attempt, 'syn', 'in');
  const sent = sentSyns(attempt);
  // A SYN that is sent back once (a router with one interface) comes in once; on a loop it comes until its TTL is used up.
  if (passes >= 3 * sent) {
    const what = sent === 1 ? 'one SYN' : `${sent} SYNs`;
    evidence.push(supports('conclusive', 'attempt', `${what} came in ${passes} times`));
  }
  return evidence;
}

/** How many SYNs the client sent: nobody repeats one within {@link REPEAT_MS}, so what comes sooner is the same one again. */
function sentSyns({ handshake, syns }: Attempt): number {
  let sent = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (const { kind, direction, timeNs } of handshake?.segments ?? []) {
    const atMs = Number(timeNs) / 1e6;
    if (kind !== 'syn' || direction !== 'to-server' || atMs - last < REPEAT_MS) continue;
    sent++;
    last = atMs;
  }
  return sent === 0 ? syns : sent;
}
