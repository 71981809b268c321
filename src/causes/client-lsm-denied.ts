import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { connectStatement, failedAtOnce, failedAttempt, noRouteOut, ROUTE_OUT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-lsm-denied',
  title: 'A security module forbids connect()',
  place: 'client',
  step: 'client-socket',
  sides: ['client'],
  needs: ['attempt', 'outgoingRoute'],
  wants: ['bpfPrograms', 'kernelLog', 'counters', 'xfrmPolicies'],
  assess({ attempt, outgoingRoute, bpfPrograms, kernelLog, counters, xfrmPolicies }) {
    if (!failedAtOnce(attempt, 'EACCES', 'EPERM')) {
      return attempt.side === 'client' && attempt.syns > 0
        ? [contradicts('conclusive', 'attempt', 'a SYN left, so connect() was allowed')]
        : [];
    }
    if (!outgoingRoute.ok)
      return [contradicts('conclusive', 'outgoingRoute', `the route lookup itself answers "${outgoingRoute.message}"`)];
    const errno = attempt.connect?.errno ?? '';
    const evidence = [
      supports('moderate', 'attempt', connectStatement(attempt)),
      supports(
        errno === 'EACCES' ? 'moderate' : 'weak',
        'outgoingRoute',
        `the route lookup ${outgoingRoute.question} succeeds, so no route says ${errno}`,
      ),
    ];
    const audit = kernelLog?.find(
      ({ text }) => /avc:\s+denied|apparmor="DENIED"|landlock/i.test(text) && /connect|network/i.test(text),
    );
    if (audit !== undefined)
      evidence.push(supports('conclusive', 'kernelLog', `the log of the kernel says: ${audit.text.slice(0, 160)}`));
    if (errno === 'EPERM') {
      const hook = attempt.family === 4 ? 'cgroup-connect4' : 'cgroup-connect6';
      if (bpfPrograms?.some((one) => one.hook === hook && one.onPath !== false)) {
        evidence.push(contradicts('moderate', 'bpfPrograms', 'a program of the cgroup can say EPERM as well'));
      }
      if (
        (counters?.growth.XfrmOutPolBlock ?? 0) > 0 ||
        xfrmPolicies?.some(({ direction, action, matches }) => direction === 'out' && action === 'block' && matches)
      ) {
        evidence.push(contradicts('strong', 'counters', 'an IPsec policy says EPERM'));
      }
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `A security module (SELinux, AppArmor, Landlock or a seccomp filter) does not let this process connect to ${attempt.server.address}: ${attempt.connect?.errno ?? 'it is refused'} at once, with a good route`;
  },
  remedies() {
    return [
      {
        id: 'change-policy',
        title: 'Allow it in the policy of the security module',
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'ausearch -m avc -ts recent; for SELinux for example: setsebool httpd_can_network_connect 1',
          },
        ],
      },
    ];
  },
  explanation: `
\`connect()\` asks the security modules first (\`security_socket_connect()\`). SELinux (name_connect), AppArmor (network rules) and Landlock (CONNECT_TCP, Linux 6.7) refuse with EACCES;
BPF-LSM and seccomp filters with EPERM. Nothing is sent, and no counter moves.

EACCES also comes from a \`prohibit\` route: the route lookup tells. Be sure: an audit record (\`ausearch -m avc\`, Landlock since 6.15), and a process outside of the
sandbox that connects.
`,
  confusedWith: [
    { id: 'client-reject-route', toldApartBy: 'the route lookup itself fails with "Permission denied"' },
    { id: 'client-connect-hook-denied', toldApartBy: 'a BPF program is attached to the connect hook of the cgroup' },
  ],
  scenario: {
    plan: () => ({ steps: [], attempt: { landlock: true }, expect: { server: null } }),
  },
  examples: [
    {
      name: 'SELinux, with a record',
      given: {
        attempt: failedAttempt('EACCES'),
        outgoingRoute: ROUTE_OUT,
        kernelLog: [{ text: 'audit: type=1400 avc:  denied  { name_connect } for  pid=812 comm="httpd" dest=443' }],
      },
      expect: 'confirmed',
    },
    {
      name: 'Landlock, without a record',
      given: { attempt: failedAttempt('EACCES'), outgoingRoute: ROUTE_OUT },
      expect: 'likely',
    },
    {
      name: 'a prohibit route',
      given: { attempt: failedAttempt('EACCES'), outgoingRoute: noRouteOut('prohibit', 'Permission denied') },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/userspace-api/landlock.html', 'net/socket.c: __sys_connect_file()'],
});
