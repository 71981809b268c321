import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { FilterHit, NfQueue } from '../model/facts/packet-filter.ts';
import { formatQuantity } from '../model/text.ts';
import { DROP_HIT, filterWith } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT } from './shared-examples.ts';
import { hitName, hitText, judgeFilter, queueGoesOn, weighHits } from './shared-filter.ts';
import { withoutRule } from './shared-filter-remedies.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, expectedSyns, reachedTcp, synArrived, theSyns, tracedSyn, vanished } from './shared-silence.ts';

const QUEUED: FilterHit = { ...DROP_HIT, verdict: 'queue', queueNumber: 7, text: 'tcp dport 443 queue to 7' };
const PROGRAM: NfQueue = { number: 7, pid: 811, waiting: 0, dropped: 0, userDropped: 0 };

export const cause: Cause = defineCause({
  id: 'nfqueue-no-listener',
  title: 'A rule queues the SYN for a program that is not there',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter'],
  wants: ['nfQueues', 'counters', 'sockets', 'surroundings', 'kernelTrace'],
  assess(facts) {
    const { attempt, packetFilter, nfQueues, kernelTrace } = facts;
    if (!synArrived(attempt)) return [];
    const expected = expectedSyns(attempt);
    const { found, evidence } = judgeFilter(packetFilter, attempt, 'syn-in', expected, ['queue'], nfQueues);
    if (found === undefined) return [...evidence, ...reachedTcp(facts)];
    const { hit } = found;
    const traced = tracedSyn(kernelTrace, { locations: /^_?_?nf_queue/, weight: 'strong' });
    if (nfQueues === undefined) {
      // Without the list of queues a rule that queues is as good as one that lets pass.
      return [
        supports('moderate', 'packetFilter', `${hitName(hit)} queues the SYN, and who takes it is not known`),
        ...traced,
      ];
    }
    const program = nfQueues.find(({ number }) => number === hit.queueNumber);
    if (program !== undefined) return [...stuck(program, expected), ...reachedTcp(facts)];
    if (queueGoesOn(hit, nfQueues)) {
      return [
        contradicts('conclusive', 'packetFilter', `${hitName(hit)} lets packets pass when no program takes them`),
      ];
    }
    const all: CauseEvidence[] = [
      ...evidence,
      supports('strong', 'nfQueues', `no program has bound queue ${hit.queueNumber ?? 0}`),
    ];
    return [...all, ...traced, ...reachedTcp(facts), ...vanished(facts)];
  },
  sentence({ attempt, packetFilter, nfQueues }) {
    const hit = queueHit(packetFilter, attempt);
    const syns = `${theSyns(attempt)} from ${clientName(attempt)}`;
    if (hit === undefined) return `A rule of the server's packet filter queues ${syns} for a program`;
    const number = hit.queueNumber ?? 0;
    const program = nfQueues?.find((queue) => queue.number === number);
    const why = program === undefined ? 'no program reads that queue' : `process ${program.pid} does not answer`;
    return `The server's packet filter hands ${syns} to queue ${number} (${hitName(hit)}: "${hitText(hit)}"), and ${why}`;
  },
  remedies({ attempt, packetFilter }) {
    const hit = queueHit(packetFilter, attempt);
    if (hit === undefined) return [];
    const bypass = hit.tool === 'nft' ? 'flags bypass' : '--queue-bypass';
    return [
      {
        id: 'start-the-program',
        title: `Start the program that reads queue ${hit.queueNumber ?? 0} again`,
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Start the daemon that this rule was written for: an intrusion prevention system, a traffic shaper, a parental control',
          },
        ],
      },
      {
        id: 'bypass',
        title: 'Let packets pass while no program takes them',
        risk: 'high',
        auto: 'never',
        changes: [{ kind: 'advice', text: `Replace "${hitText(hit)}" by the same rule with "${bypass}"` }],
      },
      ...withoutRule(hit),
    ];
  },
  explanation: `
A rule hands the packet to a program through NFQUEUE (\`queue\` in nftables, \`-j NFQUEUE\` in iptables): Suricata, Snort, zapret, application firewalls. When no program
has bound that queue and the rule does not say \`bypass\`, the kernel drops the packet. The same happens when the program is there and its queue is full.

Be sure: the number of the queue is missing in \`/proc/net/netfilter/nfnetlink_queue\`, whose first columns are the queue, the process and how many packets wait.

No counter of TCP or IP moves. The kernel's drop reason says NOT_SPECIFIED, in the function \`nf_queue()\`.

Linux 6.18: \`nf_queue()\` gets ESRCH from \`__nf_queue()\` and drops unless NF_VERDICT_FLAG_QUEUE_BYPASS is set.
`,
  confusedWith: [
    {
      id: 'netfilter-drop-in',
      toldApartBy: 'the rule says drop there; here it says queue, and nobody reads the queue',
    },
    { id: 'conntrack-full', toldApartBy: "nf_conntrack's drop counter moves there" },
  ],
  scenario: {
    requires: ['NFQUEUE in nft and iptables'],
    variants: ['iptables', 'nft'],
    plan: ({ port, iptables, family }, variant) => {
      const tool = variant === 'iptables' ? iptables : family === 4 ? 'iptables-legacy' : 'ip6tables-legacy';
      return {
        steps: [
          variant === 'nft'
            ? { on: 'server', nft: nftChain({ hook: 'input' }, `tcp dport ${port} counter queue to 4711`) }
            : {
                on: 'server',
                run: [
                  ...[tool, '-I', 'INPUT', '-p', 'tcp', '--dport', String(port)],
                  ...['-j', 'NFQUEUE', '--queue-num', '4711'],
                ],
              },
        ],
      };
    },
  },
  examples: [
    {
      name: 'nobody has bound the queue',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: filterWith(QUEUED), nfQueues: [] },
      expect: 'confirmed',
    },
    {
      name: 'a program has bound it: what it does with the SYN is not seen',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: filterWith(QUEUED), nfQueues: [PROGRAM] },
      expect: 'not-indicated',
    },
    {
      name: 'a program has bound it, and packets wait',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: filterWith(QUEUED), nfQueues: [{ ...PROGRAM, waiting: 4 }] },
      expect: 'likely',
    },
    {
      name: 'the rule lets packets bypass',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith({ ...QUEUED, text: 'tcp dport 443 queue flags bypass to 7' }),
        nfQueues: [],
      },
      expect: 'ruled-out',
    },
    {
      name: 'a plain drop',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: filterWith(DROP_HIT), nfQueues: [] },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/netfilter/nf_queue.c: nf_queue()',
    'https://wiki.nftables.org/wiki-nftables/index.php/Queueing_to_userspace',
  ],
});

function queueHit(
  packetFilter: Parameters<typeof weighHits>[0],
  attempt: Parameters<typeof weighHits>[1],
): FilterHit | undefined {
  const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
  return standing.find(({ kind }) => kind === 'queue')?.hit;
}

/** A program has bound the queue: it is at fault only when packets wait for it. */
function stuck({ number, pid, waiting }: NfQueue, expected: number): CauseEvidence[] {
  if (waiting < expected) {
    return [contradicts('moderate', 'nfQueues', `process ${pid} reads queue ${number}, and nothing waits there`)];
  }
  return [
    supports('strong', 'nfQueues', `${formatQuantity(waiting, 'packet')} wait in queue ${number} for process ${pid}`),
  ];
}
