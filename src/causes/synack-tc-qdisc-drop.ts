import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { TrafficControl } from '../model/facts/links.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { exampleCounters, ROUTE_BACK } from './shared-examples.ts';
import { ANSWERED_IN_VAIN, FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { expectedSyns, tracedSyn } from './shared-silence.ts';
import { answerMade, settledBeforeAnswer } from './shared-synack.ts';

const TBF: TrafficControl = {
  device: 'eth0',
  where: 'root',
  kind: 'tbf',
  handle: '8001:',
  text: 'rate 8bit burst 1500b limit 10b',
  dropped: 9,
  overlimits: 0,
  droppedDelta: 4,
  overlimitsDelta: 0,
};
const SENDING = exampleCounters({ TcpOutSegs: 8, TcpExtTCPTimeouts: 4 }, 'TcpExtListenDrops');

function nameOf({ kind, device, text }: TrafficControl): string {
  return `${kind} on ${device} (${text.slice(0, 100)})`;
}

/** What stands in the way out: on the interface of the route back, or on any when that is not known. */
function outgoing(all: readonly TrafficControl[], route: RouteLookup | undefined): readonly TrafficControl[] {
  return all.filter(
    ({ where, device }) => where !== 'ingress' && (route?.device === undefined || route.device === device),
  );
}

function dropperOf(all: readonly TrafficControl[], route: RouteLookup | undefined): TrafficControl | undefined {
  const way = outgoing(all, route);
  return (
    way.find(({ dropsAnswer }) => dropsAnswer === true) ?? way.toSorted((a, b) => b.droppedDelta - a.droppedDelta)[0]
  );
}

export const cause: Cause = defineCause({
  id: 'synack-tc-qdisc-drop',
  title: 'Traffic control of the server drops its own SYN-ACK',
  place: 'server',
  step: 'server-reply-out',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'trafficControl'],
  wants: ['counters', 'outgoingRoute', 'kernelTrace', 'packetFilter', 'bpfPrograms', 'neighbourActivity'],
  assess(facts) {
    const { attempt, sockets, trafficControl, counters, outgoingRoute, kernelTrace } = facts;
    const { packetFilter, bpfPrograms, neighbourActivity } = facts;
    const settled = settledBeforeAnswer({ attempt, sockets, outgoingRoute });
    if (settled !== undefined) return settled;
    const traced = tracedSyn(kernelTrace, { reasons: /^(?:TC_EGRESS|QDISC_|FQ_|CODEL_|CAKE_|TC_)/ }, 'syn-ack');
    if (traced.some(({ bearing }) => bearing === 'contradicts')) return traced;
    const evidence: CauseEvidence[] = [...traced];
    const dropper = dropperOf(trafficControl, outgoingRoute);
    if (dropper === undefined) {
      return traced.length > 0
        ? traced
        : [contradicts('conclusive', 'trafficControl', 'no queueing discipline or filter stands in the way out')];
    }
    const made = answerMade({ attempt, counters, sockets });
    if (traced.length === 0 && made.some(({ bearing }) => bearing === 'contradicts')) return made;
    const filtered =
      packetFilter?.hits.some(({ packet, certainty }) => packet === 'syn-ack-out' && certainty === 'certain') === true;
    if (filtered)
      evidence.push(
        contradicts('strong', 'packetFilter', 'a rule of the packet filter surely drops the SYN-ACK before'),
      );
    if (dropper.dropsAnswer === true) {
      return [
        ...evidence,
        supports('conclusive', 'trafficControl', `the filter ${nameOf(dropper)} surely drops the SYN-ACK`),
        ...made,
      ];
    }
    if (!attempt.observed) return evidence;
    const { droppedDelta } = dropper;
    if (droppedDelta === 0) {
      // A BPF program may drop without counting.
      const silent = outgoing(trafficControl, outgoingRoute).find(({ kind }) => kind === 'bpf');
      if (silent !== undefined)
        return [...evidence, supports('weak', 'trafficControl', `a BPF program decides: ${nameOf(silent)}`)];
      return [...evidence, contradicts('strong', 'trafficControl', `${nameOf(dropper)} dropped nothing`)];
    }
    // Drops of a busy interface may be those of others: they must fit the SYN-ACKs, of which each is repeated once or twice, and nothing else
    // may have stopped these.
    const fits = droppedDelta >= expectedSyns(attempt);
    const onlyThese = droppedDelta <= 4 * expectedSyns(attempt) + 4;
    const hop = outgoingRoute?.gateway ?? attempt.client.address;
    const rival =
      bpfPrograms?.some(({ hook, onPath }) => hook === 'cgroup-egress' && onPath !== false) !== false ||
      neighbourActivity?.some(
        ({ direction, target, requests, replies }) => direction === 'out' && target === hop && requests > replies,
      ) !== false;
    const alone = packetFilter?.passes.includes('syn-ack-out') === true && made.length > 0 && !rival && onlyThese;
    const said = `${nameOf(dropper)} dropped ${droppedDelta} during the watch, and no SYN-ACK passed it`;
    evidence.push(
      supports(fits && alone ? 'conclusive' : fits ? 'strong' : 'moderate', 'trafficControl', said),
      ...made,
    );
    return evidence;
  },
  sentence({ attempt, trafficControl, outgoingRoute }) {
    const dropper = dropperOf(trafficControl, outgoingRoute);
    const which = dropper === undefined ? 'traffic control' : nameOf(dropper);
    return `The server answers SYNs of ${attempt.client.address}, but ${which} drops the SYN-ACK before it leaves`;
  },
  remedies({ trafficControl, outgoingRoute }) {
    const dropper = dropperOf(trafficControl, outgoingRoute);
    if (dropper === undefined) return [];
    const { device, kind, where } = dropper;
    return [
      {
        id: 'repair-traffic-control',
        title: `Give ${kind} on ${device} sensible limits, or take it away`,
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text:
              where === 'root'
                ? `tc -s qdisc show dev ${device} shows its limits and drops; tc qdisc del dev ${device} root brings the default back.`
                : `tc -s filter show dev ${device} egress shows the filters; delete the one that drops.`,
          },
        ],
      },
    ];
  },
  explanation: `
Between the IP layer and the device stand filters (clsact egress, tcx) and the queueing discipline. A filter with action drop, a policer, or a queue that is too short for a packet drops the SYN-ACK:
\`sch_handle_egress()\` or \`__dev_xmit_skb()\`, both called by \`__dev_queue_xmit()\`. A container, a bandwidth limit that was mistyped, or a program on tcx does it.

A capture shows SYN in, nothing out, because it is taken behind the queue. \`TcpOutSegs\` and \`TCPTimeouts\` move, \`ListenDrops\` and \`TCPSynRetrans\` do not. \`tc -s qdisc show\` counts \`dropped\`; the drop
reason of the SYN-ACK is \`TC_EGRESS\`, \`QDISC_DROP\`, \`QDISC_OVERLIMIT\` or one of a discipline.

Be sure: \`tc -s qdisc show dev DEVICE\` and \`tc -s filter show dev DEVICE egress\` before and after an attempt.
`,
  confusedWith: [
    { id: 'synack-output-drop', toldApartBy: 'a rule of the packet filter drops it, with NETFILTER_DROP' },
    { id: 'no-return-route', toldApartBy: 'the route lookup fails there, and ListenDrops moves' },
    { id: 'synack-cgroup-egress-drop', toldApartBy: 'the drop reason is BPF_CGROUP_EGRESS' },
  ],
  scenario: {
    variants: ['class'],
    requires: ['queueing disciplines tbf, htb and bfifo, and the classifier u32'],
    plan: ({ serverDevice, port, family }, variant) => ({
      steps:
        variant === 'class'
          ? // Only what the port sends goes into a class whose queue is shorter than a packet.
            [
              ['qdisc', 'add', 'dev', serverDevice, 'root', 'handle', '1:', 'htb', 'default', '1'],
              ['class', 'add', 'dev', serverDevice, 'parent', '1:', 'classid', '1:1', 'htb', 'rate', '1gbit'],
              ['class', 'add', 'dev', serverDevice, 'parent', '1:', 'classid', '1:2', 'htb', 'rate', '1gbit'],
              ['qdisc', 'add', 'dev', serverDevice, 'parent', '1:2', 'handle', '20:', 'bfifo', 'limit', '10'],
              [
                ...[
                  'filter',
                  'add',
                  'dev',
                  serverDevice,
                  'parent',
                  '1:',
                  'protocol',
                  family === 4 ? 'ip' : 'ipv6',
                  'u32',
                ],
                ...['match', family === 4 ? 'ip' : 'ip6', 'sport', String(port), '0xffff', 'flowid', '1:2'],
              ],
            ].map((words) => ({ on: 'server' as const, run: ['tc', ...words] }))
          : [
              // The link must be resolved in both directions before nothing gets through any more.
              { on: 'client', connect: {} },
              {
                on: 'server',
                run: [
                  'tc',
                  'qdisc',
                  'add',
                  'dev',
                  serverDevice,
                  'root',
                  'tbf',
                  'rate',
                  '8bit',
                  'burst',
                  '1500',
                  'limit',
                  '10',
                ],
              },
            ],
    }),
  },
  examples: [
    {
      name: 'a queue that is too short for a packet',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        trafficControl: [TBF],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
        packetFilter: PASSING_FILTER,
        bpfPrograms: [],
        neighbourActivity: [],
      },
      expect: 'confirmed',
    },
    {
      name: 'a busy interface that drops much: not tied to this attempt',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        trafficControl: [{ ...TBF, kind: 'fq_codel', text: 'limit 10240p', droppedDelta: 900 }],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
        packetFilter: PASSING_FILTER,
        bpfPrograms: [],
        neighbourActivity: [],
      },
      expect: 'likely',
    },
    {
      name: 'only supposed: a filter that drops it for sure',
      given: {
        attempt: SUPPOSED,
        sockets: listening(),
        trafficControl: [
          {
            ...TBF,
            where: 'egress',
            kind: 'flower',
            text: 'src_port 443 action drop',
            droppedDelta: 0,
            dropsAnswer: true,
          },
        ],
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'confirmed',
    },
    {
      name: 'what the rules do is not known',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        trafficControl: [TBF],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'likely',
    },
    {
      name: 'a rule drops the SYN-ACK before',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        trafficControl: [TBF],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
        packetFilter: filterWith({ ...DROP_HIT, packet: 'syn-ack-out', hook: 'output' }),
      },
      expect: 'possible',
    },
    {
      name: 'nothing was dropped',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        trafficControl: [{ ...TBF, droppedDelta: 0 }],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
    {
      name: 'drops of another interface',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        trafficControl: [{ ...TBF, device: 'eth9' }],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
    {
      name: 'the SYN-ACK left',
      given: { attempt: ANSWERED_IN_VAIN, sockets: listening(), trafficControl: [TBF], outgoingRoute: ROUTE_BACK },
      expect: 'ruled-out',
    },
  ],
  references: ['https://man7.org/linux/man-pages/man8/tc.8.html', 'net/core/dev.c: __dev_queue_xmit()'],
});
