import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import type { Conntrack } from '../model/facts/packet-filter.ts';
import { formatCount } from '../model/text.ts';
import { DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters } from './shared-examples.ts';
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

/** When the table is read, an entry or two may have timed out since the SYN found it full. */
const NEARLY = 0.98;

export const cause: Cause = defineCause({
  id: 'conntrack-full',
  title: 'The connection tracking table is full, so new connections are dropped',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'conntrack'],
  wants: ['counters', 'sysctls', 'sockets', 'surroundings', 'kernelTrace', 'kernelLog', 'packetFilter'],
  assess(facts) {
    const { attempt, conntrack, counters, sysctls, kernelTrace, kernelLog, packetFilter } = facts;
    if (!synArrived(attempt)) return [];
    const expected = expectedSyns(attempt);
    const [count, max] = sizes(conntrack, sysctls);
    if (count === undefined || max === undefined || max === 0) return [];
    const full = count >= max * NEARLY;
    const size = `${formatCount(count)} of ${formatCount(max)} entries`;
    if (!full) return [contradicts('conclusive', 'conntrack', `the connection tracking table has ${size}`)];
    const evidence: CauseEvidence[] = [
      supports('strong', 'conntrack', `the connection tracking table is full: ${size}`),
      ...reachedTcp(facts),
    ];
    if (watched(attempt, counters)) {
      // Entries that clash at confirmation count as drops as well: those are not for want of room.
      const dropped = grown(counters, 'nf_conntrack.drop') - grown(counters, 'nf_conntrack.insert_failed');
      if (dropped >= expected) {
        evidence.push(
          supports(
            'conclusive',
            'counters',
            `nf_conntrack drop +${dropped} for ${theSyns(attempt)}: no entry could be made`,
          ),
        );
      } else if (stoodStill(counters, 'nf_conntrack.drop')) {
        evidence.push(
          contradicts('conclusive', 'counters', 'nf_conntrack drop +0: nothing was dropped for want of an entry'),
        );
      }
    }
    if (kernelLog?.some(({ text }) => /nf_conntrack: .*table full/.test(text))) {
      evidence.push(supports('moderate', 'kernelLog', 'the kernel logged "nf_conntrack: table full, dropping packet"'));
    }
    const early = packetFilter?.hits.find(({ packet, priority, hook, certainty }) => {
      const beforeTracking = hook === 'ingress' || (hook === 'prerouting' && (priority ?? 0) < -200);
      return packet === 'syn-in' && certainty === 'certain' && beforeTracking;
    });
    if (early !== undefined && !attempt.observed) {
      evidence.push(contradicts('strong', 'packetFilter', 'a rule drops the SYN before connection tracking sees it'));
    }
    const traced = tracedSyn(kernelTrace, {
      reasons: /^NETFILTER_DROP$/,
      locations: /^nf_hook_slow/,
      weight: 'strong',
    });
    return [...evidence, ...traced, ...vanished(facts)];
  },
  sentence({ attempt, conntrack, sysctls }) {
    const [count = 0, max = 0] = sizes(conntrack, sysctls);
    return `The connection tracking table of the server is full (${formatCount(count)} of ${formatCount(max)}), so the kernel drops ${theSyns(attempt)} from ${clientName(attempt)}`;
  },
  remedies({ conntrack, sysctls }) {
    const [, max = 262_144] = sizes(conntrack, sysctls);
    return [
      {
        id: 'raise-nf-conntrack-max',
        title: 'Double the size of the table (about 320 bytes of kernel memory for each entry)',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: 'net.netfilter.nf_conntrack_max', value: String(max * 2) }],
      },
      {
        id: 'find-the-entries',
        title: 'Find out what fills it, and let entries of dead connections go sooner',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Count entries by state and source with "conntrack -L"; shorten nf_conntrack_tcp_timeout_established (5 days by default), or do not track the traffic (notrack)',
          },
        ],
      },
    ];
  },
  explanation: `
Connection tracking keeps one entry for each connection. When \`nf_conntrack_count\` reaches \`nf_conntrack_max\` and \`early_drop()\` finds no entry that it may throw
away (one that was never answered) in eight buckets, the packet that would open a new connection is dropped. Connections that exist go on working, so
the machine looks well to everybody who is connected already.

The maximum is one number for the whole machine (a container can read but not set it); the count is that of each network namespace.

Be sure: \`nf_conntrack_count\` is at \`nf_conntrack_max\`, and \`drop\` in \`conntrack -S\` grows by one for each SYN. The kernel logs
"nf_conntrack: table full, dropping packet" at a limited rate. \`drop\` also moves together with \`insert_failed\`: that is a clash, not a full table.

Linux 6.18: \`nf_conntrack_in()\` → \`resolve_normal_ct()\` → \`init_conntrack()\` → \`__nf_conntrack_alloc()\` fails with ENOMEM; the packet is freed in
\`nf_hook_slow()\` with NETFILTER_DROP, exactly as by a rule of iptables-legacy.
`,
  confusedWith: [
    { id: 'netfilter-drop-in', toldApartBy: "no rule drops here; nf_conntrack's own drop counter moves" },
    { id: 'conntrack-insert-failed', toldApartBy: 'insert_failed moves there, and the table has room' },
    { id: 'accept-queue-full', toldApartBy: 'ListenOverflows moves there' },
  ],
  scenario: {
    requires: ['conntrack', 'nft', 'a table of at most 300,000 entries'],
    plan: () => ({
      steps: [
        // Tracking begins with the first rule that asks for a state.
        { on: 'server', nft: nftChain({ hook: 'input' }, 'ct state new counter accept') },
        { on: 'server', run: ['nice', 'sh', '-c', FILL] },
      ],
    }),
  },
  examples: [
    {
      name: 'full, and every SYN was dropped for want of an entry',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 3 },
        conntrack: { count: 262_144, max: 262_144, entries: [], entriesRead: true },
        counters: exampleCounters({ 'nf_conntrack.drop': 3 }),
        packetFilter: PASSING_FILTER,
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: full, but an old entry may make room',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, observed: false, captured: false, syns: 0, sightings: [] },
        conntrack: { count: 65_536, max: 65_536, entries: [], entriesRead: true },
      },
      expect: 'likely',
    },
    {
      name: 'there is room; a rule drops',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        conntrack: { count: 812, max: 262_144, entries: [], entriesRead: true },
        packetFilter: filterWith(DROP_HIT),
      },
      expect: 'ruled-out',
    },
    {
      name: 'full, but it dropped nothing: this SYN died elsewhere',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        conntrack: { count: 262_144, max: 262_144, entries: [], entriesRead: true },
        counters: { ...exampleCounters({}), now: { 'nf_conntrack.drop': 91 } },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/nf_conntrack-sysctl.html',
    'net/netfilter/nf_conntrack_core.c: __nf_conntrack_alloc(), early_drop()',
  ],
});

/** Fills the table with as many answered connections as it takes: none of them may be thrown away for a new one. */
const FILL = [
  'max=$(cat /proc/sys/net/netfilter/nf_conntrack_max) && [ "$max" -le 300000 ] && awk -v max="$max"',
  `'BEGIN { for (n = 0; n < max; n++) printf "-I -p tcp -s 10.0.%d.1 -d 10.255.0.2 --sport %d --dport 80 --state ESTABLISHED -t 3000 -u SEEN_REPLY,ASSURED\\n", n / 50000, 1024 + n % 50000 }'`,
  '| conntrack -R - > /dev/null',
].join(' ');

function sizes(
  { count, max }: Conntrack,
  sysctls: Readonly<Record<string, string>> | undefined,
): [count: number | undefined, max: number | undefined] {
  return [
    count ?? sysctlNumber(sysctls, 'net.netfilter.nf_conntrack_count'),
    max ?? sysctlNumber(sysctls, 'net.netfilter.nf_conntrack_max'),
  ];
}
