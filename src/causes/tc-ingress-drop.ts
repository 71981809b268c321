import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { TrafficControl } from '../model/facts/links.ts';
import { formatQuantity } from '../model/text.ts';
import { nothingElseStopsIt } from './shared-below-tcp.ts';
import { PASSING_FILTER, TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { clientName, expectedSyns, reachedTcp, synArrived, theSyns, tracedSyn, vanished } from './shared-silence.ts';

const CLSACT: TrafficControl = {
  device: 'eth0',
  where: 'ingress',
  kind: 'clsact',
  text: 'qdisc clsact ffff: parent ffff:fff1',
  dropped: 90,
  overlimits: 0,
  droppedDelta: 3,
  overlimitsDelta: 0,
};

export const cause: Cause = defineCause({
  id: 'tc-ingress-drop',
  title: 'A filter of traffic control drops the SYN as it comes in',
  place: 'server',
  step: 'server-tc-in',
  sides: ['server'],
  needs: ['attempt', 'trafficControl'],
  wants: ['counters', 'sockets', 'surroundings', 'kernelTrace', 'packetFilter', 'incomingRoute', 'bpfPrograms'],
  assess(facts) {
    const { attempt, trafficControl, counters, kernelTrace, bpfPrograms } = facts;
    if (!synArrived(attempt)) return [];
    const traced = tracedSyn(kernelTrace, { reasons: /^TC_INGRESS$/ });
    const ingress = onTheWay(trafficControl, attempt);
    const programs = bpfPrograms?.filter(({ hook, onPath }) => hook === 'tc-ingress' && onPath !== false) ?? [];
    if (ingress.length === 0 && programs.length === 0) {
      return [
        ...traced,
        contradicts('conclusive', 'trafficControl', 'no filter of traffic control stands where packets come in'),
      ];
    }
    const evidence: CauseEvidence[] = [...traced, ...reachedTcp(facts)];
    const expected = expectedSyns(attempt);
    const observed = watched(attempt, counters);
    const surely = ingress.find(({ dropsSyn }) => dropsSyn === true);
    const dropped = ingress.reduce((most, { droppedDelta }) => Math.max(most, droppedDelta), 0);
    if (surely !== undefined) {
      const text = surely.text.replace(/\s+/g, ' ').slice(0, 120);
      evidence.push(supports('conclusive', 'trafficControl', `a filter on ${surely.device} drops this SYN: "${text}"`));
    }
    if (observed && dropped >= expected) {
      // Statistics of traffic control say how many, not which: they decide only when nothing else can have stopped the SYN.
      const decisive = nothingElseStopsIt(facts) && vanished(facts).length > 0;
      const statement = `traffic control dropped ${formatQuantity(dropped, 'packet')} on the way in, for ${theSyns(attempt)}`;
      const passed = decisive ? '; every rule, the route and the source check let them pass' : '';
      evidence.push(supports(decisive ? 'conclusive' : 'strong', 'trafficControl', `${statement}${passed}`));
    } else if (observed && dropped === 0) {
      evidence.push(contradicts('strong', 'trafficControl', 'traffic control dropped nothing during the watch'));
    } else if (surely === undefined) {
      evidence.push(supports('weak', 'trafficControl', 'a filter of traffic control stands where packets come in'));
    }
    return evidence.some(({ bearing }) => bearing === 'supports') ? [...evidence, ...vanished(facts)] : evidence;
  },
  sentence({ attempt, trafficControl }) {
    const [first] = onTheWay(trafficControl, attempt);
    const where = first?.device ?? attempt.inDevice ?? 'the interface';
    return `A filter of traffic control on ${where} drops ${theSyns(attempt)} from ${clientName(attempt)} before the packet filter sees it`;
  },
  remedies({ attempt, trafficControl }) {
    const device = onTheWay(trafficControl, attempt)[0]?.device ?? attempt.inDevice;
    if (device === undefined) return [];
    return [
      {
        id: 'look-at-the-filter',
        title: `See which filter on ${device} drops, and change it or the program behind it`,
        risk: 'high',
        auto: 'never',
        changes: [
          { kind: 'command', argv: ['tc', '-s', 'filter', 'show', 'dev', device, 'ingress'] },
          {
            kind: 'advice',
            text: `"tc filter del dev ${device} ingress" takes all of them away, and what they are there for with them`,
          },
        ],
      },
    ];
  },
  explanation: `
Filters of traffic control at ingress (\`clsact\`, tcx, Cilium, policers) see a packet directly behind the taps of captures and before netfilter. A filter that drops leaves no
trace in the counters of IP or TCP, and the capture of the server shows the SYN.

Be sure: \`tc -s qdisc show dev DEVICE\` counts a drop of \`clsact\` or \`ingress\` for each SYN, and \`tc -s filter show dev DEVICE ingress\` shows which filter; for a BPF program
\`bpftool net\` shows it and its maps know why. The kernel's drop event says TC_INGRESS.

Linux 6.18: \`sch_handle_ingress()\` (tcx and clsact) in \`__netif_receive_skb_core()\`; drop reason TC_INGRESS since 5.18.
`,
  confusedWith: [
    {
      id: 'netfilter-drop-in',
      toldApartBy: 'rules of nftables, those of the netdev family too, come later and have counters of their own',
    },
    { id: 'xdp-drop', toldApartBy: 'XDP drops before a capture: the SYN is not seen there' },
    { id: 'rp-filter-strict', toldApartBy: 'IPReversePathFilter moves there' },
  ],
  scenario: {
    requires: ['tc with clsact and classic BPF'],
    variants: ['everything'],
    plan: ({ serverDevice, port }, variant) => ({
      steps: [
        { on: 'server', run: ['tc', 'qdisc', 'add', 'dev', serverDevice, 'clsact'] },
        {
          on: 'server',
          run: [
            ...['tc', 'filter', 'add', 'dev', serverDevice, 'ingress', 'bpf', 'da', 'bytecode'],
            bytecode(variant === 'everything' ? undefined : port),
          ],
        },
      ],
    }),
  },
  examples: [
    {
      name: 'the kernel says so',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 3 },
        trafficControl: [CLSACT],
        kernelTrace: {
          events: [
            {
              kind: 'dropped',
              reason: 'TC_INGRESS',
              location: '__netif_receive_skb_core',
              packet: 'syn',
              cpu: 0,
              timeUs: 1,
            },
          ],
          drops: [],
          overrun: false,
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'as many drops as SYNs, and nothing else on the way that could drop',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 3 },
        trafficControl: [CLSACT],
        counters: { ...exampleCounters({}), now: { TcpExtListenDrops: 0, TcpOutSegs: 51 } },
        packetFilter: PASSING_FILTER,
        incomingRoute: TAKEN_IN,
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'as many drops as SYNs, and a rule set that could not be read',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 3 },
        trafficControl: [CLSACT],
        counters: { ...exampleCounters({}), now: { TcpExtListenDrops: 0 } },
        packetFilter: { ...PASSING_FILTER, unread: [{ tool: 'nft', reason: 'not root' }] },
      },
      expect: 'likely',
    },
    {
      name: 'a filter that dropped nothing',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        trafficControl: [{ ...CLSACT, droppedDelta: 0 }],
        counters: exampleCounters({}),
      },
      expect: 'ruled-out',
    },
    {
      name: 'no filter',
      given: { attempt: EXAMPLE_ATTEMPT, trafficControl: [] },
      expect: 'ruled-out',
    },
  ],
  references: ['https://man7.org/linux/man-pages/man8/tc-bpf.8.html', 'net/core/dev.c: sch_handle_ingress()'],
});

/** Filters that a packet of this attempt meets as it comes in. */
function onTheWay(controls: readonly TrafficControl[], { inDevice }: Attempt): readonly TrafficControl[] {
  return controls.filter(
    ({ where, device, kind }) =>
      (where === 'ingress' || kind === 'clsact') && (inDevice === undefined || device === inDevice),
  );
}

/** Classic BPF that drops (TC_ACT_SHOT) TCP of both families without options, to a port or to all, and leaves the rest to others. */
function bytecode(port: number | undefined): string {
  const shot = '6 0 0 2';
  const goOn = '6 0 0 4294967295';
  const program =
    port === undefined
      ? ['40 0 0 12', '21 0 2 2048', '48 0 0 23', '21 3 4 6', '21 0 3 34525', '48 0 0 20', '21 0 1 6', shot, goOn]
      : [
          ...['40 0 0 12', '21 0 4 2048', '48 0 0 23', '21 0 8 6', '40 0 0 36', `21 5 6 ${port}`],
          ...['21 0 5 34525', '48 0 0 20', '21 0 3 6', '40 0 0 56', `21 0 1 ${port}`, shot, goOn],
        ];
  return `${program.length},${program.join(',')}`;
}
