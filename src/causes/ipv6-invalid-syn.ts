import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Route, RouteLookup } from '../model/facts/routing.ts';
import { TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening } from './shared-examples-server.ts';
import { perSyn, refusalCounted, settledOtherwise } from './shared-refusal.ts';
import { expectedSyns, hasClient, stoodStill, synArrived } from './shared-silence.ts';

type Oddity = 'mapped source' | 'multicast destination' | 'anycast destination';

/** What is wrong with the addresses of the SYN; undefined when nothing is. */
function oddityOf(
  { client, server, family }: Attempt,
  incomingRoute: RouteLookup | undefined,
  routes: readonly Route[] | undefined,
): Oddity | undefined {
  if (family !== 6) return undefined;
  if (/^::ffff:/i.test(client.address)) return 'mapped source';
  if (/^ff/i.test(server.address)) return 'multicast destination';
  const anycast = routes?.some(
    ({ type, destination }) => type === 'anycast' && destination.replace(/\/128$/, '') === server.address,
  );
  return incomingRoute?.type === 'anycast' || anycast === true ? 'anycast destination' : undefined;
}

export const cause: Cause = defineCause({
  id: 'ipv6-invalid-syn',
  title: 'The addresses of the IPv6 SYN do not allow an answer',
  place: 'client',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['incomingRoute', 'routes', 'counters', 'sockets'],
  assess({ attempt, incomingRoute, routes, counters, sockets }) {
    if (attempt.family !== 6)
      return synArrived(attempt) ? [contradicts('conclusive', 'attempt', 'the SYN is IPv4')] : [];
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    const oddity = oddityOf(attempt, incomingRoute, routes);
    if (oddity === undefined) {
      return incomingRoute === undefined
        ? []
        : [contradicts('conclusive', 'attempt', 'its addresses are ordinary unicast addresses')];
    }
    const { client, server } = attempt;
    const what =
      oddity === 'mapped source'
        ? `the SYN comes from ${client.address}, an IPv4-mapped address that may not be on a wire`
        : `the SYN goes to ${server.address}, which is ${oddity === 'multicast destination' ? 'a multicast' : 'an anycast'} address`;
    const evidence: CauseEvidence[] = [
      supports('conclusive', oddity === 'anycast destination' ? 'incomingRoute' : 'attempt', what),
    ];
    if (oddity !== 'mapped source') {
      return [...evidence, ...refusalCounted({ attempt, counters, sockets })];
    }
    if (watched(attempt, counters)) {
      const errors = grown(counters, 'Ip6InHdrErrors');
      if (errors >= expectedSyns(attempt)) {
        evidence.push(
          supports(
            'strong',
            'counters',
            `${formatGrowths(counters, ['Ip6InHdrErrors'])}: ${perSyn(attempt, [errors])}`,
          ),
        );
      } else if (stoodStill(counters, 'Ip6InHdrErrors')) {
        evidence.push(contradicts('strong', 'counters', 'Ip6InHdrErrors did not move'));
      }
    }
    return evidence;
  },
  sentence({ attempt, incomingRoute, routes }) {
    const { client, server } = attempt;
    return oddityOf(attempt, incomingRoute, routes) === 'mapped source'
      ? `The SYN comes from the IPv4-mapped address ${client.address}, which may not be on a wire, so the kernel drops it without an answer`
      : `${server.address} is not a unicast address of this host, and TCP takes no connections to any other, so the kernel drops the SYN without an answer`;
  },
  remedies: ({ attempt }) => [
    {
      id: 'use-unicast-address',
      title: 'Use ordinary unicast addresses on both ends',
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: `Connect to a unicast address of the host instead of ${attempt.server.address}; a service that is announced as anycast in the routing sense has its address as an ordinary one on each host.`,
        },
      ],
    },
  ],
  explanation: `
TCP takes IPv6 connections only to unicast addresses: \`tcp_v6_conn_request()\` → \`ipv6_unicast_destination()\`. A SYN to an anycast address that the kernel knows as such (the subnet-router anycast address of a
forwarding host, RFC 4291 section 2.6.1, or one that a program joined with \`IPV6_JOIN_ANYCAST\`), or to a multicast address, is dropped; \`ListenDrops\` moves.

A SYN from an IPv4-mapped source (\`::ffff:192.0.2.1\`) is dropped as well, and counted in \`Ip6InHdrErrors\`: such addresses belong to the socket interface, not on a wire. A translator
that is configured badly sends them.

Be sure: look at the addresses in a capture; \`cat /proc/net/anycast6\` lists the anycast addresses.
`,
  confusedWith: [
    { id: 'lsm-conn-request', toldApartBy: 'only ListenDrops moves there too, with ordinary addresses' },
    { id: 'not-my-address', toldApartBy: 'there the host does not have the address at all' },
  ],
  scenario: {
    families: [6],
    requires: ['IPV6_JOIN_ANYCAST'],
    plan: ({ unusedOnServerLink }) => ({
      // The listener joins the anycast group of an address that nobody has (struct ipv6_mreq).
      listener: { options: [{ level: 41, option: 27, value: `${addressBytes(unusedOnServerLink)}00000000` }] },
      steps: [],
      attempt: { address: unusedOnServerLink },
    }),
  },
  examples: [
    {
      name: 'an anycast address',
      given: {
        attempt: FOUR_SYNS,
        incomingRoute: { ...TAKEN_IN, type: 'anycast' },
        counters: exampleCounters({ TcpExtListenDrops: 4 }),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'an IPv4-mapped source',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, client: { address: '::ffff:198.51.100.7', port: 50204 } },
        counters: exampleCounters({ Ip6InHdrErrors: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'ordinary addresses',
      given: { attempt: FOUR_SYNS, incomingRoute: TAKEN_IN, counters: exampleCounters({ TcpExtListenDrops: 4 }) },
      expect: 'ruled-out',
    },
    { name: 'IPv4', given: { attempt: EXAMPLE_ATTEMPT_V4 }, expect: 'ruled-out' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc4291#section-2.6', 'net/ipv6/tcp_ipv6.c: tcp_v6_conn_request()'],
});

/** The 16 bytes of an IPv6 address of the lab, in hexadecimal. */
function addressBytes(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string): string[] =>
    part === '' ? [] : part.split(':').map((group) => group.padStart(4, '0'));
  const missing = 8 - groups(head).length - groups(tail).length;
  return [...groups(head), ...new Array<string>(missing).fill('0000'), ...groups(tail)].join('');
}
