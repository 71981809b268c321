import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, connectStatement, failedAtOnce, failedAttempt } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-connect-hook-denied',
  title: 'A BPF program of the cgroup forbids connect()',
  place: 'client',
  step: 'client-socket',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['bpfPrograms', 'xfrmPolicies', 'counters'],
  assess({ attempt, bpfPrograms, xfrmPolicies, counters }) {
    if (!failedAtOnce(attempt, 'EPERM')) {
      return attempt.side === 'client' && attempt.syns > 0
        ? [contradicts('conclusive', 'attempt', 'a SYN left, so connect() was allowed')]
        : [];
    }
    const evidence = [supports('moderate', 'attempt', connectStatement(attempt))];
    const hook = attempt.family === 4 ? 'cgroup-connect4' : 'cgroup-connect6';
    const program = bpfPrograms?.find((one) => one.hook === hook && one.onPath !== false);
    if (program !== undefined) {
      const name = program.name === undefined ? '' : ` "${program.name}"`;
      evidence.push(
        supports(
          program.onPath === true ? 'conclusive' : 'strong',
          'bpfPrograms',
          `program${name} ${program.id ?? ''} is attached to ${hook.slice(7)} of ${program.target ?? 'a cgroup'}`,
        ),
      );
    } else if (bpfPrograms !== undefined) {
      evidence.push(
        contradicts('strong', 'bpfPrograms', `no program is attached to ${hook.slice(7)} on the way of this process`),
      );
    }
    if (counters !== undefined && (counters.growth.XfrmOutPolBlock ?? 0) > 0) {
      evidence.push(contradicts('strong', 'counters', 'XfrmOutPolBlock moved: an IPsec policy says EPERM'));
    } else if (
      xfrmPolicies?.some(({ direction, action, matches }) => direction === 'out' && action === 'block' && matches)
    ) {
      evidence.push(contradicts('strong', 'xfrmPolicies', 'an IPsec policy blocks this flow'));
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `A BPF program of the cgroup does not let processes connect to ${attempt.server.address} port ${attempt.server.port}`;
  },
  remedies() {
    return [
      {
        id: 'change-policy',
        title: 'Change the policy that loaded the program (systemd unit, Cilium, container runtime)',
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'bpftool cgroup tree shows the programs; systemctl show UNIT the settings of a unit.',
          },
        ],
      },
    ];
  },
  explanation: `
A program of type cgroup/connect4 or connect6 is asked for every \`connect()\` of the processes in its cgroup (Cilium's socket load balancer, systemd's
RestrictNetworkInterfaces, container policies). It can refuse, and \`connect()\` fails at once with EPERM; or it can silently rewrite the destination. No packet, no counter.

EPERM at once also comes from an IPsec policy that blocks (\`XfrmOutPolBlock\` moves) and from seccomp. Be sure: \`bpftool cgroup tree\` for the cgroup of the process;
another process outside of it connects.

Linux 4.17 and later: BPF_CGROUP_RUN_PROG_INET4_CONNECT in \`tcp_v4_pre_connect()\`.
`,
  confusedWith: [
    { id: 'client-xfrm-out-block', toldApartBy: 'XfrmOutPolBlock moves there' },
    { id: 'client-lsm-denied', toldApartBy: 'a security module says EACCES, or EPERM without such a program' },
  ],
  scenario: {
    plan: ({ unique, family }) => ({
      steps: [
        {
          on: 'client',
          bpf: { hook: family === 4 ? 'cgroup-connect4' : 'cgroup-connect6', cgroup: unique, action: 'deny' },
        },
      ],
      attempt: { cgroup: unique },
      expect: { server: null, client: ['client-connect-hook-denied', 'client-lsm-denied'] },
    }),
  },
  examples: [
    {
      name: 'a program on the cgroup of the process',
      given: {
        attempt: failedAttempt('EPERM'),
        bpfPrograms: [
          { hook: 'cgroup-connect4', id: 31, name: 'sd_devices', target: '/system.slice/app.service', onPath: true },
        ],
      },
      expect: 'confirmed',
    },
    { name: 'no such program', given: { attempt: failedAttempt('EPERM'), bpfPrograms: [] }, expect: 'ruled-out' },
    { name: 'a SYN left', given: { attempt: CLIENT_ATTEMPT }, expect: 'ruled-out' },
  ],
  references: ['https://docs.kernel.org/bpf/libbpf/program_types.html', 'net/ipv4/tcp_ipv4.c: tcp_v4_pre_connect()'],
});
