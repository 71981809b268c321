import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { FactMap } from '../model/facts/facts.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { FOUR_SYNS, listening } from './shared-examples-server.ts';
import { takerName } from './shared-listener.ts';
import { settledOtherwise } from './shared-refusal.ts';
import { tracedSyn } from './shared-silence.ts';
import { allocationFailure, securityDenial, unnamedRefusal } from './shared-unnamed-refusal.ts';

const DENIAL: FactMap['kernelLog'] = [
  {
    text: `audit: type=1400 avc:  denied  { recv } for saddr=${EXAMPLE_ATTEMPT.client.address} src=50204 daddr=2001:db8:2::2 dest=443 netif=eth0`,
  },
];
const UNNAMED = exampleCounters({ TcpExtListenDrops: 4 });

export const cause: Cause = defineCause({
  id: 'lsm-conn-request',
  title: 'A security module refuses the connection request',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'outgoingRoute', 'sysctls', 'kernelTrace', 'kernelLog', 'bpfPrograms'],
  assess(facts) {
    const { attempt, kernelTrace, kernelLog, bpfPrograms } = facts;
    const settled = settledOtherwise(facts);
    if (settled !== undefined) return settled;
    if (!attempt.observed) return [];
    const traced = tracedSyn(kernelTrace, { reasons: /^SECURITY_HOOK$/ });
    if (traced.length > 0) return traced;
    const denial = securityDenial(kernelLog);
    const names = denial?.includes(attempt.client.address) === true;
    const evidence = unnamedRefusal(facts);
    if (names) {
      evidence.push(supports('conclusive', 'kernelLog', `the kernel log says "${denial}"`));
    } else if (denial !== undefined) {
      evidence.push(
        supports('moderate', 'kernelLog', `the kernel log says "${denial}", which does not name this client`),
      );
    }
    const program = bpfPrograms?.find(({ hook }) => hook === 'lsm');
    if (program !== undefined && evidence.some(({ bearing }) => bearing === 'supports')) {
      evidence.push(
        supports(
          'weak',
          'bpfPrograms',
          `a BPF program is a security module here (${program.name ?? 'without a name'})`,
        ),
      );
    }
    const failure = allocationFailure(kernelLog);
    if (!names && failure !== undefined) {
      evidence.push(contradicts('strong', 'kernelLog', `memory was short at that time: "${failure}"`));
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    return `A security module (SELinux, Smack, NetLabel or a BPF program) refuses SYNs of ${attempt.client.address} to ${takerName(sockets, attempt)}, so the kernel drops them without an answer`;
  },
  remedies: () => [
    {
      id: 'read-audit-log',
      title: 'Read the audit log; the policy decides who may connect',
      risk: 'high',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'ausearch -m avc -ts recent; semodule, netlabelctl and the labels of the peer (IPsec, CIPSO) say what is allowed.',
        },
      ],
    },
  ],
  explanation: `
A security module is asked for each connection request: \`security_inet_conn_request()\`, called by \`tcp_v4_route_req()\` and \`tcp_v6_route_req()\` before the route lookup (SELinux peer labels,
Smack, BPF). When it refuses, the SYN is dropped and only \`ListenDrops\` moves; the skb is consumed, without a drop reason. \`security_sock_rcv_skb()\` refuses earlier, in the socket
filter; newer kernels (6.12 or so) name that \`SECURITY_HOOK\`.

From counters alone this looks like a request for which no memory could be had (\`reqsk-alloc-failed\`). The audit log tells: an AVC with \`recv\` or \`peer\` that
names the client.

Be sure: \`ausearch -m avc -ts recent\`; and no reply lookup between the receive of the SYN and its end in a kernel trace.
`,
  confusedWith: [
    { id: 'reqsk-alloc-failed', toldApartBy: 'memory is short there; from counters alone they cannot be told apart' },
    { id: 'accept-queue-full', toldApartBy: 'ListenOverflows moves there' },
    { id: 'syn-queue-last-quarter', toldApartBy: 'there the SYN queue is nearly full and SYN cookies are off' },
    { id: 'return-route-rejected', toldApartBy: 'there the route lookup fails' },
  ],
  scenario: { impossible: 'needs a kernel with a security module that labels network peers (SELinux, Smack)' },
  examples: [
    {
      name: 'the audit log names the client',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: ROUTE_BACK,
        kernelLog: DENIAL,
      },
      expect: 'confirmed',
    },
    {
      name: 'only ListenDrops: a failed allocation looks the same',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'likely',
    },
    {
      name: 'the route back is missing: no-return-route',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: NO_ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
    {
      name: 'the accept queue overflowed',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: exampleCounters({ TcpExtListenDrops: 4, TcpExtListenOverflows: 4 }),
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
    {
      name: 'the kernel traced a lookup of the answer: dropped after it',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: ROUTE_BACK,
        kernelTrace: {
          events: [{ kind: 'route-lookup', table: 254, err: 0, purpose: 'reply', cpu: 0, timeUs: 1 }],
          drops: [],
          overrun: false,
        },
      },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/security/lsm.html', 'net/ipv4/tcp_ipv4.c: tcp_v4_route_req()'],
});
