import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { formatQuantity } from '../model/text.ts';
import { nothingElseStopsIt } from './shared-below-tcp.ts';
import { DROP_HIT, filterWith, PASSING_FILTER, TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { judgeFilter } from './shared-filter.ts';
import { nftChain } from './shared-lab-rules.ts';
import {
  clientName,
  expectedSyns,
  reachedTcp,
  stoodStill,
  synArrived,
  theSyns,
  tracedSyn,
  vanished,
} from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'conntrack-insert-failed',
  title: 'The SYN clashes with an entry of connection tracking',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['packetFilter', 'incomingRoute', 'sockets', 'surroundings', 'kernelTrace'],
  assess(facts) {
    const { attempt, counters, packetFilter, kernelTrace } = facts;
    if (!synArrived(attempt) || !watched(attempt, counters)) return [];
    const expected = expectedSyns(attempt);
    const failed = grown(counters, 'nf_conntrack.insert_failed');
    if (failed === 0) {
      return stoodStill(counters, 'nf_conntrack.insert_failed')
        ? [contradicts('conclusive', 'counters', 'nf_conntrack insert_failed +0')]
        : [];
    }
    const evidence: CauseEvidence[] = [...reachedTcp(facts)];
    if (failed < expected) {
      evidence.push(
        supports('weak', 'counters', `nf_conntrack insert_failed +${failed}, fewer than ${theSyns(attempt)}`),
      );
      return evidence;
    }
    // Other connections clash as well, UDP above all: the number decides only when nothing else can have stopped the SYN.
    const own = ['nf_conntrack.insert_failed', 'nf_conntrack.drop'];
    const decisive = nothingElseStopsIt(facts, ...own) && vanished(facts).length > 0;
    const passed = decisive ? '; every rule, the route and the source check let them pass' : '';
    evidence.push(
      supports(
        decisive ? 'conclusive' : 'strong',
        'counters',
        `nf_conntrack insert_failed +${failed} for ${theSyns(attempt)}: new entries clashed${passed}`,
      ),
      ...tracedSyn(kernelTrace, {
        reasons: /^NETFILTER_DROP$/,
        locations: /^(nf_hook_slow|nf_confirm|__nf_conntrack_confirm)/,
      }),
      ...vanished(facts),
    );
    if (packetFilter !== undefined) {
      const dropped = judgeFilter(packetFilter, attempt, 'syn-in', expected, ['drop', 'reject']).found;
      if (dropped?.weight === 'conclusive') {
        evidence.push(contradicts('strong', 'packetFilter', 'a rule of the packet filter drops the SYN'));
      }
    }
    return evidence;
  },
  sentence({ attempt, counters }) {
    const failed = grown(counters, 'nf_conntrack.insert_failed');
    return `Connection tracking cannot enter ${theSyns(attempt)} from ${clientName(attempt)}, as its translated tuple is taken already (${formatQuantity(failed, 'clash', 'clashes')}), and drops it`;
  },
  remedies() {
    return [
      {
        id: 'spread-source-ports',
        title: 'Give the source translation more ports or addresses to choose from',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Add "fully-random" to the snat or masquerade rule (iptables: --random-fully), widen its range of ports, or add source addresses',
          },
        ],
      },
    ];
  },
  explanation: `
A packet that opens a connection gets its entry when it leaves the host or reaches a socket. When another entry has taken the same (translated) tuple by then,
the packet is dropped. That happens on hosts that translate sources: two clients with the same source port and one port to
translate to, a range of ports that is used up, or two packets at the same moment on two processors. The retransmitted SYN often gets
another port and passes, so that users see a connection that takes one second longer.

Be sure: \`insert_failed\` in \`conntrack -S\` grows with the SYNs that are lost; \`drop\` grows with it. Clashes of UDP (DNS) move the same counter.

Linux 6.18: \`__nf_conntrack_confirm()\` → \`nf_ct_resolve_clash()\`; TCP entries are not merged. Random ports make it rare
(\`NF_NAT_RANGE_PROTO_RANDOM_FULLY\`, since 3.14).
`,
  confusedWith: [
    { id: 'conntrack-full', toldApartBy: 'there the table is full, and insert_failed stands still' },
    { id: 'netfilter-drop-in', toldApartBy: 'no rule drops here' },
  ],
  scenario: {
    requires: ['nft with source translation in the input hook'],
    plan: ({ nftFamily, family, client, port }) => ({
      steps: [
        {
          // Two connections, and one port to translate both to.
          on: 'server',
          nft: nftChain(
            { family: nftFamily, type: 'nat', hook: 'input', priority: 100 },
            `tcp dport ${port} snat to ${family === 6 ? `[${client}]` : client}:1000`,
          ),
        },
        { on: 'client', connect: {} },
      ],
    }),
  },
  examples: [
    {
      name: 'a clash for every SYN: likely, as other traffic clashes too',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        counters: exampleCounters({ 'nf_conntrack.insert_failed': 2, 'nf_conntrack.drop': 2 }),
        packetFilter: PASSING_FILTER,
      },
      expect: 'likely',
    },
    {
      name: 'a clash for every SYN, and nothing else on the way that could drop',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        counters: {
          ...exampleCounters({ 'nf_conntrack.insert_failed': 2, 'nf_conntrack.drop': 2 }),
          now: { TcpOutSegs: 12, TcpExtListenDrops: 0 },
        },
        packetFilter: PASSING_FILTER,
        incomingRoute: TAKEN_IN,
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'clashes, but a rule drops the SYN',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        counters: exampleCounters({ 'nf_conntrack.insert_failed': 2, 'nf_conntrack.drop': 2 }),
        packetFilter: filterWith(DROP_HIT),
      },
      expect: 'ruled-out',
    },
    {
      name: 'no clash',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        counters: { ...exampleCounters({}), now: { 'nf_conntrack.insert_failed': 4 } },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/netfilter/nf_conntrack_core.c: __nf_conntrack_confirm(), nf_ct_resolve_clash()',
    'https://docs.kernel.org/networking/nf_conntrack-sysctl.html',
  ],
});
