import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { FOUR_SYNS } from './shared-examples-server.ts';
import { tracedSyn } from './shared-silence.ts';

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x02, 'SYN'],
  [0x01, 'FIN'],
  [0x04, 'RST'],
  [0x08, 'PSH'],
  [0x10, 'ACK'],
  [0x20, 'URG'],
];

function flagNames(flags: number): string {
  const names = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? 'no flag at all' : names.join(' and ');
}

export const cause: Cause = defineCause({
  id: 'syn-bad-flags',
  title: 'The first segment has flags with which no connection begins',
  place: 'client',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt'],
  wants: ['kernelTrace'],
  assess({ attempt, kernelTrace }) {
    if (attempt.side !== 'server' || !attempt.observed) return [];
    const { oddFlags } = attempt;
    if (oddFlags === undefined) {
      return attempt.syns > 0 ? [contradicts('conclusive', 'attempt', 'the first segment is a plain SYN')] : [];
    }
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'it was answered with SYN-ACK all the same')];
    const names = flagNames(oddFlags);
    // A segment with ACK may belong to a connection that began before the capture.
    if ((oddFlags & 0x10) !== 0) return [supports('weak', 'attempt', `the first segment that was seen has ${names}`)];
    return [
      supports('conclusive', 'attempt', `the first segment has ${names} instead of SYN alone`),
      ...tracedSyn(kernelTrace, { reasons: /^TCP_FLAGS$/ }).map((one) => ({ ...one, weight: 'strong' as const })),
    ];
  },
  sentence({ attempt }) {
    const { client, server, oddFlags = 0 } = attempt;
    return `${client.address} sends segments with ${flagNames(oddFlags)} to port ${server.port}, with which no connection begins; a listener drops them without an answer`;
  },
  explanation: `
A connection begins with a SYN that has neither FIN, RST nor ACK. A listener lets everything else go: \`tcp_rcv_state_process()\` in state LISTEN drops a RST, a SYN with FIN,
and a segment without flags in silence (drop reason \`TCP_FLAGS\`), and answers an ACK with RST. No counter moves but \`TcpOutRsts\` for the ACK.

Such segments are made by port scanners that look for what lies behind a firewall, or by broken hardware. No ordinary client sends them; nothing is wrong with the server.

Be sure: a capture shows the flags (\`tcpdump\` prints SYN with FIN as \`[SF]\`).
`,
  confusedWith: [
    { id: 'netfilter-drop-in', toldApartBy: 'a rule drops odd flags before TCP sees them; TCP alone drops them too' },
    {
      id: 'conntrack-invalid-syn',
      toldApartBy: 'connection tracking calls SYN with FIN invalid; a rule must drop it then',
    },
  ],
  scenario: {
    plan: () => ({
      steps: [],
      attempt: { on: 'client', send: { flags: 'SF', count: 2 } },
      expect: { client: null },
    }),
  },
  examples: [
    { name: 'SYN and FIN', given: { attempt: { ...FOUR_SYNS, oddFlags: 0x03 } }, expect: 'confirmed' },
    { name: 'no flag at all', given: { attempt: { ...FOUR_SYNS, syns: 0, oddFlags: 0 } }, expect: 'confirmed' },
    {
      name: 'an ACK may be of an older connection',
      given: { attempt: { ...FOUR_SYNS, syns: 0, oddFlags: 0x10 } },
      expect: 'possible',
    },
    { name: 'a plain SYN', given: { attempt: FOUR_SYNS }, expect: 'ruled-out' },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.2',
    'net/ipv4/tcp_input.c: tcp_rcv_state_process()',
  ],
});
