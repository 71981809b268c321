import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Listener, SocketOwner } from '../model/facts/sockets.ts';
import { fullListeners, hindranceOf, isOutOfFiles, overflowEvidence, ownerState } from './shared-accept-queue.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, processName } from './shared-listener.ts';

const OUT_OF_FILES: Partial<Listener> = {
  acceptQueue: 512,
  dropsDelta: 4,
  owners: [{ pid: 811, name: 'nginx', state: 'S', openFiles: 1024, openFilesLimit: 1024 }],
};
const OVERFLOWS = exampleCounters({ TcpExtListenOverflows: 4, TcpExtListenDrops: 4 });

function ownerOf(listeners: readonly Listener[]): SocketOwner | undefined {
  return listeners.flatMap(({ owners }) => owners).find(isOutOfFiles);
}

export const cause: Cause = defineCause({
  id: 'accept-emfile',
  title: 'The server has no file descriptor left to accept with',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters'],
  assess({ attempt, sockets, counters }) {
    const overflow = overflowEvidence({ attempt, counters, sockets });
    if (overflow.some(({ bearing, weight }) => bearing === 'contradicts' && weight === 'conclusive')) return overflow;
    const full = fullListeners(sockets);
    const judged = full.length > 0 ? full : sockets.matching;
    if (judged.every(({ owners }) => owners.every(({ openFiles }) => openFiles === undefined))) return [];
    const hindered = judged.find((listener) => hindranceOf(listener) === 'out-of-files');
    const owner = ownerOf(hindered === undefined ? judged : [hindered]);
    if (owner === undefined) {
      const [some] = judged.flatMap(({ owners }) => owners);
      const numbers = some === undefined ? '' : ` (${some.name} has ${some.openFiles} of ${some.openFilesLimit} open)`;
      return [contradicts('conclusive', 'sockets', `the processes of the listener can still open files${numbers}`)];
    }
    if (hindered === undefined) {
      return [
        supports(
          'weak',
          'sockets',
          `${owner.name} (pid ${owner.pid}): ${ownerState(owner)}; others of its processes can still accept`,
        ),
      ];
    }
    return [
      ...overflow,
      supports('strong', 'sockets', `${processName(hindered)}: ${ownerState(owner)}, so accept() fails with EMFILE`),
    ];
  },
  sentence({ sockets }) {
    const listener = fullListeners(sockets)[0] ?? sockets.matching[0];
    const owner = ownerOf(sockets.matching);
    const who = listener === undefined ? 'The listener' : listenerName(listener);
    const numbers = owner === undefined ? '' : ` (${owner.openFiles} of ${owner.openFilesLimit})`;
    return `${who} has no file descriptor left${numbers}: accept() fails, the accept queue is full, and the kernel drops SYNs without an answer`;
  },
  remedies({ sockets }) {
    const owner = ownerOf(sockets.matching);
    if (owner?.openFilesLimit === undefined) return [];
    const wanted = owner.openFilesLimit * 4;
    const unit = owner.unit ?? 'UNIT';
    return [
      {
        id: 'raise-nofile',
        title: `Let pid ${owner.pid} (${owner.name}) open ${wanted} files: it goes on at once`,
        risk: 'low',
        auto: 'with-consent',
        changes: [{ kind: 'command', argv: ['prlimit', '--pid', String(owner.pid), `--nofile=${wanted}:${wanted}`] }],
      },
      {
        id: 'keep-it',
        title: 'Make it last, and look for descriptors that are never closed',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `LimitNOFILE=${wanted} in the unit ${unit}; ls -l /proc/${owner.pid}/fd shows what is open.`,
          },
        ],
      },
    ];
  },
  explanation: `
Each accepted connection needs a file descriptor. A process that has \`RLIMIT_NOFILE\` of them open gets EMFILE from \`accept()\`. It cannot take connections from the queue any
more; the queue fills, and from then on \`tcp_conn_request()\` drops every SYN, as with \`accept-queue-full\`. Connections that came earlier go on, which is why a
process that leaks descriptors dies slowly.

ENFILE (the whole machine, \`fs.file-max\`) and ENOMEM have the same effect.

Be sure: \`ls /proc/PID/fd | wc -l\` is the soft limit of \`prlimit --nofile --pid PID\`, and \`ss -ltn\` shows Recv-Q above Send-Q. Most programs log "Too many open files".
`,
  confusedWith: [
    { id: 'accept-queue-full', toldApartBy: 'the process can still open files: it is slow, or blocked' },
    { id: 'listener-process-stopped', toldApartBy: 'the process does not run at all' },
  ],
  scenario: {
    plan: () => ({
      listener: { backlog: 2, openFiles: 4 },
      // Four are accepted and three wait; more could be taken for the attempt.
      steps: [{ on: 'client', connect: { count: 7 } }],
    }),
  },
  examples: [
    {
      name: 'no descriptor left, full queue',
      given: { attempt: FOUR_SYNS, sockets: listening(OUT_OF_FILES), counters: OVERFLOWS },
      expect: 'confirmed',
    },
    { name: 'only supposed', given: { attempt: SUPPOSED, sockets: listening(OUT_OF_FILES) }, expect: 'confirmed' },
    {
      name: 'full, but the process could open more',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({
          ...OUT_OF_FILES,
          owners: [{ pid: 811, name: 'nginx', openFiles: 600, openFilesLimit: 1024 }],
        }),
        counters: OVERFLOWS,
      },
      expect: 'ruled-out',
    },
    {
      name: 'one of two worker processes has no descriptor left: the other accepts',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({
          ...OUT_OF_FILES,
          owners: [
            { pid: 811, name: 'nginx', openFiles: 1024, openFilesLimit: 1024 },
            { pid: 812, name: 'nginx', openFiles: 70, openFilesLimit: 1024 },
          ],
        }),
        counters: OVERFLOWS,
      },
      expect: 'possible',
    },
    {
      name: 'no descriptor left, but nothing overflowed',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ ...OUT_OF_FILES, acceptQueue: 3 }),
        counters: exampleCounters({ TcpExtListenDrops: 4 }, 'TcpExtListenOverflows'),
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://man7.org/linux/man-pages/man2/accept.2.html',
    'https://man7.org/linux/man-pages/man2/getrlimit.2.html',
  ],
});
