import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, connectStatement, OUTPUT_RULE } from './shared-client.ts';
import { filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { hitName, hitText, judgeFilter } from './shared-filter.ts';
import { outputRemedies } from './shared-filter-remedies.ts';
import { nftChain } from './shared-lab-rules.ts';

const REFUSED_HERE = {
  ...CLIENT_ATTEMPT,
  syns: 0,
  sightings: [],
  connect: { remote: CLIENT_ATTEMPT.server, errno: 'ECONNREFUSED', elapsedMs: 0 },
};

export const cause: Cause = defineCause({
  id: 'client-output-reject',
  title: "The client's own firewall refuses the SYN",
  place: 'client',
  step: 'client-filter',
  sides: ['client'],
  needs: ['attempt', 'packetFilter'],
  assess({ attempt, packetFilter }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined) return [];
    const outside = attempt.sightings.some(
      ({ segment, direction, device }) => segment === 'syn' && direction === 'out' && device !== 'lo',
    );
    if (outside)
      return [
        contradicts('conclusive', 'attempt', 'the SYN left this host: its capture shows it behind the output rules'),
      ];
    const { evidence, found } = judgeFilter(packetFilter, attempt, 'syn-out', 1, ['reject']);
    if (found === undefined) return evidence;
    const all = [...evidence];
    const own = attempt.icmpErrors.find(({ from }) => from === attempt.client.address);
    if (own !== undefined)
      all.push(supports('strong', 'attempt', `ICMP "${own.name}" about the SYN came from this host itself`));
    all.push(
      supports('moderate', 'attempt', `${connectStatement(attempt)}, and no SYN of it left through any interface`),
    );
    return all;
  },
  sentence({ attempt, packetFilter }) {
    const hit = packetFilter.hits.find(({ packet, verdict }) => packet === 'syn-out' && verdict.startsWith('reject'));
    const rule = hit === undefined ? 'A rule' : `${hitName(hit)} ("${hitText(hit)}")`;
    return `${rule.charAt(0).toUpperCase()}${rule.slice(1)} on this host refuses the SYN to ${attempt.server.address} port ${attempt.server.port}; it never leaves`;
  },
  remedies({ attempt, packetFilter }) {
    const hit = packetFilter.hits.find(({ packet, verdict }) => packet === 'syn-out' && verdict.startsWith('reject'));
    return hit === undefined ? [] : outputRemedies(hit, attempt);
  },
  explanation: `
A rule of the output hook rejects the SYN. With \`reject with tcp reset\` the socket gets ECONNREFUSED at once; with an ICMP error (the default) the error travels over the loopback
interface, finds the socket still owned by \`connect()\` and is only remembered (\`LockDroppedIcmps\`): the call fails at the second SYN, about a second later, with
ECONNREFUSED or EHOSTUNREACH.

It looks exactly like a refusal by the server, but no packet leaves this host. Be sure: no SYN in a capture on the interface, and \`nft -a list ruleset\`.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'the SYN leaves, and the RST comes from the server' },
    { id: 'netfilter-reject-in', toldApartBy: 'the SYN leaves, and the error comes from the server' },
  ],
  scenario: {
    variants: ['tcp-reset'],
    plan: ({ port }, variant) => ({
      steps: [
        {
          on: 'client',
          nft: nftChain(
            { hook: 'output' },
            `tcp dport ${port} reject${variant === 'tcp-reset' ? ' with tcp reset' : ''}`,
          ),
        },
      ],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'reject with tcp reset',
      given: {
        attempt: REFUSED_HERE,
        packetFilter: filterWith({
          ...OUTPUT_RULE,
          verdict: 'reject-reset',
          text: 'tcp dport 443 counter reject with tcp reset',
          packetsDelta: 1,
        }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the rules let it pass',
      given: { attempt: REFUSED_HERE, packetFilter: PASSING_FILTER },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/tcp_ipv4.c: tcp_v4_err()', 'net/ipv4/netfilter/nf_reject_ipv4.c'],
});
