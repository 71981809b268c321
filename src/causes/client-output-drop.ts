import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { CLIENT_ATTEMPT, connectStatement, isSilent, noSynLeft, OUTPUT_RULE } from './shared-client.ts';
import { filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { hitName, hitText, judgeFilter } from './shared-filter.ts';
import { outputRemedies } from './shared-filter-remedies.ts';
import { nftChain } from './shared-lab-rules.ts';

const NOTHING_LEFT = { ...CLIENT_ATTEMPT, syns: 0, sightings: [] };

export const cause: Cause = defineCause({
  id: 'client-output-drop',
  title: "The client's own firewall drops the SYN",
  place: 'client',
  step: 'client-filter',
  sides: ['client'],
  needs: ['attempt', 'packetFilter'],
  wants: ['counters'],
  assess({ attempt, packetFilter, counters }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined) return [];
    if (attempt.syns > 0)
      return [
        contradicts('conclusive', 'attempt', 'the SYN left this host: its capture shows it behind the output rules'),
      ];
    const { evidence, found } = judgeFilter(packetFilter, attempt, 'syn-out', 1, [
      'drop',
      'rate-limit',
      'connection-limit',
      'ct-invalid',
    ]);
    if (found === undefined) return evidence;
    const all = [...evidence];
    if (!isSilent(attempt))
      all.push(contradicts('strong', 'attempt', `${connectStatement(attempt)}; a dropped SYN gives silence`));
    else if (noSynLeft(attempt))
      all.push(
        supports('moderate', 'attempt', `${connectStatement(attempt)}, and no SYN of it left through any interface`),
      );
    if (watched(attempt, counters) && grown(counters, 'TcpExtTCPRetransFail') > 0) {
      all.push(
        supports(
          'moderate',
          'counters',
          `TCPRetransFail +${grown(counters, 'TcpExtTCPRetransFail')}: the kernel could not send the SYN again`,
        ),
      );
    }
    return all;
  },
  sentence({ attempt, packetFilter }) {
    const hit = packetFilter.hits.find(({ packet, verdict }) => packet === 'syn-out' && verdict === 'drop');
    const rule = hit === undefined ? 'A rule' : `${hitName(hit)} ("${hitText(hit)}")`;
    return `${rule.charAt(0).toUpperCase()}${rule.slice(1)} on this host drops the SYN to ${attempt.server.address} port ${attempt.server.port} on its way out`;
  },
  remedies({ attempt, packetFilter }) {
    const hit = packetFilter.hits.find(({ packet, verdict }) => packet === 'syn-out' && verdict === 'drop');
    return hit === undefined ? [] : outputRemedies(hit, attempt);
  },
  explanation: `
A rule of the output or postrouting hook drops the SYN. The socket hears nothing of it: \`tcp_connect()\` ignores the error that the hook returns, the kernel sends the SYN again and
again, and \`connect()\` ends in a timeout. (\`ping\` would say "Operation not permitted".)

No capture on this host shows the SYN, because captures sit behind the output hooks. \`TcpOutSegs\` and \`TCPSynRetrans\` count it nevertheless; \`TCPRetransFail\` is the tell.

Be sure: \`nft -a list ruleset\`, and the counter of the rule.
`,
  confusedWith: [
    { id: 'client-cgroup-egress-drop', toldApartBy: 'no rule drops; a BPF program of the cgroup does' },
    { id: 'path-firewall-drop-syn', toldApartBy: 'the SYN leaves this host' },
  ],
  scenario: {
    variants: ['postrouting', 'policy'],
    plan: ({ port }, variant) => ({
      steps: [
        {
          on: 'client',
          nft:
            variant === 'policy'
              ? nftChain(
                  { hook: 'output', policy: 'drop' },
                  'ct state established accept',
                  'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
                )
              : nftChain({ hook: variant ?? 'output' }, `tcp dport ${port} counter drop`),
        },
      ],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'an output rule with a counter that moved',
      given: { attempt: NOTHING_LEFT, packetFilter: filterWith(OUTPUT_RULE) },
      expect: 'confirmed',
    },
    {
      name: 'the SYN left',
      given: { attempt: CLIENT_ATTEMPT, packetFilter: filterWith({ ...OUTPUT_RULE, certainty: 'depends' }) },
      expect: 'ruled-out',
    },
    {
      name: 'the rules let it pass',
      given: { attempt: NOTHING_LEFT, packetFilter: PASSING_FILTER },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/ipv4/tcp_output.c: tcp_connect()',
    'https://wiki.nftables.org/wiki-nftables/index.php/Netfilter_hooks',
  ],
});
