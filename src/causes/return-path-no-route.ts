import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FactMap } from '../model/facts/facts.ts';
import { formatQuantity } from '../model/text.ts';
import { EXAMPLE_ATTEMPT, EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { ANSWERED_IN_VAIN } from './shared-examples-server.ts';
import { closedPortAnswers } from './shared-refusal.ts';
import { settledOnTheWire, unacknowledged } from './shared-synack.ts';

type TowardsServer = Attempt['icmpErrors'][number];

const NO_ROUTE: TowardsServer = {
  version: 6,
  type: 1,
  code: 0,
  from: '2001:db8:2::1',
  name: 'No Route to Destination',
  towards: 'server',
};
const NET_UNREACHABLE: TowardsServer = {
  version: 4,
  type: 3,
  code: 0,
  from: '192.0.2.254',
  name: 'Net Unreachable',
  towards: 'server',
};

/** Whether an ICMP error says that a router knows no way to the destination (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3.1). */
function saysNoRoute({ version, type, code }: TowardsServer): boolean {
  if (version === 6) return type === 1 && [0, 3, 6].includes(code);
  return type === 3 && [0, 1, 5, 6, 7, 8, 11, 12].includes(code);
}

/** The error of a router, not of the client, and not of this host, which tells itself so when its next hop does not answer. */
function refusalOf(attempt: Attempt, addresses: FactMap['addresses'] | undefined): TowardsServer | undefined {
  return attempt.icmpErrors.find(
    (error) =>
      error.towards === 'server' &&
      saysNoRoute(error) &&
      error.from !== attempt.server.address &&
      error.from !== attempt.client.address &&
      addresses?.some(({ address }) => address === error.from) !== true,
  );
}

export const cause: Cause = defineCause({
  id: 'return-path-no-route',
  title: 'A router on the way back has no route to the client',
  place: 'path',
  step: 'path-back',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['addresses', 'counters', 'sockets', 'pathProbe'],
  assess({ attempt, addresses, counters, sockets, pathProbe }) {
    if (attempt.side === 'client') return closedPortAnswers({ attempt, pathProbe });
    const settled = settledOnTheWire(attempt);
    if (settled !== undefined) return settled;
    const refusal = refusalOf(attempt, addresses);
    if (refusal === undefined) {
      const other = attempt.icmpErrors.find(({ towards }) => towards === 'server');
      const said =
        other === undefined
          ? 'no ICMP error came back for the SYN-ACK'
          : `the ICMP error for the SYN-ACK says ${other.name}`;
      return [contradicts('strong', 'attempt', said)];
    }
    const count = attempt.icmpErrors.filter(({ towards }) => towards === 'server').length;
    const evidence: CauseEvidence[] = [
      supports(
        'conclusive',
        'attempt',
        `${refusal.from} answers the SYN-ACK with ICMP "${refusal.name}" (${formatQuantity(count, 'time')})`,
      ),
      unacknowledged(attempt),
    ];
    if (watched(attempt, counters) && attempt.family === 4) {
      const names = ['IcmpInDestUnreachs', 'TcpExtListenDrops'];
      if (names.every((name) => grown(counters, name) > 0)) {
        evidence.push(
          supports(
            'strong',
            'counters',
            `${formatGrowths(counters, names)}: each error removes the half-open connection, as if it were refused`,
          ),
        );
      }
    }
    if (sockets?.exact?.state === 'SYN-RECV')
      evidence.push(supports('weak', 'sockets', 'the half-open connection waits in SYN-RECV'));
    return evidence;
  },
  sentence({ attempt, addresses }) {
    const refusal = refusalOf(attempt, addresses);
    const said = refusal === undefined ? '' : ` ("${refusal.name}")`;
    return `The server answers, but ${refusal?.from ?? 'a router'} knows no way to ${attempt.client.address} and returns the SYN-ACK with an ICMP error${said}`;
  },
  remedies({ attempt, addresses }) {
    const from = refusalOf(attempt, addresses)?.from ?? 'the router';
    return [
      {
        id: 'repair-router',
        title: `Give ${from} a route to ${attempt.client.address}`,
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `Whoever runs ${from} must do it: ip route get ${attempt.client.address}, or show ip route, says what it knows there.`,
          },
        ],
      },
    ];
  },
  explanation: `
The SYN-ACK leaves the server, but a router behind it knows no way to the client and says so: ICMP net- or host-unreachable, ICMPv6 "no route to destination".

On IPv4 \`tcp_v4_err()\` finds the half-open connection and \`tcp_req_err()\` removes it. That counts \`ListenDrops\`: a graph of it looks like a full queue, although a SYN-ACK was sent and the fault is a router's. On IPv6
"no route" is not fatal: the request stays in SYN-RECV and is repeated.

Be sure: a capture on the server shows SYN, SYN-ACK, and an ICMP error that quotes the SYN-ACK; \`IcmpInDestUnreachs\` grows as \`ListenDrops\` does, \`IpOutNoRoutes\` does not.
`,
  confusedWith: [
    { id: 'no-return-route', toldApartBy: 'ListenDrops moves there too, but no SYN-ACK leaves' },
    { id: 'synack-neighbour-unresolved', toldApartBy: 'the ICMP error comes from the server itself' },
    { id: 'return-path-lost', toldApartBy: 'nobody says anything there' },
  ],
  scenario: {
    plan: ({ ip, elsewhere, family }) => ({
      // The client uses an address that the router cannot send to.
      steps: [{ on: 'client', run: [...ip, 'addr', 'add', `${elsewhere}/${family === 6 ? 128 : 32}`, 'dev', 'lo'] }],
      attempt: { sourceAddress: elsewhere },
    }),
  },
  examples: [
    {
      name: 'IPv6: no route to destination',
      given: { attempt: { ...ANSWERED_IN_VAIN, icmpErrors: [NO_ROUTE] } },
      expect: 'confirmed',
    },
    {
      name: 'IPv4: each error removes the request and counts in ListenDrops',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT_V4,
          syns: 2,
          synAcks: 2,
          icmpErrors: [NET_UNREACHABLE, NET_UNREACHABLE],
        },
        counters: exampleCounters({ IcmpInDestUnreachs: 2, TcpExtListenDrops: 2 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the server tells itself: its next hop does not answer',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT_V4,
          syns: 2,
          synAcks: 2,
          icmpErrors: [{ ...NET_UNREACHABLE, code: 1, from: '192.0.2.1' }],
        },
      },
      expect: 'ruled-out',
    },
    {
      name: 'a firewall refuses: administratively prohibited',
      given: {
        attempt: {
          ...ANSWERED_IN_VAIN,
          icmpErrors: [{ ...NO_ROUTE, code: 1, name: 'Communication Administratively Prohibited' }],
        },
      },
      expect: 'ruled-out',
    },
    { name: 'silence', given: { attempt: ANSWERED_IN_VAIN }, expect: 'ruled-out' },
    { name: 'no SYN-ACK left', given: { attempt: EXAMPLE_ATTEMPT }, expect: 'ruled-out' },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc1812#section-5.2.7.1',
    'https://www.rfc-editor.org/rfc/rfc4443#section-3.1',
    'net/ipv4/tcp_ipv4.c: tcp_v4_err()',
  ],
});
