import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, ROUTE_BACK } from './shared-examples.ts';
import { FOUR_SYNS, listening } from './shared-examples-server.ts';
import { takerName } from './shared-listener.ts';
import { countedBeforeListener, settledOtherwise } from './shared-refusal.ts';
import { tracedSyn } from './shared-silence.ts';
import { allocationFailure, securityDenial, unnamedRefusal } from './shared-unnamed-refusal.ts';

/** Memory pressure (PSI some avg10) from which an allocation in interrupt context may well fail, in per cent. */
const PRESSURE_PERCENT = 10;

const UNNAMED = exampleCounters({ TcpExtListenDrops: 4 }, 'TcpExtPFMemallocDrop');

export const cause: Cause = defineCause({
  id: 'reqsk-alloc-failed',
  title: 'The kernel has no memory for the connection request',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['counters', 'outgoingRoute', 'sysctls', 'kernelTrace', 'kernelLog', 'machine'],
  assess(facts) {
    const { attempt, sockets, counters, kernelTrace, kernelLog, machine } = facts;
    const settled = settledOtherwise(facts);
    if (settled !== undefined) return settled;
    if (!attempt.observed) return [];
    const traced = tracedSyn(kernelTrace, { reasons: /^(PFMEMALLOC|NOMEM)$/ });
    if (traced.length > 0) return traced;
    // Packets that were received into the reserves of memory are dropped before the listener's own logic, and counted.
    const reserve = countedBeforeListener({ attempt, counters, sockets }, ['TcpExtPFMemallocDrop']);
    if (reserve.some(({ bearing }) => bearing === 'supports')) return reserve;
    const evidence = unnamedRefusal(facts);
    if (!evidence.some(({ bearing }) => bearing === 'supports')) return evidence;
    const failure = allocationFailure(kernelLog);
    if (failure !== undefined) {
      const request = /request_sock/i.test(failure);
      evidence.push(supports(request ? 'conclusive' : 'strong', 'kernelLog', `the kernel log says "${failure}"`));
    }
    const pressure = machine?.memoryPressurePercent;
    if (pressure !== undefined) {
      evidence.push(
        pressure >= PRESSURE_PERCENT
          ? supports('moderate', 'machine', `tasks waited for memory ${pressure} % of the last ten seconds`)
          : contradicts(
              'moderate',
              'machine',
              `memory is not short: tasks waited for it ${pressure} % of the last ten seconds`,
            ),
      );
    }
    const denial = securityDenial(kernelLog);
    if (denial?.includes(attempt.client.address) === true) {
      evidence.push(contradicts('strong', 'kernelLog', `a security module refused it: "${denial}"`));
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    return `The kernel has no memory for a connection request of ${attempt.client.address} to ${takerName(sockets, attempt)}, so it drops the SYN without an answer`;
  },
  remedies: () => [
    {
      id: 'free-memory',
      title: 'Find out who takes the memory; keep more of it free for the kernel',
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'cat /proc/pressure/memory, slabtop and dmesg say how short it is. vm.min_free_kbytes keeps a reserve for allocations that cannot wait; memory limits of cgroups count sockets too.',
        },
      ],
    },
  ],
  explanation: `
For each SYN the kernel allocates a connection request that may not wait: \`tcp_conn_request()\` → \`inet_reqsk_alloc()\` with GFP_ATOMIC. Under heavy memory pressure, or at
the limit of a memory cgroup, that fails and the SYN is dropped; only \`ListenDrops\` moves. A packet that itself was received into the reserves of memory is dropped in
\`sk_filter_trim_cap()\`: \`PFMemallocDrop\`, and in newer kernels (6.18 or so) the drop reason \`PFMEMALLOC\`.

From counters alone the first looks like a security module that refuses (\`lsm-conn-request\`). Signs of memory pressure at that very time are what tells.

Be sure: \`dmesg\` shows "page allocation failure" or "SLUB: Unable to allocate memory", best with the cache \`request_sock_TCP\`; \`/proc/pressure/memory\` is not near zero.
`,
  confusedWith: [
    {
      id: 'lsm-conn-request',
      toldApartBy: 'the audit log names the client; from counters alone they cannot be told apart',
    },
    { id: 'syn-queue-last-quarter', toldApartBy: 'there the SYN queue is nearly full and SYN cookies are off' },
  ],
  scenario: { impossible: 'needs a kernel with fault injection for slab allocations' },
  examples: [
    {
      name: 'the kernel log names the cache',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: ROUTE_BACK,
        kernelLog: [
          {
            text: 'SLUB: Unable to allocate memory on CPU 1 (of node 0) on node -1, gfp=0x820(GFP_ATOMIC); cache: request_sock_TCP',
          },
        ],
      },
      expect: 'confirmed',
    },
    {
      name: 'SYNs received into the reserves',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: exampleCounters({ TcpExtPFMemallocDrop: 4 }, 'TcpExtListenDrops'),
      },
      expect: 'confirmed',
    },
    {
      name: 'only ListenDrops: a security module looks the same',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'likely',
    },
    {
      name: 'plenty of memory',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: ROUTE_BACK,
        machine: {
          hostname: 'web7',
          kernelRelease: '6.18.44',
          kernelVersion: [6, 18],
          privileged: true,
          memoryPressurePercent: 0,
        },
      },
      expect: 'possible',
    },
    {
      name: 'the audit log names the client',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: UNNAMED,
        outgoingRoute: ROUTE_BACK,
        kernelLog: [{ text: `avc:  denied  { recv } for saddr=${EXAMPLE_ATTEMPT.client.address} dest=443` }],
      },
      expect: 'ruled-out',
    },
    {
      name: 'an accept queue overflowed',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        counters: exampleCounters({ TcpExtListenDrops: 4, TcpExtListenOverflows: 4 }),
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/tcp_input.c: tcp_conn_request()', 'https://docs.kernel.org/accounting/psi.html'],
});
