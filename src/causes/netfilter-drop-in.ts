import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { PacketFilter } from '../model/facts/packet-filter.ts';
import type { LabNames, ScenarioPlan } from '../model/scenario.ts';
import { formatQuantity } from '../model/text.ts';
import { countedHit, DROP_HIT, filterWith, listenerThatRefused, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { hitName, hitText, judgeFilter, weighHits } from './shared-filter.ts';
import { filterRemedies } from './shared-filter-remedies.ts';
import { nftChain } from './shared-lab-rules.ts';
import {
  answeredAnything,
  clientName,
  expectedSyns,
  reachedTcp,
  resetsSent,
  synArrived,
  theSyns,
  tracedSyn,
  vanished,
} from './shared-silence.ts';
import { sourceRefused } from './shared-source-check.ts';

export const cause: Cause = defineCause({
  id: 'netfilter-drop-in',
  title: "The server's packet filter drops the SYN",
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter'],
  wants: ['counters', 'sockets', 'surroundings', 'kernelTrace', 'nfQueues', 'incomingRoute'],
  assess(facts) {
    const { attempt, packetFilter, nfQueues, kernelTrace, incomingRoute } = facts;
    if (!synArrived(attempt)) return [];
    const expected = expectedSyns(attempt);
    const { found, evidence } = judgeFilter(packetFilter, attempt, 'syn-in', expected, ['drop'], nfQueues);
    const all: CauseEvidence[] = [...evidence, ...reachedTcp(facts)];
    if (found === undefined) return [...all, ...unread(facts)];
    if (resetsSent(attempt) > 0) {
      all.push(
        contradicts('strong', 'attempt', 'the client was answered with RST, and a rule that drops answers nothing'),
      );
    }
    const afterRouting = found.hit.hook === 'input';
    if (attempt.observed && afterRouting && found.moved !== true && sourceRefused(incomingRoute)) {
      all.push(
        contradicts('strong', 'incomingRoute', 'the source check drops the SYN before the input hook is reached'),
      );
    }
    all.push(...tracedSyn(kernelTrace, { reasons: /^NETFILTER_DROP$/, weight: 'strong' }), ...vanished(facts));
    return all;
  },
  sentence({ attempt, packetFilter }) {
    const expected = expectedSyns(attempt);
    const { decider, standing } = weighHits(packetFilter, attempt, 'syn-in', expected);
    const one = (decider?.kind === 'drop' ? decider : undefined) ?? standing.find(({ kind }) => kind === 'drop');
    const syns = `${theSyns(attempt)} from ${clientName(attempt)} to port ${attempt.server.port}`;
    if (one === undefined) return `A rule of the server's packet filter drops ${syns}`;
    const { hit } = one;
    if (hit.policy) return `The server's packet filter drops ${syns}: no rule accepts it, and ${hitName(hit)} is drop`;
    const took = one.moved === true ? ` (it took ${formatQuantity(hit.packetsDelta ?? 0, 'packet')})` : '';
    return `The server's packet filter drops ${syns}: ${hitName(hit)} says "${hitText(hit)}"${took}`;
  },
  remedies({ attempt, packetFilter }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const one = standing.find(({ kind }) => kind === 'drop');
    return one === undefined ? [] : filterRemedies(one.hit, attempt);
  },
  explanation: `
A rule of nftables or iptables, or the policy of a chain, drops the SYN before TCP sees it: in the netdev ingress hook, in raw or mangle
prerouting, or in input. ufw, firewalld, Docker, Kubernetes and fail2ban all write such rules.

No counter of TCP or IP moves. The only traces are the counter of the rule, where it has one (the policy of an nft chain never has), and the kernel's
drop reason \`NETFILTER_DROP\`, which does not say which rule it was. A capture on the server shows the SYN: it is taken before netfilter
(but after XDP).

Be sure: the rules, evaluated for exactly this packet, end in a drop, and the rule's counter grows by one for each SYN.
\`nft monitor trace\` with a temporary \`meta nftrace set 1\` rule for the client shows the way of a packet rule by rule.

Linux 6.18: \`nft_do_chain()\` frees the packet itself (nft, iptables-nft); \`nf_hook_slow()\` does it for iptables-legacy.
`,
  confusedWith: [
    { id: 'no-return-route', toldApartBy: 'there ListenDrops moves, here nothing of TCP does' },
    { id: 'netfilter-reject-in', toldApartBy: 'a rule that rejects answers with RST or ICMP' },
    { id: 'netfilter-rate-limit', toldApartBy: 'the rule asks for a limit, and lets the first connections pass' },
    { id: 'conntrack-full', toldApartBy: "nf_conntrack's drop counter moves, and no rule's" },
    { id: 'nfqueue-no-listener', toldApartBy: 'the rule queues the packet, and no program takes it' },
    {
      id: 'synack-output-drop',
      toldApartBy: 'the SYN reaches the listener (TcpOutSegs moves) and its answer is dropped',
    },
    { id: 'tc-ingress-drop', toldApartBy: 'traffic control drops before netfilter: its own statistics move' },
    { id: 'rp-filter-strict', toldApartBy: 'IPReversePathFilter moves there' },
  ],
  scenario: {
    requires: ['nft, and iptables for some variants'],
    variants: [
      'no-counter',
      'prerouting-raw',
      'mangle-prerouting',
      'netdev-ingress',
      'policy-drop',
      'jump',
      'set',
      'verdict-map',
      'client-prefix',
      'iptables',
      'iptables-raw',
      'iptables-legacy',
      'iptables-policy',
    ],
    plan: (names, variant) => ({ steps: dropping(names, variant) }),
  },
  examples: [
    {
      name: 'a rule with a counter took every SYN',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 4 },
        packetFilter: filterWith(countedHit(4)),
        counters: { ...exampleCounters({}), now: { TcpExtListenDrops: 7 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: the policy of the chain is drop',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, observed: false, captured: false, syns: 0, sightings: [] },
        packetFilter: filterWith({ ...DROP_HIT, policy: true, text: 'policy drop' }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the counter of the rule did not move',
      given: { attempt: { ...EXAMPLE_ATTEMPT, syns: 4 }, packetFilter: filterWith(countedHit(0)) },
      expect: 'ruled-out',
    },
    {
      name: 'the rule rejects',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith({ ...DROP_HIT, verdict: 'reject-reset', text: 'reject with tcp reset' }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the rule is not understood: it has no counter',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: filterWith({ ...DROP_HIT, certainty: 'unknown' }) },
      expect: 'possible',
    },
    {
      name: 'the rules let the SYN pass',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: PASSING_FILTER },
      expect: 'ruled-out',
    },
    {
      name: 'a rule without counter, but the listener refused the SYN itself',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith({ ...DROP_HIT, certainty: 'depends', conditions: ['set'] }),
        sockets: listenerThatRefused(1),
        surroundings: {
          answered: 0,
          unanswered: 1,
          reset: 0,
          sameClient: { answered: 0, unanswered: 1, reset: 0 },
          answeredClients: [],
          unansweredClients: [EXAMPLE_ATTEMPT.client.address],
          syns: 1,
          resetsToClient: 0,
          floodSources: 0,
        },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://wiki.nftables.org/wiki-nftables/index.php/Netfilter_hooks',
    'net/netfilter/nf_tables_core.c: nft_do_chain()',
    'net/netfilter/core.c: nf_hook_slow()',
  ],
});

/** A rule set that could not be read may hold the rule; only when nothing else was heard of the SYN. */
function unread({ attempt, packetFilter }: { attempt: Attempt; packetFilter: PacketFilter }): CauseEvidence[] {
  const [first] = packetFilter.unread;
  if (first === undefined || answeredAnything(attempt)) return [];
  return [supports('weak', 'packetFilter', `the rules of ${first.tool} could not be read: ${first.reason}`)];
}

function dropping(
  { port, client, clientPrefix, serverDevice, nftFamily, iptables, family }: LabNames,
  variant: string | undefined,
): ScenarioPlan['steps'] {
  const nft = (text: string): ScenarioPlan['steps'] => [{ on: 'server', nft: text }];
  const run = (...argv: readonly string[]): ScenarioPlan['steps'] => [{ on: 'server', run: argv }];
  const drop = `tcp dport ${port} counter drop`;
  const legacy = family === 4 ? 'iptables-legacy' : 'ip6tables-legacy';
  switch (variant) {
    case 'no-counter':
      return nft(nftChain({ hook: 'input' }, `tcp dport ${port} drop`));
    case 'prerouting-raw':
      return nft(nftChain({ hook: 'prerouting', priority: -300 }, drop));
    case 'mangle-prerouting':
      return nft(nftChain({ hook: 'prerouting', priority: -150 }, `${nftFamily} saddr ${client} ${drop}`));
    case 'netdev-ingress':
      return nft(nftChain({ family: 'netdev', hook: 'ingress', device: serverDevice }, drop));
    case 'policy-drop':
      // Without neighbour discovery no IPv6 packet would arrive at all.
      return nft(
        nftChain({ hook: 'input', policy: 'drop' }, 'meta l4proto ipv6-icmp accept', 'ct state established accept'),
      );
    case 'jump':
      return nft(
        nftChain(
          { hook: 'input', definitions: ['  chain services {', `    tcp dport ${port} counter drop`, '  }'] },
          'meta l4proto tcp jump services',
        ),
      );
    case 'set':
      return nft(
        nftChain(
          {
            hook: 'input',
            definitions: [
              '  set banned {',
              `    type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'}`,
              `    elements = { ${client} }`,
              '  }',
            ],
          },
          `${nftFamily} saddr @banned counter drop`,
        ),
      );
    case 'verdict-map':
      return nft(nftChain({ hook: 'input' }, `tcp dport vmap { ${port} : drop }`));
    case 'client-prefix':
      return nft(nftChain({ hook: 'input' }, `${nftFamily} saddr ${clientPrefix} tcp dport 1-32767 counter drop`));
    case 'iptables':
      return run(iptables, '-I', 'INPUT', '-p', 'tcp', '--dport', String(port), '-j', 'DROP');
    case 'iptables-raw':
      return run(iptables, '-t', 'raw', '-I', 'PREROUTING', '-p', 'tcp', '--dport', String(port), '-j', 'DROP');
    case 'iptables-legacy':
      return run(legacy, '-I', 'INPUT', '-p', 'tcp', '--dport', String(port), '-j', 'DROP');
    case 'iptables-policy':
      return [
        ...(family === 6 ? run(iptables, '-A', 'INPUT', '-p', 'ipv6-icmp', '-j', 'ACCEPT') : []),
        ...run(iptables, '-A', 'INPUT', '-m', 'conntrack', '--ctstate', 'ESTABLISHED', '-j', 'ACCEPT'),
        ...run(iptables, '-P', 'INPUT', 'DROP'),
      ];
    default:
      return nft(nftChain({ hook: 'input' }, drop));
  }
}
