import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { BpfAttachment } from '../model/facts/links.ts';
import { DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { exampleCounters, ROUTE_BACK } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { takerName } from './shared-listener.ts';
import { tracedSyn } from './shared-silence.ts';
import { answerMade, settledBeforeAnswer } from './shared-synack.ts';

const PROGRAM: BpfAttachment = {
  hook: 'cgroup-egress',
  id: 32,
  name: 'sd_fw_egress',
  target: '/system.slice/web.service',
  onPath: true,
};
const SENDING = exampleCounters({ TcpOutSegs: 8, TcpExtTCPTimeouts: 4 }, 'TcpExtListenDrops');

function programOf(programs: readonly BpfAttachment[]): BpfAttachment | undefined {
  const candidates = programs.filter(({ hook, onPath }) => hook === 'cgroup-egress' && onPath !== false);
  return candidates.find(({ onPath }) => onPath === true) ?? candidates[0];
}

export const cause: Cause = defineCause({
  id: 'synack-cgroup-egress-drop',
  title: "A BPF program on the listener's cgroup drops the SYN-ACK",
  place: 'server',
  step: 'server-reply-out',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'bpfPrograms'],
  wants: ['counters', 'outgoingRoute', 'kernelTrace', 'packetFilter', 'trafficControl'],
  assess({ attempt, sockets, bpfPrograms, counters, outgoingRoute, kernelTrace, packetFilter, trafficControl }) {
    const settled = settledBeforeAnswer({ attempt, sockets, outgoingRoute });
    if (settled !== undefined) return settled;
    const traced = tracedSyn(kernelTrace, { reasons: /^BPF_CGROUP_EGRESS$/ }, 'syn-ack');
    if (traced.some(({ bearing }) => bearing === 'contradicts')) return traced;
    const program = programOf(bpfPrograms);
    if (program === undefined) {
      return traced.length > 0
        ? traced
        : [contradicts('conclusive', 'bpfPrograms', "no program sees what leaves the listener's cgroup")];
    }
    const said = `the BPF program ${program.name ?? 'without a name'} on ${program.target ?? 'a cgroup'} is asked for each packet that the listener sends`;
    if (traced.length > 0) return [...traced, supports('strong', 'bpfPrograms', said)];
    if (!attempt.observed) {
      return [supports('moderate', 'bpfPrograms', `${said}; what it drops is not known`)];
    }
    const made = answerMade({ attempt, counters, sockets });
    if (!made.some(({ bearing }) => bearing === 'supports')) return made;
    if (
      packetFilter?.hits.some(({ packet, certainty }) => packet === 'syn-ack-out' && certainty === 'certain') === true
    ) {
      return [contradicts('strong', 'packetFilter', 'a rule of the packet filter surely drops the SYN-ACK')];
    }
    const dropping = trafficControl?.find(
      ({ where, droppedDelta, dropsAnswer }) => where !== 'ingress' && (dropsAnswer === true || droppedDelta > 0),
    );
    if (dropping !== undefined) {
      return [contradicts('strong', 'trafficControl', `${dropping.kind} on ${dropping.device} drops packets`)];
    }
    // systemd attaches programs that only count, so that without the kernel's own word nothing more can be said.
    const excluded = packetFilter?.passes.includes('syn-ack-out') === true && program.onPath === true;
    return [...made, supports(excluded ? 'strong' : 'weak', 'bpfPrograms', said)];
  },
  sentence({ attempt, sockets, bpfPrograms }) {
    const where = programOf(bpfPrograms)?.target ?? 'its cgroup';
    return `A BPF program on ${where} drops the SYN-ACKs of ${takerName(sockets, attempt)} to ${attempt.client.address} before they leave`;
  },
  remedies({ attempt, sockets }) {
    const unit = sockets.matching[0]?.owners[0]?.unit ?? 'UNIT';
    return [
      {
        id: 'allow-address',
        title: `Allow ${attempt.client.address} in the unit ${unit}, if it is systemd that filters`,
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `systemctl show ${unit} -p IPAddressAllow -p IPAddressDeny shows the policy; IPAddressAllow=${attempt.client.address} in a drop-in, then systemctl restart ${unit}.`,
          },
        ],
      },
    ];
  },
  explanation: `
BPF programs of type \`cgroup_skb\` on the listener's cgroup, or one above it, see each packet that its sockets send; half-open connections inherit the cgroup of their listener. systemd uses them for
\`IPAddressDeny=\`. A packet for which one returns 0 is dropped in \`ip_finish_output()\` (\`ip6_finish_output()\`): \`BPF_CGROUP_RUN_PROG_INET_EGRESS\`.

A capture shows SYN in, nothing out. \`TcpOutSegs\` and \`TCPTimeouts\` move, \`ListenDrops\` does not. The drop reason of the SYN-ACK is \`BPF_CGROUP_EGRESS\` (Linux 5.18 and later): that
decides.

Be sure: \`bpftool cgroup tree\` shows an egress program; \`systemctl show UNIT -p IPAddressDeny\`. Programs that only count (\`IPAccounting=\`) are attached in the same way.
`,
  confusedWith: [
    { id: 'synack-output-drop', toldApartBy: 'a rule of the packet filter drops it, with NETFILTER_DROP' },
    { id: 'synack-tc-qdisc-drop', toldApartBy: 'a queueing discipline counts the drop' },
    { id: 'cgroup-ingress-drop', toldApartBy: 'there the SYN is dropped, and the drops of the listener move' },
  ],
  scenario: {
    requires: ['BPF programs on cgroups (version 2)'],
    plan: () => ({
      listener: { cgroup: 'svc' },
      steps: [{ on: 'server', bpf: { hook: 'cgroup-egress', cgroup: 'svc', action: 'deny' } }],
    }),
  },
  examples: [
    {
      name: 'the kernel says BPF_CGROUP_EGRESS',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        bpfPrograms: [PROGRAM],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
        kernelTrace: {
          events: [
            {
              kind: 'dropped',
              reason: 'BPF_CGROUP_EGRESS',
              location: 'ip6_finish_output',
              packet: 'syn-ack',
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
      name: 'by exclusion: no rule and no queueing discipline drops it',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        bpfPrograms: [PROGRAM],
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
        packetFilter: PASSING_FILTER,
        trafficControl: [],
      },
      expect: 'likely',
    },
    {
      name: 'a rule drops it for sure',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        bpfPrograms: [PROGRAM],
        counters: SENDING,
        packetFilter: filterWith({ ...DROP_HIT, packet: 'syn-ack-out', hook: 'output' }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'TCP made no SYN-ACK',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        bpfPrograms: [PROGRAM],
        counters: exampleCounters({}, 'TcpOutSegs', 'TcpExtListenDrops'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'only supposed',
      given: { attempt: SUPPOSED, sockets: listening(), bpfPrograms: [PROGRAM] },
      expect: 'possible',
    },
    {
      name: 'no program',
      given: { attempt: FOUR_SYNS, sockets: listening(), bpfPrograms: [], counters: SENDING },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html',
    'https://docs.ebpf.io/linux/program-type/BPF_PROG_TYPE_CGROUP_SKB/',
  ],
});
