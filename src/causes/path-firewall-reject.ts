import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { answeringIcmp, icmpAttempt, icmpKey, icmpStatement, NEIGHBOUR_TIMEOUT_MS } from './shared-icmp.ts';
import { nftChain } from './shared-lab-rules.ts';

/** Codes that routers send for no other reason than a filter (RFC 1812 section 5.2.7.1). */
const ONLY_FILTERS: ReadonlySet<string> = new Set(['4:3/9', '4:3/10', '6:1/5']);
/** A port is no business of a router: only a filter says so in the name of a host behind it. */
const PORT: ReadonlySet<string> = new Set(['4:3/3', '6:1/4', '4:3/2']);

export const cause: Cause = defineCause({
  id: 'path-firewall-reject',
  title: 'A firewall on the way refuses the connection',
  place: 'path',
  step: 'path-out',
  sides: ['client'],
  needs: ['attempt'],
  assess({ attempt }) {
    const answer = answeringIcmp(attempt);
    if (answer === undefined) return [];
    if (answer.sender !== 'router')
      return [contradicts('strong', 'attempt', `${icmpStatement(answer)}: nothing in between sent it`)];
    const key = icmpKey(answer.icmp);
    const statement = icmpStatement(answer);
    if (ONLY_FILTERS.has(key) || PORT.has(key))
      return [supports('conclusive', 'attempt', `${statement}: only a filter says so`)];
    if (key === '4:3/13' || key === '6:1/1') {
      return [
        supports('strong', 'attempt', statement),
        supports('moderate', 'attempt', 'filters say so far more often than prohibit routes do'),
      ];
    }
    if (key === '4:3/1' && answer.afterMs < NEIGHBOUR_TIMEOUT_MS) {
      return [supports('moderate', 'attempt', `${statement}: some filters say so, unreachable routes always do`)];
    }
    return [contradicts('strong', 'attempt', `${statement} is no error of a filter`)];
  },
  sentence({ attempt }) {
    return `${answeringIcmp(attempt)?.icmp.from ?? 'Something on the way'} refuses connections to ${attempt.server.address} port ${attempt.server.port}`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'ask-owner',
        title: `Ask whoever runs ${answeringIcmp(attempt)?.icmp.from ?? 'the firewall'} to let port ${attempt.server.port} through`,
        risk: 'high',
        auto: 'never',
        changes: [{ kind: 'advice', text: 'The source address of the ICMP error names the firewall.' }],
      },
    ];
  },
  explanation: `
Something between client and server refuses the SYN with an ICMP error: administratively prohibited (3/9, 3/10, 3/13; ICMPv6 1/1), policy (1/5), or port unreachable (3/3, 1/4), which
no router sends by itself. \`connect()\` fails with EHOSTUNREACH, EACCES (ICMPv6 1/1) or ECONNREFUSED (port unreachable). The source address of the error is the filter.

The first ICMP error may be ignored while \`connect()\` holds the socket; the call then fails at the second SYN, a second later. An error whose source is the server itself comes from the
server's own firewall.

Linux 6.18: \`tcp_v4_err()\`, \`tcp_v6_err()\`, \`icmp_err_convert\`.
`,
  confusedWith: [
    { id: 'netfilter-reject-in', toldApartBy: 'the source of the error is the server' },
    { id: 'router-reject-route', toldApartBy: 'a prohibit route gives 3/13 as well; only the router can tell' },
  ],
  scenario: {
    variants: ['port-unreachable'],
    plan: ({ port }, variant) => ({
      steps: [
        {
          on: 'router',
          nft: nftChain(
            { hook: 'forward' },
            `tcp dport ${port} reject with icmpx type ${variant ?? 'admin-prohibited'}`,
          ),
        },
      ],
      expect: {
        server: null,
        client: variant === undefined ? ['path-firewall-reject', 'router-reject-route'] : ['path-firewall-reject'],
      },
    }),
  },
  examples: [
    {
      name: 'port unreachable from a router',
      given: { attempt: icmpAttempt(3, 3, 'Port Unreachable', '203.0.113.1') },
      expect: 'confirmed',
    },
    {
      name: 'prohibited',
      given: { attempt: icmpAttempt(3, 13, 'Communication Administratively Prohibited', '203.0.113.1') },
      expect: 'likely',
    },
    {
      name: 'from the server itself',
      given: { attempt: icmpAttempt(3, 3, 'Port Unreachable', CLIENT_ATTEMPT.server.address) },
      expect: 'ruled-out',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc1812#section-5.2.7.1', 'net/ipv4/icmp.c: icmp_err_convert'],
});
