import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { EXAMPLE_ATTEMPT, exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { takerName } from './shared-listener.ts';
import { settledOtherwise } from './shared-refusal.ts';
import { filteredAtSocket, programsOfListener } from './shared-socket-filter.ts';

export const cause: Cause = defineCause({
  id: 'socket-filter',
  title: 'A packet filter on the listening socket drops the SYN',
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'kernelTrace', 'bpfPrograms'],
  assess({ attempt, sockets, counters, kernelTrace, bpfPrograms }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    const known = sockets.matching.flatMap(({ filter }) => (filter === undefined ? [] : [filter]));
    if (known.length === sockets.matching.length && !known.includes(true)) {
      return [contradicts('conclusive', 'sockets', 'no filter is attached to the listener')];
    }
    const attached = known.includes(true);
    if (!attempt.observed) {
      return attached
        ? [supports('moderate', 'sockets', 'a filter is attached to the listener; what it drops is not known')]
        : [];
    }
    const rival = programsOfListener(bpfPrograms);
    const alone = attached && bpfPrograms !== undefined && rival.length === 0;
    const evidence = filteredAtSocket({ attempt, sockets, counters, kernelTrace }, alone ? 'conclusive' : 'strong');
    if (!evidence.some(({ bearing }) => bearing === 'supports')) return evidence;
    if (attached)
      evidence.push(
        supports('strong', 'sockets', 'a filter is attached to the listener (SO_ATTACH_FILTER or SO_ATTACH_BPF)'),
      );
    if (rival.length > 0) {
      evidence.push(
        contradicts(
          'moderate',
          'bpfPrograms',
          'a program on the cgroup of the listener could drop it just so; the kernel gives both the same reason',
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    return `A filter on the socket of ${takerName(sockets, attempt)} drops SYNs of ${attempt.client.address} without an answer`;
  },
  remedies: () => [
    {
      id: 'repair-filter',
      title: 'Repair the filter that the program attaches to its own socket',
      risk: 'medium',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'The program attached it with SO_ATTACH_FILTER or SO_ATTACH_BPF; strace -e trace=setsockopt at its start shows it.',
        },
      ],
    },
  ],
  explanation: `
A program can attach a classic or extended BPF filter to its listening socket. Segments for which it returns 0 are dropped: \`tcp_v4_rcv()\` → \`tcp_filter()\` → \`sk_filter_trim_cap()\`. No
counter of the network namespace moves, only the drops of that listener (\`ss -ltnm\`, \`d\`); the drop reason is \`SOCKET_FILTER\`.

A BPF program of the listener's cgroup is asked at the same place and leaves the same traces, the drop reason included.

\`ss --bpf\` shows filters of packet sockets only, so that from outside nobody can see this one: hence never more than likely, unless the filter is known. Be sure: a trace of \`setsockopt\` at the
start of the program, or \`getsockopt(SO_GET_FILTER)\` on its socket, shows the filter.
`,
  confusedWith: [
    {
      id: 'cgroup-ingress-drop',
      toldApartBy: 'the same place and drop reason; a program on the cgroup instead of a filter on the socket',
    },
    { id: 'netfilter-drop-in', toldApartBy: 'the drops of the listener stand still there' },
    { id: 'md5-mismatch', toldApartBy: 'a counter moves there' },
  ],
  scenario: { plan: () => ({ listener: { dropFilter: true }, steps: [] }) },
  examples: [
    {
      name: 'a filter, and drops that nothing else counts',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ filter: true, dropsDelta: 4 }),
        counters: exampleCounters({}, 'TcpExtListenDrops'),
        bpfPrograms: [],
      },
      expect: 'confirmed',
    },
    {
      name: 'a program on the cgroup as well: cannot be told apart',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ filter: true, dropsDelta: 4 }),
        counters: exampleCounters({}, 'TcpExtListenDrops'),
        bpfPrograms: [{ hook: 'cgroup-ingress', onPath: true }],
      },
      expect: 'likely',
    },
    {
      name: 'a filter that has let the SYN pass',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        sockets: listening({ filter: true, dropsDelta: 0 }),
        counters: exampleCounters({}, 'TcpExtListenDrops'),
        bpfPrograms: [],
      },
      expect: 'ruled-out',
    },
    {
      name: 'only supposed: what the filter drops is not known',
      given: { attempt: SUPPOSED, sockets: listening({ filter: true }) },
      expect: 'possible',
    },
    {
      name: 'no filter',
      given: { attempt: FOUR_SYNS, sockets: listening({ filter: false, dropsDelta: 4 }) },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/filter.html', 'net/core/filter.c: sk_filter_trim_cap()'],
});
