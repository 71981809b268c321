import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { sysctlNumber, watched } from '../model/cause-facts.ts';
import type { Machine } from '../model/facts/facts.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { refusalCounted, settledOtherwise } from './shared-refusal.ts';
import { stoodStill } from './shared-silence.ts';

const OLD: Machine = {
  hostname: 'web7',
  kernelRelease: '3.10.0-957.el7.x86_64',
  kernelVersion: [3, 10],
  privileged: true,
};
const RECYCLES = { 'net.ipv4.tcp_tw_recycle': '1' };

export const cause: Cause = defineCause({
  id: 'tw-recycle-nat',
  title: 'The setting tcp_tw_recycle refuses clients that share an address',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'machine', 'sysctls'],
  wants: ['counters', 'sockets', 'surroundings'],
  assess({ attempt, machine, sysctls, counters, sockets, surroundings }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    const [major, minor] = machine.kernelVersion;
    if (major > 4 || (major === 4 && minor >= 12)) {
      return [
        contradicts('conclusive', 'machine', `Linux ${machine.kernelRelease} has no tcp_tw_recycle (removed in 4.12)`),
      ];
    }
    const recycle = sysctlNumber(sysctls, 'net.ipv4.tcp_tw_recycle');
    if (recycle !== 1) return [contradicts('conclusive', 'sysctls', `tcp_tw_recycle is ${recycle ?? 'not there'}`)];
    if (attempt.synOptions?.timestamps === false && attempt.synOptions.cut !== true) {
      return [contradicts('conclusive', 'attempt', 'the SYN has no timestamp, so it is not compared')];
    }
    const said = `net.ipv4.tcp_tw_recycle is 1 on Linux ${machine.kernelRelease}`;
    if (!watched(attempt, counters)) return [supports('moderate', 'sysctls', said)];
    if (stoodStill(counters, 'TcpExtPAWSPassive')) {
      return [contradicts('conclusive', 'counters', 'PAWSPassive did not move: no SYN was refused for its timestamp')];
    }
    const counted = refusalCounted({ attempt, counters, sockets }, 'TcpExtPAWSPassive');
    const fits = counted.some(({ bearing }) => bearing === 'supports');
    const { sameClient } = surroundings ?? {};
    const mixed = sameClient !== undefined && sameClient.answered > 0 && sameClient.unanswered > 0;
    return [
      supports(fits ? 'conclusive' : 'moderate', 'sysctls', said),
      ...counted,
      ...(mixed
        ? [
            supports(
              'moderate',
              'surroundings',
              `of the attempts of ${attempt.client.address} ${sameClient.answered} were answered and ${sameClient.unanswered} were not`,
            ),
          ]
        : []),
    ];
  },
  sentence({ attempt }) {
    return `The server has tcp_tw_recycle=1, so it drops SYNs of ${attempt.client.address} whose timestamp is older than the last one from that address, as with several clients behind one translation`;
  },
  remedies: () => [
    {
      id: 'no-recycle',
      title: 'Turn tcp_tw_recycle off; the kernel dropped it in 4.12 because it breaks clients behind translation',
      risk: 'low',
      auto: 'safe',
      changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_tw_recycle', value: '0' }],
    },
  ],
  explanation: `
Kernels before 4.12 have \`net.ipv4.tcp_tw_recycle\`. With 1 they remember the last timestamp of each client **address** and drop a SYN with an older one for 60 s: \`tcp_conn_request()\` →
\`tcp_peer_is_proven(..., paws_check)\`. Several clients behind one translated address have clocks of their own, and clients since Linux 4.10 use a random offset for
each connection: some of their SYNs are dropped, now and then.

\`PAWSPassive\` ("passive connections rejected because of time stamp") and \`ListenDrops\` move by one for each. Linux 4.12 removed it.

Be sure: \`uname -r\`, \`sysctl net.ipv4.tcp_tw_recycle\`, \`nstat -az TcpExtPAWSPassive\`.
`,
  confusedWith: [
    { id: 'accept-queue-full', toldApartBy: 'ListenOverflows moves there' },
    { id: 'timewait-paws', toldApartBy: 'there the server answers with ACK, for one connection only' },
  ],
  scenario: { impossible: 'needs a kernel before Linux 4.12' },
  examples: [
    {
      name: 'an old kernel with the setting, and PAWSPassive for each SYN',
      given: {
        attempt: FOUR_SYNS,
        machine: OLD,
        sysctls: RECYCLES,
        counters: exampleCounters({ TcpExtPAWSPassive: 4, TcpExtListenDrops: 4 }),
        sockets: listening({ dropsDelta: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the setting alone refuses nobody for sure',
      given: { attempt: SUPPOSED, machine: OLD, sysctls: RECYCLES },
      expect: 'possible',
    },
    {
      name: 'the accept queue overflows',
      given: {
        attempt: FOUR_SYNS,
        machine: OLD,
        sysctls: RECYCLES,
        counters: exampleCounters({ TcpExtListenOverflows: 4, TcpExtListenDrops: 4 }, 'TcpExtPAWSPassive'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'a kernel of today',
      given: {
        attempt: FOUR_SYNS,
        machine: { ...OLD, kernelRelease: '6.18.44', kernelVersion: [6, 18] },
        sysctls: {},
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://vincent.bernat.ch/en/blog/2014-tcp-time-wait-state-linux',
    'https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/commit/?id=4396e46187ca5070219b81773c4e65088dac50cc',
  ],
});
