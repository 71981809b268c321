import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Link } from '../model/facts/links.ts';
import { formatList, formatQuantity } from '../model/text.ts';
import { EXAMPLE_ATTEMPT } from './shared-examples.ts';
import { synNeverCame } from './shared-silence.ts';

const OVERRUN: Link = {
  index: 2,
  name: 'eth0',
  flags: ['UP'],
  operState: 'UP',
  xdp: [],
  counters: { rxPackets: 9_000_000, rxMissed: 512 },
  growth: { rxPackets: 40_000, rxMissed: 37 },
};

export const cause: Cause = defineCause({
  id: 'nic-ring-overflow',
  title: 'The network card has no room for the frame and loses it',
  place: 'server',
  step: 'server-link',
  sides: ['server'],
  needs: ['attempt', 'links'],
  assess({ attempt, links }) {
    if (attempt.side !== 'server' || !attempt.observed) return [];
    if (attempt.syns > 0) {
      return [
        contradicts(
          'conclusive',
          'attempt',
          `the capture holds ${formatQuantity(attempt.syns, 'SYN')}: the card received it`,
        ),
      ];
    }
    if (!synNeverCame(attempt)) return [];
    const lossy = links.filter((link) => lost(link) > 0);
    if (lossy.length === 0) return [];
    const evidence: CauseEvidence[] = [];
    for (const link of lossy.slice(0, 4)) {
      const { rxMissed = 0, rxFifo = 0 } = link.growth;
      const counts = [rxMissed > 0 ? `missed +${rxMissed}` : '', rxFifo > 0 ? `fifo +${rxFifo}` : ''].filter(Boolean);
      // Frames were lost, and nothing says that the SYN was among them.
      evidence.push(supports('moderate', 'links', `${link.name} lost frames meanwhile: ${formatList(counts)}`));
    }
    evidence.push(supports('moderate', 'attempt', 'and no SYN of the client was seen'));
    return evidence;
  },
  sentence({ attempt, links }) {
    const lossy = links.filter((link) => lost(link) > 0);
    const names = formatList(lossy.map((link) => `${link.name} (${formatQuantity(lost(link), 'frame')})`));
    return `The network card of the server loses frames for want of room${names === '' ? '' : `: ${names}`}, perhaps the SYN for port ${attempt.server.port} too`;
  },
  remedies({ links }) {
    return links
      .filter((link) => lost(link) > 0)
      .slice(0, 4)
      .map(({ name }) => ({
        id: `larger-ring-${name}`,
        title: `Give ${name} a larger receive ring (some cards drop the link for a moment)`,
        risk: 'low' as const,
        auto: 'never' as const,
        changes: [
          { kind: 'command' as const, argv: ['ethtool', '-g', name] },
          {
            kind: 'advice' as const,
            text: `"ethtool -G ${name} rx N" with the maximum that the line above shows; spread interrupts over more processors; on a cloud instance look at "ethtool -S ${name}" for allowances that were exceeded`,
          },
        ],
      }));
  },
  explanation: `
A network card writes frames into a ring of buffers that the kernel empties. When the kernel is late (a burst, one busy processor, a small ring) or the hypervisor limits packets
per second, frames are lost in hardware. No packet is ever made of them: no capture, no counter of IP or TCP and no drop event shows the loss. It hits
SYNs and everything else alike, so connections mostly succeed a second later, after the retransmission.

Be sure: \`ip -s -s link\` shows \`missed\` or \`fifo\` growing, or \`ethtool -S\` a counter such as \`rx_no_buffer\`, \`rx_discards\`, \`rx_out_of_buffer\`,
\`pps_allowance_exceeded\`, at the time of the loss, while the switch port shows that the frame was sent. The count of frames does not tell which ones, so synscope
does not call this confirmed.

Kernel: the driver counts \`rx_missed_errors\` and \`rx_fifo_errors\` (\`struct rtnl_link_stats64\`); a few drivers report the drop reason FULL_RING.
`,
  confusedWith: [
    { id: 'path-firewall-drop-syn', toldApartBy: 'there the counters of the card stand still' },
    { id: 'softnet-backlog-drop', toldApartBy: 'there the second column of softnet_stat moves' },
    { id: 'xdp-drop', toldApartBy: 'there a program is attached to the interface' },
    { id: 'wrong-mac', toldApartBy: 'the frame is addressed to another MAC' },
  ],
  scenario: { impossible: 'the interfaces of network namespaces (veth) have no hardware ring that could overflow' },
  examples: [
    {
      name: 'no SYN came, and the card lost frames meanwhile',
      given: { attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] }, links: [OVERRUN] },
      expect: 'likely',
    },
    {
      name: 'the card lost frames long ago',
      given: { attempt: { ...EXAMPLE_ATTEMPT, syns: 0, sightings: [] }, links: [{ ...OVERRUN, growth: {} }] },
      expect: 'not-indicated',
    },
    {
      name: 'the SYN was received and not answered',
      given: { attempt: EXAMPLE_ATTEMPT, links: [OVERRUN] },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/statistics.html', 'https://docs.kernel.org/networking/scaling.html'],
});

function lost({ growth }: Link): number {
  return (growth.rxMissed ?? 0) + (growth.rxFifo ?? 0);
}
