import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import { nftChain } from './shared-lab-rules.ts';
import { retriedAttempt, retriesOf } from './shared-retry.ts';

/** ECE and CWR: a SYN with both asks for ECN (RFC 3168 section 6.1.1). */
const ECN_SETUP = 0xc0;

export const cause: Cause = defineCause({
  id: 'ecn-setup-syn-dropped',
  title: 'A SYN that asks for ECN is dropped, one without is answered',
  place: 'path',
  step: 'path-out',
  survivable: true,
  sides: ['client'],
  needs: ['attempt'],
  wants: ['sysctls', 'addressProbes'],
  assess({ attempt, sysctls }) {
    const retries = retriesOf(attempt);
    if (retries === undefined || attempt.side !== 'client') return [];
    const asks = (flags: number): boolean => (flags & ECN_SETUP) === ECN_SETUP;
    if (!asks(retries.first.flags)) return [contradicts('strong', 'attempt', 'the first SYN does not ask for ECN')];
    const { answered, lost } = retries;
    if (answered === undefined) {
      if (
        lost.length > 1 &&
        lost.every(({ flags }) => asks(flags)) &&
        sysctlNumber(sysctls, 'net.ipv4.tcp_ecn_fallback') === 0
      ) {
        return [
          supports(
            'moderate',
            'attempt',
            `${lost.length} SYNs asked for ECN, none was answered, and tcp_ecn_fallback is 0: none without ECN was tried`,
          ),
        ];
      }
      return lost.some(({ flags }) => !asks(flags))
        ? [contradicts('conclusive', 'attempt', 'SYNs without ECN are not answered either')]
        : [];
    }
    if (asks(answered.flags)) return [contradicts('conclusive', 'attempt', 'the SYN that was answered asked for ECN')];
    if (lost.length > 0 && lost.every(({ flags }) => asks(flags))) {
      return [
        supports(
          'strong',
          'attempt',
          `${lost.length} ${lost.length === 1 ? 'SYN' : 'SYNs'} with ECE and CWR got no answer, the first one without them did at once (one loss by chance looks the same)`,
        ),
      ];
    }
    return [];
  },
  sentence({ attempt }) {
    return `SYNs to ${attempt.server.address} that ask for ECN are lost on the way; the connection comes up only when the kernel tries without`;
  },
  remedies() {
    return [
      {
        id: 'do-not-ask-for-ecn',
        title: 'Do not ask for ECN by default (the default of Linux: answer it, do not ask)',
        risk: 'low',
        auto: 'safe',
        changes: [
          { kind: 'sysctl', key: 'net.ipv4.tcp_ecn', value: '2' },
          { kind: 'sysctl', key: 'net.ipv4.tcp_ecn_fallback', value: '1' },
        ],
      },
    ];
  },
  explanation: `
With \`tcp_ecn=1\` a client sets ECE and CWR in its SYN. Some old middleboxes drop such a SYN. Linux then repeats it without ECN (\`tcp_ecn_fallback=1\`, since 4.2), and the connection comes up a
second late; with fallback off it never does.

Be sure: the capture shows \`[SEW]\` unanswered and \`[S]\` answered, and a second try behaves alike. A single lost SYN looks the same once.
`,
  confusedWith: [{ id: 'path-firewall-drop-syn', toldApartBy: 'SYNs without ECN are not answered either' }],
  scenario: {
    variants: ['no-fallback'],
    plan: ({ port }, variant) => ({
      steps: [
        {
          on: 'client',
          sysctl: { 'net.ipv4.tcp_ecn': 1, 'net.ipv4.tcp_ecn_fallback': variant === 'no-fallback' ? 0 : 1 },
        },
        {
          on: 'router',
          nft: nftChain(
            { hook: 'forward' },
            `tcp dport ${port} tcp flags & (syn | ecn | cwr) == (syn | ecn | cwr) drop`,
          ),
        },
      ],
      expect: {
        server: null,
        ...(variant === 'no-fallback' ? { client: null } : {}),
      },
    }),
  },
  examples: [
    {
      name: 'answered without ECN',
      given: { attempt: retriedAttempt([{ flags: 0xc2 }, { flags: 2 }], true) },
      expect: 'likely',
    },
    { name: 'no ECN at all', given: { attempt: retriedAttempt([{}, {}], true) }, expect: 'ruled-out' },
  ],
  references: [
    'https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1',
    'https://docs.kernel.org/networking/ip-sysctl.html',
  ],
});
