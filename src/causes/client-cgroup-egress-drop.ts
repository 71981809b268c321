import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { CLIENT_ATTEMPT, isSilent, noSynLeft, OUTPUT_RULE } from './shared-client.ts';
import { filterWith, PASSING_FILTER } from './shared-example-hits.ts';

const NOTHING_LEFT = { ...CLIENT_ATTEMPT, syns: 0, sightings: [] };

export const cause: Cause = defineCause({
  id: 'client-cgroup-egress-drop',
  title: 'A BPF program of the cgroup drops the SYN',
  place: 'client',
  step: 'client-filter',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['bpfPrograms', 'kernelTrace', 'packetFilter', 'counters', 'neighbourActivity'],
  assess({ attempt, bpfPrograms, kernelTrace, packetFilter, counters, neighbourActivity }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined) return [];
    if (attempt.syns > 0) return [contradicts('conclusive', 'attempt', 'the SYN left this host')];
    if (!isSilent(attempt) || !noSynLeft(attempt)) return [];
    if (packetFilter?.hits.some(({ packet, certainty }) => packet === 'syn-out' && certainty === 'certain')) {
      return [contradicts('conclusive', 'packetFilter', 'a rule of the packet filter stops the SYN before')];
    }
    if (
      neighbourActivity?.some(
        ({ direction, requests, replies }) => direction === 'out' && requests > 0 && replies === 0,
      )
    ) {
      return [contradicts('strong', 'neighbourActivity', 'the SYN waits for the next hop, which does not answer')];
    }
    const evidence = [];
    const dropped = kernelTrace?.drops.find(({ reason }) => reason === 'BPF_CGROUP_EGRESS');
    if (dropped !== undefined)
      evidence.push(
        supports(
          'conclusive',
          'kernelTrace',
          `the kernel dropped ${dropped.count} packets with the reason BPF_CGROUP_EGRESS`,
        ),
      );
    const program = bpfPrograms?.find(({ hook, onPath }) => hook === 'cgroup-egress' && onPath !== false);
    if (program !== undefined) {
      const sure = program.onPath === true && packetFilter?.passes.includes('syn-out') === true;
      evidence.push(
        supports(
          sure ? 'conclusive' : 'strong',
          'bpfPrograms',
          `a program is attached to the egress of ${program.target ?? 'a cgroup'}${sure ? ', and nothing else on the way stops the SYN' : ''}`,
        ),
      );
    } else if (bpfPrograms !== undefined && dropped === undefined) {
      evidence.push(
        contradicts('strong', 'bpfPrograms', 'no program is attached to the egress of a cgroup on the way'),
      );
    }
    if (evidence.length > 0 && watched(attempt, counters) && grown(counters, 'TcpExtTCPRetransFail') > 0) {
      evidence.push(supports('moderate', 'counters', `TCPRetransFail +${grown(counters, 'TcpExtTCPRetransFail')}`));
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `A BPF program of the cgroup drops the SYN to ${attempt.server.address} on its way out`;
  },
  remedies() {
    return [
      {
        id: 'change-unit',
        title:
          'Change the setting of the unit (systemd IPAddressDeny=, IPAddressAllow=) or the policy that loaded the program',
        risk: 'high',
        auto: 'never',
        changes: [
          { kind: 'advice', text: 'systemctl show UNIT -p IPAddressDeny -p IPAddressAllow; bpftool cgroup show PATH' },
        ],
      },
    ];
  },
  explanation: `
A program of type cgroup_skb/egress sees every packet that processes of its cgroup send; systemd loads one for \`IPAddressDeny=\`. It drops the SYN in \`ip_finish_output()\`: behind
netfilter, before the interface. \`connect()\` times out, no capture shows a SYN, and no rule counts anything.

Since Linux 5.18 the drop reason is BPF_CGROUP_EGRESS. Be sure: \`bpftool cgroup show\` for the cgroup of the process and those above it.
`,
  confusedWith: [{ id: 'client-output-drop', toldApartBy: 'a rule of the packet filter drops, and its counter moves' }],
  scenario: {
    plan: ({ unique }) => ({
      steps: [{ on: 'client', bpf: { hook: 'cgroup-egress', cgroup: unique, action: 'deny' } }],
      attempt: { cgroup: unique },
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'a program on the way, and nothing else',
      given: {
        attempt: NOTHING_LEFT,
        bpfPrograms: [{ hook: 'cgroup-egress', id: 40, target: '/system.slice/app.service', onPath: true }],
        packetFilter: PASSING_FILTER,
      },
      expect: 'confirmed',
    },
    {
      name: 'a rule drops it',
      given: { attempt: NOTHING_LEFT, packetFilter: filterWith(OUTPUT_RULE) },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/ipv4/ip_output.c: ip_finish_output()',
    'https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html',
  ],
});
