import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Listener, SocketOwner } from '../model/facts/sockets.ts';
import {
  fullListeners,
  hindranceOf,
  isStopped,
  overflowEvidence,
  ownerState,
  queueState,
} from './shared-accept-queue.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, processName } from './shared-listener.ts';

const STOPPED: Partial<Listener> = {
  acceptQueue: 512,
  dropsDelta: 4,
  owners: [{ pid: 811, name: 'nginx', state: 'T' }],
};
const OVERFLOWS = exampleCounters({ TcpExtListenOverflows: 4, TcpExtListenDrops: 4 });

function stoppedListener(listeners: readonly Listener[]): Listener | undefined {
  return listeners.find((listener) => hindranceOf(listener) === 'stopped');
}

function stoppedOwner({ owners }: Listener): SocketOwner | undefined {
  return owners.find(isStopped);
}

export const cause: Cause = defineCause({
  id: 'listener-process-stopped',
  title: 'The process that listens is stopped',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters'],
  assess({ attempt, sockets, counters }) {
    const overflow = overflowEvidence({ attempt, counters, sockets });
    const stopped = stoppedListener(fullListeners(sockets)) ?? stoppedListener(sockets.matching);
    const owner = stopped === undefined ? undefined : stoppedOwner(stopped);
    if (stopped === undefined || owner === undefined) {
      const known = sockets.matching.some(({ owners }) => owners.some(({ state }) => state !== undefined));
      const settled = overflow.filter(({ weight, bearing }) => weight === 'conclusive' && bearing === 'contradicts');
      if (settled.length > 0 || !known) return settled;
      return [contradicts('conclusive', 'sockets', 'a process of the listener runs, or waits for something to do')];
    }
    const state = supports(
      'strong',
      'sockets',
      `${processName(stopped)}: ${ownerState(owner)}, so nobody calls accept()`,
    );
    // While the queue has room a SYN is still answered by the kernel, and the connection then leads to nobody.
    if (!attempt.observed && fullListeners(sockets).length === 0 && sockets.matching.length > 0) {
      return [state, contradicts('weak', 'sockets', `a SYN would still be answered: ${queueState(stopped)}`)];
    }
    return [...overflow, state];
  },
  sentence({ sockets }) {
    const listener = stoppedListener(fullListeners(sockets)) ?? stoppedListener(sockets.matching);
    const owner = listener === undefined ? undefined : stoppedOwner(listener);
    const who = listener === undefined ? 'The process that listens' : listenerName(listener);
    const state = owner === undefined ? 'does not run' : `does not run (${ownerState(owner)})`;
    const queue = listener === undefined ? '' : `: ${queueState(listener)}`;
    return `${who} ${state}, so nobody accepts connections${queue}`;
  },
  remedies({ sockets }) {
    const listener = stoppedListener(fullListeners(sockets)) ?? stoppedListener(sockets.matching);
    const stopped = listener?.owners.filter(isStopped) ?? [];
    if (stopped.length === 0) return [];
    const frozen = stopped.find((owner) => owner.frozen === true);
    const traced = stopped.find(({ state }) => state === 't');
    if (frozen !== undefined) {
      const unit = frozen.unit ?? 'UNIT';
      return [
        {
          id: 'thaw',
          title: `Thaw the cgroup of ${frozen.name}; find out who froze it`,
          risk: 'low',
          auto: 'with-consent',
          changes: [
            frozen.unit === undefined
              ? {
                  kind: 'advice',
                  text: `Write 0 to cgroup.freeze of ${frozen.cgroup ?? 'its cgroup'}, or unpause the container.`,
                }
              : { kind: 'command', argv: ['systemctl', 'thaw', unit] },
          ],
        },
      ];
    }
    if (traced !== undefined) {
      return [
        {
          id: 'detach-debugger',
          title: `Detach the debugger from pid ${traced.pid} (${traced.name}), or let it go on`,
          risk: 'low',
          auto: 'never',
          changes: [{ kind: 'advice', text: `TracerPid in /proc/${traced.pid}/status names the debugger.` }],
        },
      ];
    }
    return [
      {
        id: 'continue',
        title: `Let ${stopped[0]?.name} go on; find out who stopped it`,
        risk: 'low',
        auto: 'with-consent',
        changes: [{ kind: 'command', argv: ['kill', '-CONT', ...stopped.map(({ pid }) => String(pid))] }],
      },
    ];
  },
  explanation: `
The kernel completes handshakes without the program. While the process that listens is stopped (SIGSTOP, Ctrl-Z, a debugger, a frozen cgroup or paused container), the first backlog + 1
clients connect and get no answer to what they send; then the accept queue is full and \`tcp_conn_request()\` drops every SYN, as with \`accept-queue-full\`.

Be sure: \`ps -o pid,stat,wchan -p PID\`: \`T\` is stopped by a signal, \`t\` by a debugger; \`cgroup.events\` of its cgroup says \`frozen 1\`. A process in state
\`D\` hangs in the kernel (storage that does not answer); it is not counted as stopped here, because that state passes mostly.
`,
  confusedWith: [
    { id: 'accept-queue-full', toldApartBy: 'the process runs: it is slow, or blocked' },
    { id: 'accept-emfile', toldApartBy: 'the process runs, and accept() fails' },
    { id: 'reuseport-stuck-member', toldApartBy: 'only one listener of a group is not served' },
  ],
  scenario: {
    plan: () => ({
      listener: { backlog: 1 },
      steps: [
        { on: 'server', signal: 'STOP' },
        { on: 'client', connect: { count: 2 } },
      ],
    }),
  },
  examples: [
    {
      name: 'stopped, and its queue overflows',
      given: { attempt: FOUR_SYNS, sockets: listening(STOPPED), counters: OVERFLOWS },
      expect: 'confirmed',
    },
    {
      name: 'frozen, only supposed',
      given: {
        attempt: SUPPOSED,
        sockets: listening({
          ...STOPPED,
          owners: [{ pid: 811, name: 'nginx', state: 'S', frozen: true, unit: 'nginx.service' }],
        }),
      },
      expect: 'confirmed',
    },
    {
      name: 'stopped, but its queue has room: a SYN is still answered',
      given: { attempt: SUPPOSED, sockets: listening({ ...STOPPED, acceptQueue: 0 }) },
      expect: 'possible',
    },
    {
      name: 'one of two processes is stopped, the other accepts',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({
          ...STOPPED,
          owners: [
            { pid: 811, name: 'nginx', state: 'T' },
            { pid: 812, name: 'nginx', state: 'S' },
          ],
        }),
        counters: OVERFLOWS,
      },
      expect: 'ruled-out',
    },
    {
      name: 'stopped, but the SYNs were refused for another reason',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ ...STOPPED, acceptQueue: 0 }),
        counters: exampleCounters({ TcpExtListenDrops: 4, Ip6OutNoRoutes: 4 }, 'TcpExtListenOverflows'),
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://man7.org/linux/man-pages/man7/signal.7.html',
    'https://docs.kernel.org/admin-guide/cgroup-v2.html',
    'net/ipv4/tcp_input.c: tcp_conn_request()',
  ],
});
