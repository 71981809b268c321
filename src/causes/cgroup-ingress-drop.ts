import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { BpfAttachment } from '../model/facts/links.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { takerName } from './shared-listener.ts';
import { settledOtherwise } from './shared-refusal.ts';
import { filteredAtSocket, programsOfListener } from './shared-socket-filter.ts';

const PROGRAM: BpfAttachment = {
  hook: 'cgroup-ingress',
  id: 31,
  name: 'sd_fw_ingress',
  target: '/system.slice/web.service',
  onPath: true,
};

export const cause: Cause = defineCause({
  id: 'cgroup-ingress-drop',
  title: "A BPF program on the listener's cgroup drops the SYN",
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'bpfPrograms'],
  wants: ['counters', 'kernelTrace'],
  assess({ attempt, sockets, bpfPrograms, counters, kernelTrace }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    const candidates = bpfPrograms.filter(({ hook, onPath }) => hook === 'cgroup-ingress' && onPath !== false);
    if (candidates.length === 0) {
      return [contradicts('conclusive', 'bpfPrograms', "no program sees what comes in for the listener's cgroup")];
    }
    const [program] = programsOfListener(bpfPrograms);
    const where = (program ?? candidates[0])?.target ?? 'a cgroup';
    if (!attempt.observed) {
      return [
        supports('moderate', 'bpfPrograms', `a program on ${where} decides what comes in; what it drops is not known`),
      ];
    }
    const unfiltered = sockets.matching.every(({ filter }) => filter === false);
    const evidence = filteredAtSocket(
      { attempt, sockets, counters, kernelTrace },
      program !== undefined && unfiltered ? 'conclusive' : 'strong',
    );
    if (!evidence.some(({ bearing }) => bearing === 'supports')) return evidence;
    if (program !== undefined) {
      const name = program.name === undefined ? '' : ` ${program.name}`;
      evidence.push(
        supports(
          'strong',
          'bpfPrograms',
          `the BPF program${name} on ${where} is asked for each packet to the listener`,
        ),
      );
    }
    if (sockets.matching.some(({ filter }) => filter === true)) {
      evidence.push(
        contradicts(
          'moderate',
          'sockets',
          'a filter on the socket itself could drop it just so; the kernel gives both the same reason',
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, sockets, bpfPrograms }) {
    const [program] = programsOfListener(bpfPrograms);
    const where = program?.target === undefined ? 'its cgroup' : program.target;
    return `A BPF program on ${where} drops SYNs of ${attempt.client.address} to ${takerName(sockets, attempt)} without an answer`;
  },
  remedies({ attempt, sockets }) {
    const unit = sockets.matching[0]?.owners[0]?.unit;
    const which = unit === undefined ? 'UNIT' : unit;
    return [
      {
        id: 'allow-address',
        title: `Allow ${attempt.client.address} in the unit${unit === undefined ? '' : ` ${unit}`}, if it is systemd that filters`,
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `systemctl show ${which} -p IPAddressAllow -p IPAddressDeny shows the policy; IPAddressAllow=${attempt.client.address} in a drop-in, then systemctl restart ${which}.`,
          },
        ],
      },
    ];
  },
  explanation: `
BPF programs of type \`cgroup_skb\` that are attached to the cgroup of a listener (or a cgroup above it) see each packet that comes in for its sockets. systemd uses them for
\`IPAddressAllow=\` and \`IPAddressDeny=\`, Cilium and container policies as well. A packet for which one returns 0 is dropped in \`sk_filter_trim_cap()\` →
\`BPF_CGROUP_RUN_PROG_INET_INGRESS\`.

No counter of the network namespace moves, only the drops of that listener (\`ss -ltnm\`, \`d\`). The drop reason is \`SOCKET_FILTER\`: there is none of its own, so a
filter on the socket looks the same.

Be sure: \`bpftool cgroup tree\` shows an ingress program on the unit's cgroup; \`systemctl show UNIT -p IPAddressDeny\`. Programs that only count
(\`IPAccounting=\`) are attached in the same way.
`,
  confusedWith: [
    {
      id: 'socket-filter',
      toldApartBy: 'the same place and drop reason; a filter on the socket itself cannot be seen from outside',
    },
    { id: 'netfilter-drop-in', toldApartBy: 'the drops of the listener stand still there' },
  ],
  scenario: {
    requires: ['BPF programs on cgroups (version 2)'],
    plan: () => ({
      listener: { cgroup: 'svc' },
      steps: [{ on: 'server', bpf: { hook: 'cgroup-ingress', cgroup: 'svc', action: 'deny' } }],
    }),
  },
  examples: [
    {
      name: 'the kernel says SOCKET_FILTER, and the socket has no filter',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ filter: false, dropsDelta: 4 }),
        bpfPrograms: [PROGRAM],
        kernelTrace: {
          events: [
            { kind: 'dropped', reason: 'SOCKET_FILTER', location: 'tcp_v6_rcv', packet: 'syn', cpu: 0, timeUs: 1 },
          ],
          drops: [],
          overrun: false,
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'without tracing: drops of the listener that no counter names',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ filter: false, dropsDelta: 4 }),
        bpfPrograms: [PROGRAM],
        counters: exampleCounters({}, 'TcpExtListenDrops'),
      },
      expect: 'confirmed',
    },
    {
      name: 'whether the socket has a filter could not be read',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        bpfPrograms: [PROGRAM],
        counters: exampleCounters({}, 'TcpExtListenDrops'),
      },
      expect: 'likely',
    },
    {
      name: 'TCP-MD5 explains the drops',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ filter: false, dropsDelta: 4 }),
        bpfPrograms: [PROGRAM],
        counters: exampleCounters({ TcpExtTCPMD5NotFound: 4 }, 'TcpExtListenDrops'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the SYN passed the program: the listener refused nothing',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ filter: false }),
        bpfPrograms: [PROGRAM],
        counters: exampleCounters({}, 'TcpExtListenDrops'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'only supposed',
      given: { attempt: SUPPOSED, sockets: listening({ filter: false }), bpfPrograms: [PROGRAM] },
      expect: 'possible',
    },
    {
      name: 'no program',
      given: { attempt: FOUR_SYNS, sockets: listening({ dropsDelta: 4 }), bpfPrograms: [] },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html',
    'https://docs.ebpf.io/linux/program-type/BPF_PROG_TYPE_CGROUP_SKB/',
  ],
});
