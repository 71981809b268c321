import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Link } from '../model/facts/links.ts';
import { formatList, formatQuantity } from '../model/text.ts';
import { EXAMPLE_ATTEMPT } from './shared-examples.ts';
import { synArrived, synNeverCame } from './shared-silence.ts';

const WITH_PROGRAM: Link = {
  index: 2,
  name: 'eth0',
  flags: ['UP'],
  operState: 'UP',
  xdp: [{ mode: 'xdpdrv', id: 41, name: 'filter' }],
  counters: { rxPackets: 900 },
  growth: { rxPackets: 12 },
};

export const cause: Cause = defineCause({
  id: 'xdp-drop',
  title: 'An XDP program drops the SYN before a capture could see it',
  place: 'server',
  step: 'server-xdp',
  sides: ['server'],
  needs: ['attempt', 'links'],
  wants: ['kernelTrace', 'surroundings', 'bpfPrograms'],
  assess({ attempt, links, kernelTrace, surroundings, bpfPrograms }) {
    if (attempt.side !== 'server') return [];
    if (attempt.observed && attempt.syns > 0) {
      return [
        contradicts(
          'conclusive',
          'attempt',
          `the capture holds ${formatQuantity(attempt.syns, 'SYN')}, and it is taken behind XDP`,
        ),
      ];
    }
    const attached = links.filter(({ xdp }) => xdp.length > 0);
    if (attached.length === 0) {
      const elsewhere = bpfPrograms?.some(({ hook }) => hook === 'xdp') ?? false;
      return elsewhere ? [] : [contradicts('conclusive', 'links', 'no interface has an XDP program')];
    }
    const programs = formatList(attached.map(programName));
    if (!synNeverCame(attempt)) {
      return synArrived(attempt)
        ? [supports('weak', 'links', `${programs} decides before anything else, and what it does cannot be seen`)]
        : [];
    }
    const evidence: CauseEvidence[] = [
      supports('moderate', 'links', `no SYN of the client reached the capture, and ${programs} runs in front of it`),
    ];
    // What an interface received and the capture did not see was eaten in between, or is of no kind that is captured.
    const unseen = (link: (typeof attached)[number]): number =>
      (link.growth.rxPackets ?? 0) - (surroundings?.received?.[link.name] ?? 0);
    if (surroundings?.received !== undefined && attached.every((link) => unseen(link) <= 0)) {
      const counts = formatList(attached.map(({ name, growth }) => `${name} +${growth.rxPackets ?? 0} received`));
      return [...evidence, contradicts('strong', 'links', `the capture saw every packet that came in (${counts})`)];
    }
    const busy = attached.filter(({ growth }) => (growth.rxPackets ?? 0) > 0);
    if (busy.length > 0) {
      const counts = formatList(busy.map(({ name, growth }) => `${name} +${growth.rxPackets}`));
      // A client repeats its SYN; a single packet is more likely one of those that hosts send each other anyway.
      const weight = busy.some((link) => unseen(link) > 1) ? 'moderate' : 'weak';
      evidence.push(supports(weight, 'links', `packets did come in meanwhile (${counts} received)`));
    } else {
      evidence.push(contradicts('moderate', 'links', 'no packet at all came in on these interfaces during the watch'));
    }
    // The drops of the watch cannot be tied to a packet: other traffic may be what the program is there for.
    const drops = kernelTrace?.drops.filter(({ reason, location }) => {
      return /^XDP$/.test(reason) || /^(do_xdp_generic|veth_xdp_rcv)/.test(location);
    });
    const [first] = drops ?? [];
    if (first !== undefined) {
      evidence.push(
        supports(
          'strong',
          'kernelTrace',
          `${formatQuantity(first.count, 'packet')} ended in ${first.location}() meanwhile`,
        ),
      );
    }
    if ((surroundings?.answered ?? 0) > 0) {
      evidence.push(
        contradicts(
          'weak',
          'surroundings',
          `${formatQuantity(surroundings?.answered ?? 0, 'attempt')} of others got through`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, links }) {
    const attached = links.filter(({ xdp }) => xdp.length > 0);
    const programs = attached.length === 0 ? 'an XDP program' : formatList(attached.map(programName));
    return `No SYN for port ${attempt.server.port} got as far as a capture sees, and ${programs} may drop it before that`;
  },
  remedies({ links }) {
    return links
      .filter(({ xdp }) => xdp.length > 0)
      .slice(0, 4)
      .map(({ name }) => ({
        id: `look-at-${name}`,
        title: `Ask the maps of the XDP program on ${name} whether they drop this client, and change its policy there`,
        risk: 'high' as const,
        auto: 'never' as const,
        changes: [
          { kind: 'command' as const, argv: ['bpftool', 'net', 'show', 'dev', name] },
          {
            kind: 'advice' as const,
            text: `"bpftool net detach xdp dev ${name}" takes the program away, and its protection with it`,
          },
        ],
      }));
  },
  explanation: `
XDP programs (Cilium, Katran, filters against denial of service) see a packet before the rest of the kernel, in the driver or, in generic mode, directly behind it. What
they drop never becomes visible: neither a capture on the server nor any counter of IP or TCP shows it. To the server it looks as if the SYN never came,
exactly like a loss on the way.

Be sure: \`ip -d link\` shows a program on the interface, **and** the program's own maps or metrics count the drop; \`xdpdump --rx-capture entry\` shows what comes in before
it. From outside the program its verdict cannot be seen, so synscope does not call this confirmed.

The kernel's drop events name \`veth_xdp_rcv_skb()\` (veth) or \`do_xdp_generic()\` with the reason NOT_SPECIFIED; a physical driver frees the frame without any event.
\`XDP_ABORTED\` fires the tracepoint \`xdp:xdp_exception\`.

Linux 6.18: the program runs in the NAPI poll of the driver; \`do_xdp_generic()\` is called by \`__netif_receive_skb_core()\` before the taps.
`,
  confusedWith: [
    {
      id: 'path-firewall-drop-syn',
      toldApartBy: 'a capture at the last switch or router shows whether the SYN was sent to the server',
    },
    { id: 'nic-ring-overflow', toldApartBy: 'there missed or fifo errors of the interface move' },
    { id: 'wrong-mac', toldApartBy: 'the frame is addressed to another MAC' },
    { id: 'softnet-backlog-drop', toldApartBy: 'there the second column of softnet_stat moves' },
  ],
  scenario: {
    requires: ['BPF with XDP'],
    variants: ['generic', 'aborted'],
    plan: ({ serverDevice }, variant) => ({
      steps: [
        {
          on: 'server',
          bpf: {
            hook: variant === 'generic' ? 'xdp-generic' : 'xdp-driver',
            device: serverDevice,
            action: variant === 'aborted' ? 'aborted' : 'drop',
          },
        },
      ],
    }),
  },
  examples: [
    {
      name: 'no SYN came, a program is there, packets came in',
      given: { attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] }, links: [WITH_PROGRAM] },
      expect: 'likely',
    },
    {
      name: 'the SYN was captured: XDP let it pass',
      given: { attempt: EXAMPLE_ATTEMPT, links: [WITH_PROGRAM] },
      expect: 'ruled-out',
    },
    {
      name: 'one packet came in that the capture did not see: hardly a SYN, which would have been repeated',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] },
        links: [{ ...WITH_PROGRAM, growth: { rxPackets: 1 } }],
      },
      expect: 'possible',
    },
    {
      name: 'no program',
      given: { attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] }, links: [{ ...WITH_PROGRAM, xdp: [] }] },
      expect: 'ruled-out',
    },
    {
      name: 'only supposed: a program is there',
      given: { attempt: { ...EXAMPLE_ATTEMPT, observed: false, captured: false, syns: 0 }, links: [WITH_PROGRAM] },
      expect: 'possible',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/af_xdp.html',
    'net/core/dev.c: do_xdp_generic()',
    'drivers/net/veth.c: veth_xdp_rcv_skb()',
  ],
});

function programName({ name, xdp }: Link): string {
  const [first] = xdp;
  const program = first?.name ?? (first?.id === undefined ? '' : `number ${first.id}`);
  return `the XDP program ${program} on ${name} (${first?.mode ?? 'xdp'})`.replace('  ', ' ');
}
