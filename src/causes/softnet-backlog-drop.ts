import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, sysctlNumber } from '../model/cause-facts.ts';
import { formatQuantity } from '../model/text.ts';
import { EXAMPLE_ATTEMPT, exampleCounters } from './shared-examples.ts';
import { synNeverCame } from './shared-silence.ts';

const KEY = 'net.core.netdev_max_backlog';

export const cause: Cause = defineCause({
  id: 'softnet-backlog-drop',
  title: 'The backlog of a processor is full, and packets are dropped before the stack sees them',
  place: 'server',
  step: 'server-link',
  sides: ['server'],
  needs: ['attempt', 'hostCounters'],
  wants: ['kernelTrace', 'sysctls'],
  assess({ attempt, hostCounters, kernelTrace }) {
    if (attempt.side !== 'server' || !attempt.observed || hostCounters.intervalMs === 0) return [];
    if (attempt.syns > 0) {
      return [
        contradicts(
          'conclusive',
          'attempt',
          `the capture holds ${formatQuantity(attempt.syns, 'SYN')}, and it is taken behind the backlog`,
        ),
      ];
    }
    const dropped = grown(hostCounters, 'softnet.dropped');
    if (!synNeverCame(attempt) || dropped === 0) return [];
    // The number is that of the whole machine: which packets, and of which namespace, it does not say.
    const evidence = [
      supports('moderate', 'hostCounters', `softnet dropped +${dropped} meanwhile (of the whole machine)`),
      supports('moderate', 'attempt', 'and no SYN of the client was seen'),
    ];
    const traced = kernelTrace?.drops.find(({ reason }) => reason === 'CPU_BACKLOG');
    if (traced !== undefined) {
      evidence.push(
        supports(
          'moderate',
          'kernelTrace',
          `${formatQuantity(traced.count, 'packet')} dropped with CPU_BACKLOG in ${traced.location}()`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, hostCounters }) {
    const dropped = formatQuantity(grown(hostCounters, 'softnet.dropped'), 'packet');
    return `The backlog of a processor of the server overflowed (${dropped} dropped during the watch), perhaps with the SYN for port ${attempt.server.port}`;
  },
  remedies({ sysctls }) {
    const now = sysctlNumber(sysctls, KEY) ?? 1000;
    return [
      {
        id: 'raise-netdev-max-backlog',
        title: 'Let more packets wait for each processor',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: KEY, value: String(Math.max(10_000, Math.min(now * 2, 250_000))) }],
      },
      {
        id: 'spread-interrupts',
        title: 'Spread the interrupts of the card over more processors',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'See which processor drops in /proc/net/softnet_stat (a line each), and spread queues and RPS over others',
          },
        ],
      },
    ];
  },
  explanation: `
Packets that one processor hands to another (RPS), and all packets of veth, loopback and tunnels, wait in a queue of the processor that will take them. When
\`netdev_max_backlog\` packets wait, or one flow fills the queue (flow limit), further ones are dropped. Captures are taken behind that queue, so the SYN is missing in
the capture of the server although it reached the machine.

Be sure: the second column of \`/proc/net/softnet_stat\` (hexadecimal, one line for each processor) grows at the time of the loss. It is a number of the whole
machine, other namespaces included, and does not name packets, so synscope does not call this confirmed.

Linux 6.18: \`enqueue_to_backlog()\`, drop reason CPU_BACKLOG.
`,
  confusedWith: [
    { id: 'nic-ring-overflow', toldApartBy: 'there missed or fifo errors of the interface move' },
    { id: 'path-firewall-drop-syn', toldApartBy: 'there softnet_stat stands still' },
    { id: 'xdp-drop', toldApartBy: 'there a program is attached to the interface' },
  ],
  scenario: {
    impossible:
      'net.core.netdev_max_backlog is one value for the whole machine: every other namespace would lose packets too',
  },
  examples: [
    {
      name: 'no SYN came, and a backlog overflowed meanwhile',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] },
        hostCounters: exampleCounters({ 'softnet.dropped': 18 }),
      },
      expect: 'likely',
    },
    {
      name: 'it overflowed before the watch',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] },
        hostCounters: { ...exampleCounters({}), now: { 'softnet.dropped': 18 } },
      },
      expect: 'not-indicated',
    },
    {
      name: 'the SYN was captured: the backlog had room',
      given: { attempt: EXAMPLE_ATTEMPT, hostCounters: exampleCounters({ 'softnet.dropped': 18 }) },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/scaling.html', 'net/core/dev.c: enqueue_to_backlog()'],
});
