import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { BpfAttachment } from '../model/facts/links.ts';
import { exampleCounters } from './shared-examples.ts';
import { listening, NOTHING_LISTENS, REFUSED, SUPPOSED } from './shared-examples-server.ts';
import { refusedByTcp, takerName } from './shared-listener.ts';
import { resetsSent } from './shared-silence.ts';

const PROGRAM: BpfAttachment = { hook: 'sk-lookup', id: 77, name: 'steer', target: 'netns', onPath: true };

function programsOf(programs: readonly BpfAttachment[]): BpfAttachment[] {
  return programs.filter(({ hook, onPath }) => hook === 'sk-lookup' && onPath !== false);
}

function nameOf({ name, id }: BpfAttachment): string {
  const number = id === undefined ? '' : ` (id ${id})`;
  return `${name ?? 'without a name'}${number}`;
}

export const cause: Cause = defineCause({
  id: 'sk-lookup-steered',
  title: 'A BPF program takes the SYN away from its listener',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'bpfPrograms'],
  wants: ['counters', 'kernelTrace', 'packetFilter'],
  assess({ attempt, sockets, bpfPrograms, counters, kernelTrace, packetFilter }) {
    if (attempt.side !== 'server') return [];
    const [program] = programsOf(bpfPrograms);
    if (program === undefined) {
      return [contradicts('conclusive', 'bpfPrograms', 'no sk_lookup program is attached to the network namespace')];
    }
    const { port } = attempt.server;
    const [taker] = sockets.matching;
    if (taker === undefined) {
      return [contradicts('strong', 'sockets', `nothing listens on port ${port} anyway`)];
    }
    const said = `the sk_lookup program ${nameOf(program)} chooses sockets before the kernel looks for a listener`;
    if (!attempt.observed || attempt.syns === 0) return [supports('moderate', 'bpfPrograms', said)];
    const refusal = refusedByTcp({ attempt, counters, kernelTrace, packetFilter });
    const reset = resetsSent(attempt) > 0 || attempt.handshake?.outcome === 'refused';
    const byTcp = refusal.some(({ bearing, weight }) => bearing === 'supports' && weight === 'strong');
    const unknown = taker.appeared === true ? ', which began to listen only during the watch' : '';
    return [
      supports(
        reset && byTcp && taker.appeared !== true ? 'conclusive' : reset ? 'strong' : 'weak',
        'bpfPrograms',
        `${said}; TCP refused the SYN although ${takerName(sockets, attempt)} would take it${unknown}`,
      ),
      ...refusal,
    ];
  },
  sentence({ attempt, sockets, bpfPrograms }) {
    const [program] = programsOf(bpfPrograms);
    const name = program === undefined ? '' : ` ${nameOf(program)}`;
    return `The BPF program${name} (sk_lookup) keeps SYNs to port ${attempt.server.port} from ${takerName(sockets, attempt)}, so they are refused with RST`;
  },
  remedies: () => [
    {
      id: 'repair-program',
      title: 'Repair or detach the program; whoever loaded it must decide',
      risk: 'high',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'bpftool net and bpftool link show the program and what loaded it; bpftool link detach id ID takes it away.',
        },
      ],
    },
  ],
  explanation: `
A BPF program of type \`sk_lookup\` that is attached to the network namespace runs before the kernel looks for a listener (Linux 5.9 and later). It may choose any socket, of any
port, or drop: \`inet_lookup_run_sk_lookup()\` returning \`SK_DROP\` means "no socket", and TCP answers with RST, although \`ss\` shows a healthy
listener. Cloudflare's tubular and some load balancers work this way.

Be sure: \`bpftool net\` or \`bpftool link\` lists an \`sk_lookup\` link of this namespace, and the drop reason of the SYN is \`NO_SOCKET\`.
A program that chooses the wrong socket leads to whatever that one does.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'there ss shows no listener' },
    { id: 'redirect-closed-port', toldApartBy: 'there a rule of the packet filter sends the SYN to another port' },
    { id: 'netfilter-reject-in', toldApartBy: 'TcpOutRsts stands still there' },
  ],
  scenario: {
    requires: ['BPF programs of type sk_lookup (Linux 5.9)'],
    plan: () => ({ steps: [{ on: 'server', bpf: { hook: 'sk-lookup', action: 'drop' } }] }),
  },
  examples: [
    {
      name: 'TCP refuses although a listener is there',
      given: {
        attempt: REFUSED,
        sockets: listening(),
        bpfPrograms: [PROGRAM],
        counters: exampleCounters({ TcpOutRsts: 1 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'a program is there, but what it does is not known before a SYN comes',
      given: { attempt: SUPPOSED, sockets: listening(), bpfPrograms: [PROGRAM] },
      expect: 'possible',
    },
    {
      name: 'the RST was made by the packet filter',
      given: {
        attempt: REFUSED,
        sockets: listening(),
        bpfPrograms: [PROGRAM],
        counters: exampleCounters({}, 'TcpOutRsts'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'nothing listens anyway',
      given: { attempt: REFUSED, sockets: NOTHING_LISTENS, bpfPrograms: [PROGRAM] },
      expect: 'ruled-out',
    },
    { name: 'no program', given: { attempt: REFUSED, sockets: listening(), bpfPrograms: [] }, expect: 'ruled-out' },
  ],
  references: [
    'https://docs.kernel.org/bpf/prog_sk_lookup.html',
    'https://blog.cloudflare.com/tubular-fixing-the-socket-api-with-ebpf/',
  ],
});
