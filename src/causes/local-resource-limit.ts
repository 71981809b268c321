import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, connectStatement, failedAttempt } from './shared-client.ts';

const ERRNOS: Readonly<Record<string, string>> = {
  EMFILE: 'the process may not open more files (RLIMIT_NOFILE)',
  ENFILE: 'the machine may not open more files (fs.file-max)',
  ENOBUFS: 'the kernel has no buffer for the SYN',
  ENOMEM: 'the kernel has no memory for the socket',
  EAGAIN: 'the kernel is short of a resource, or waits for a security association',
};

export const cause: Cause = defineCause({
  id: 'local-resource-limit',
  title: 'The client has reached a limit of its own: files or memory',
  place: 'client',
  step: 'client-socket',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['counters', 'machine'],
  assess({ attempt, counters, machine }) {
    const errno = attempt.connect?.errno;
    if (attempt.side !== 'client' || errno === undefined) return [];
    const meaning = ERRNOS[errno];
    if (meaning === undefined)
      return attempt.syns > 0
        ? [contradicts('conclusive', 'attempt', 'a SYN left, so there was a socket and memory for it')]
        : [];
    if (attempt.syns > 0) return [contradicts('strong', 'attempt', 'a SYN left before')];
    const evidence = [
      supports(errno === 'EAGAIN' ? 'moderate' : 'conclusive', 'attempt', `${connectStatement(attempt)}: ${meaning}`),
    ];
    const aborted = counters?.growth.TcpExtTCPAbortOnMemory ?? 0;
    if (aborted > 0) evidence.push(supports('strong', 'counters', `TCPAbortOnMemory +${aborted}`));
    if ((machine?.memoryPressurePercent ?? 0) > 10)
      evidence.push(
        supports('moderate', 'machine', `tasks waited for memory ${machine?.memoryPressurePercent} % of the time`),
      );
    return evidence;
  },
  sentence({ attempt }) {
    return `The attempt failed on this host with ${attempt.connect?.errno ?? 'an error'}: ${ERRNOS[attempt.connect?.errno ?? ''] ?? 'a limit was reached'}`;
  },
  remedies() {
    return [
      {
        id: 'raise-limit',
        title: 'Find the leak, or raise the limit (LimitNOFILE= of the unit)',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'ls /proc/PID/fd | wc -l against /proc/PID/limits; /proc/net/sockstat against net.ipv4.tcp_mem',
          },
        ],
      },
    ];
  },
  explanation: `
\`socket()\` fails with EMFILE when the process has as many files open as it may, with ENFILE when the machine has; \`connect()\` with ENOBUFS or ENOMEM when the SYN
cannot be built. All at once, and nothing is sent. Memory pressure of TCP alone (\`tcp_mem\`) does not stop a SYN.

Be sure: the errno, and \`ls /proc/PID/fd | wc -l\` against \`/proc/PID/limits\` of the process that connects.
`,
  confusedWith: [{ id: 'ephemeral-ports-exhausted', toldApartBy: 'EADDRNOTAVAIL, and the local ports are used up' }],
  scenario: { impossible: 'the limit is that of another process: the attempt that synscope makes has its own' },
  examples: [
    { name: 'too many open files', given: { attempt: failedAttempt('EMFILE') }, expect: 'confirmed' },
    { name: 'a SYN left', given: { attempt: CLIENT_ATTEMPT }, expect: 'ruled-out' },
  ],
  references: ['https://man7.org/linux/man-pages/man2/socket.2.html', 'net/ipv4/tcp_output.c: tcp_connect()'],
});
