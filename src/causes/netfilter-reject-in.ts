import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { LabNames, ScenarioPlan } from '../model/scenario.ts';
import { formatQuantity } from '../model/text.ts';
import { countedHit, DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, EXAMPLE_ATTEMPT_V4, exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { hitName, hitText, judgeFilter, weighHits } from './shared-filter.ts';
import { filterRemedies } from './shared-filter-remedies.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, expectedSyns, resetsSent, stoodStill, synArrived, theSyns } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'netfilter-reject-in',
  title: "The server's packet filter rejects the SYN",
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter'],
  wants: ['counters', 'sockets', 'nfQueues'],
  assess({ attempt, packetFilter, counters, sockets, nfQueues }) {
    if (!synArrived(attempt)) return [];
    if (attempt.observed && attempt.synAcks > 0) {
      return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it, so nothing rejected the SYN')];
    }
    const expected = expectedSyns(attempt);
    const { found, evidence } = judgeFilter(packetFilter, attempt, 'syn-in', expected, ['reject'], nfQueues);
    const all: CauseEvidence[] = [...evidence];
    const resets = resetsSent(attempt);
    const errors = ownErrors(attempt);
    const listens = (sockets?.matching.length ?? 0) > 0;
    if (watched(attempt, counters) && resets > 0 && found?.hit.verdict !== 'reject-icmp') {
      if (stoodStill(counters, 'TcpOutRsts')) {
        const why = `${formatQuantity(resets, 'RST')} left this host and TcpOutRsts did not move: TCP did not send it, a rule did`;
        all.push(supports(found === undefined && !listens ? 'moderate' : 'strong', 'counters', why));
      } else if (grown(counters, 'TcpOutRsts') >= resets && !listens) {
        all.push(
          contradicts(
            'strong',
            'counters',
            `TcpOutRsts +${grown(counters, 'TcpOutRsts')}: TCP itself sent the RST, as nothing listens`,
          ),
        );
      }
    }
    if (found !== undefined && attempt.observed && attempt.captured) {
      if (errors > 0) {
        all.push(
          supports('strong', 'attempt', `this host answered the SYN with ${formatQuantity(errors, 'ICMP error')}`),
        );
      } else if (resets === 0) {
        all.push(contradicts('moderate', 'attempt', 'neither RST nor ICMP error was seen to leave this host'));
      }
    }
    return all;
  },
  sentence({ attempt, packetFilter }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const hit = standing.find(({ kind }) => kind === 'reject')?.hit;
    const syns = `${theSyns(attempt)} from ${clientName(attempt)} to port ${attempt.server.port}`;
    if (hit === undefined) return `The server's packet filter rejects ${syns} with a RST that TCP did not send`;
    const how = hit.verdict === 'reject-reset' ? 'with RST' : `with ICMP ${hit.rejectWith ?? 'unreachable'}`;
    return `The server's packet filter rejects ${syns} ${how}: ${hitName(hit)} says "${hitText(hit)}"`;
  },
  remedies({ attempt, packetFilter }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const one = standing.find(({ kind }) => kind === 'reject');
    return one === undefined ? [] : filterRemedies(one.hit, attempt);
  },
  explanation: `
A rule of nftables or iptables rejects the SYN: it answers with an ICMP error (port unreachable unless the rule says otherwise; "host prohibited" is
the default of RHEL), or with a RST. The client gets an error within one round trip: ECONNREFUSED for port-unreachable and RST, EHOSTUNREACH for the
prohibited codes of IPv4, EACCES for "administratively prohibited" of IPv6. A blocking \`connect()\` of Linux takes the second ICMP error only,
about one second later: the first arrives while it still holds the socket (\`LockDroppedIcmps\`).

A RST of a rule looks exactly like that of a closed port. The difference is on the server: \`nf_send_reset()\` builds it without TCP, so \`TcpOutRsts\`
does not move.

Be sure: the rules, evaluated for exactly this packet, end in a reject, and its answer is seen to leave the server.

Linux 6.18: \`nf_send_reset()\`, \`nf_send_reset6()\`, \`nf_send_unreach()\`, \`nf_send_unreach6()\`; the SYN is freed with NETFILTER_DROP.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'a closed port moves TcpOutRsts; a rule that rejects does not' },
    { id: 'rst-injected', toldApartBy: 'there no RST leaves the server' },
    { id: 'netfilter-drop-in', toldApartBy: 'a rule that drops answers nothing' },
    { id: 'path-firewall-reject', toldApartBy: 'there the ICMP error comes from a router, and the SYN never arrives' },
  ],
  scenario: {
    requires: ['nft, and iptables for some variants'],
    variants: [
      'port-unreachable',
      'host-unreachable',
      'admin-prohibited',
      'prerouting',
      'no-counter',
      'iptables',
      'iptables-reset',
      'iptables-prohibited',
      'iptables-legacy',
    ],
    plan: (names, variant) => ({ steps: rejecting(names, variant) }),
  },
  examples: [
    {
      name: 'a rule answers with RST, and TcpOutRsts stands still',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT,
          sightings: [
            ...EXAMPLE_ATTEMPT.sightings,
            { segment: 'rst', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' },
          ],
        },
        packetFilter: filterWith(
          countedHit(1, {
            verdict: 'reject-reset',
            text: 'tcp dport 443 counter packets 1 bytes 60 reject with tcp reset',
          }),
        ),
        counters: { ...exampleCounters({}), now: { TcpOutRsts: 3 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'a rule answers with ICMP',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT_V4,
          icmpErrors: [
            {
              version: 4,
              type: 3,
              code: 3,
              from: EXAMPLE_ATTEMPT_V4.server.address,
              name: 'Port Unreachable',
              towards: 'client',
            },
          ],
        },
        packetFilter: filterWith({
          ...DROP_HIT,
          verdict: 'reject-icmp',
          rejectWith: 'port-unreachable',
          text: 'tcp dport 443 reject',
        }),
      },
      expect: 'confirmed',
    },
    {
      name: 'a closed port: TCP sends the RST',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT,
          sightings: [{ segment: 'rst', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' }],
        },
        packetFilter: PASSING_FILTER,
        counters: exampleCounters({ TcpOutRsts: 1 }),
        sockets: { ...HEALTHY_LISTENER, listeners: [], matching: [] },
      },
      expect: 'ruled-out',
    },
    {
      name: 'the rule drops and answers nothing',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: filterWith(DROP_HIT) },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/netfilter/nf_reject_ipv4.c: nf_send_reset(), nf_send_unreach()', 'RFC 1812 section 5.2.7.1'],
});

/** ICMP errors about the SYN that this host itself sent to the client. */
function ownErrors({ icmpErrors, server }: Attempt): number {
  return icmpErrors.filter(({ towards, from }) => towards === 'client' && from === server.address).length;
}

function rejecting({ port, iptables, family }: LabNames, variant: string | undefined): ScenarioPlan['steps'] {
  const nft = (rule: string, hook = 'input', priority = 0): ScenarioPlan['steps'] => [
    { on: 'server', nft: nftChain({ hook, priority }, `tcp dport ${port} ${rule}`) },
  ];
  const insert = (tool: string, ...target: readonly string[]): ScenarioPlan['steps'] => [
    { on: 'server', run: [tool, '-I', 'INPUT', '-p', 'tcp', '--dport', String(port), '-j', 'REJECT', ...target] },
  ];
  switch (variant) {
    case 'port-unreachable':
      return nft('counter reject');
    case 'host-unreachable':
      return nft('counter reject with icmpx type host-unreachable');
    case 'admin-prohibited':
      return nft('counter reject with icmpx type admin-prohibited');
    case 'prerouting':
      return nft('counter reject with tcp reset', 'prerouting', -150);
    case 'no-counter':
      return nft('reject with tcp reset');
    case 'iptables':
      return insert(iptables);
    case 'iptables-reset':
      return insert(iptables, '--reject-with', 'tcp-reset');
    case 'iptables-prohibited':
      return insert(iptables, '--reject-with', family === 4 ? 'icmp-host-prohibited' : 'icmp6-adm-prohibited');
    case 'iptables-legacy':
      return insert(family === 4 ? 'iptables-legacy' : 'ip6tables-legacy', '--reject-with', 'tcp-reset');
    default:
      return nft('counter reject with tcp reset');
  }
}
