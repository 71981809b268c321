import { type Cause, contradicts, defineCause, type Remedy, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import type { Listener } from '../model/facts/sockets.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening, listeningElsewhere, REFUSED, SUPPOSED } from './shared-examples-server.ts';
import { listenerName, nearestMismatch, processName, refusedByTcp, socketWeight } from './shared-listener.ts';

function familyOf({ family, v6only }: Listener): string {
  if (family === 4) return 'IPv4 only';
  return v6only ? 'IPv6 only (IPV6_V6ONLY is set)' : 'IPv6 only';
}

export const cause: Cause = defineCause({
  id: 'listener-wrong-family',
  title: 'The port has a listener, but only for the other IP version',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'kernelTrace', 'packetFilter', 'sysctls'],
  assess({ attempt, sockets, counters, kernelTrace, packetFilter }) {
    if (attempt.side !== 'server') return [];
    const { port } = attempt.server;
    const [taker] = sockets.matching;
    if (taker !== undefined) {
      return [
        contradicts(
          'conclusive',
          'sockets',
          `${listenerName(taker)} takes an IPv${attempt.family} SYN to port ${port}`,
        ),
      ];
    }
    const other = sockets.mismatched.find(({ why }) => why === 'family');
    if (other === undefined) {
      return sockets.mismatched.length === 0
        ? [contradicts('conclusive', 'sockets', `nothing listens on port ${port} at all`)]
        : [];
    }
    const evidence = [
      supports(
        socketWeight(attempt),
        'sockets',
        `${listenerName(other.listener)} listens for ${familyOf(other.listener)}; the SYN is IPv${attempt.family}`,
      ),
    ];
    const near = nearestMismatch(sockets);
    if (near !== undefined && near.why !== 'family') {
      evidence.push(
        contradicts('strong', 'sockets', `${listenerName(near.listener)} comes nearer: only its ${near.why} differs`),
      );
    }
    return [...evidence, ...refusedByTcp({ attempt, counters, kernelTrace, packetFilter })];
  },
  sentence({ attempt, sockets }) {
    const listener = sockets.mismatched.find(({ why }) => why === 'family')?.listener;
    const who = listener === undefined ? 'The listener' : processName(listener);
    const what = listener === undefined ? 'the other IP version' : familyOf(listener);
    return `${who} listens on port ${attempt.server.port} for ${what}, so IPv${attempt.family} SYNs to it are refused with RST`;
  },
  remedies({ attempt, sockets, sysctls }) {
    const listener = sockets.mismatched.find(({ why }) => why === 'family')?.listener;
    const who = listener?.owners[0]?.name ?? 'the service';
    const unit = listener?.owners[0]?.unit;
    const byDefault =
      attempt.family === 4 && listener?.v6only === true && sysctlNumber(sysctls, 'net.ipv6.bindv6only') === 1;
    const configure: Remedy = {
      id: 'listen-on-both',
      title: `Let ${who} listen for IPv${attempt.family} too`,
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: `Add ${attempt.family === 6 ? '[::]' : '0.0.0.0'}:${attempt.server.port} to its configuration, or one socket on [::] without IPV6_V6ONLY, and restart it.`,
        },
      ],
    };
    if (!byDefault) return [configure];
    return [
      configure,
      {
        id: 'bindv6only',
        title: `Sockets of IPv6 take IPv4 as well again: those that are made from then on, so ${who} is restarted`,
        risk: 'medium',
        auto: 'never',
        changes:
          unit === undefined
            ? [{ kind: 'advice', text: `sysctl -w net.ipv6.bindv6only=0, then restart ${who}.` }]
            : [
                { kind: 'sysctl', key: 'net.ipv6.bindv6only', value: '0' },
                { kind: 'service', unit, action: 'restart' },
              ],
      },
    ];
  },
  explanation: `
An IPv4 socket (\`0.0.0.0\`) never takes IPv6 SYNs. An IPv6 socket on \`[::]\` takes both, unless it is IPv6 only: by the socket option \`IPV6_V6ONLY\`, which
many programs set, or by \`net.ipv6.bindv6only=1\`. A SYN of the other version finds no socket and gets RST: ECONNREFUSED. Clients that prefer
IPv6 then fail or hesitate, while others work.

Be sure: \`ss -ltne sport = :PORT\`: \`0.0.0.0\` is IPv4 only, \`*\` is both, \`[::]\` is IPv6 only (\`v6only:1\`).

\`inet6_lookup_listener()\`, \`inet_lookup_listener()\` and \`ipv6_only_sock()\` in \`compute_score()\` decide.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'no socket has the port at all' },
    { id: 'listener-wrong-address', toldApartBy: 'the listener is bound to one address' },
    { id: 'netfilter-reject-in', toldApartBy: 'TcpOutRsts stands still there' },
  ],
  scenario: {
    plan: ({ family }) => ({
      listener: family === 6 ? { address: '0.0.0.0' } : { address: '::', v6only: true },
      steps: [],
    }),
  },
  examples: [
    {
      name: 'an IPv4 listener and an IPv6 client',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('family', { address: '0.0.0.0', family: 4 }),
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed, an IPv6-only listener and an IPv4 client',
      given: {
        attempt: { ...SUPPOSED, family: 4 },
        sockets: listeningElsewhere('family', { v6only: true }),
        sysctls: { 'net.ipv6.bindv6only': '1' },
      },
      expect: 'confirmed',
    },
    {
      name: 'a listener takes both',
      given: { attempt: REFUSED, sockets: listening() },
      expect: 'ruled-out',
    },
    {
      name: 'the RST was not sent by TCP',
      given: {
        attempt: REFUSED,
        sockets: listeningElsewhere('family', { address: '0.0.0.0', family: 4 }),
        counters: exampleCounters({}, 'TcpOutRsts'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the listener has one address of its own',
      given: { attempt: REFUSED, sockets: listeningElsewhere('address', { address: '::1' }) },
      expect: 'not-indicated',
    },
  ],
  references: [
    'https://man7.org/linux/man-pages/man7/ipv6.7.html',
    'https://www.rfc-editor.org/rfc/rfc3493#section-5.3',
  ],
});
