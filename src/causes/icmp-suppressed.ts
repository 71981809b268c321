import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { nftChain } from './shared-lab-rules.ts';
import { isSilentBeyond, SILENT_ATTEMPT, SILENT_PROBE } from './shared-path-silence.ts';

export const cause: Cause = defineCause({
  id: 'icmp-suppressed',
  title: 'The ICMP error that would explain it is held back',
  place: 'path',
  step: 'path-out',
  sides: [],
  needs: ['attempt'],
  wants: ['pathProbe'],
  assess({ attempt, pathProbe }) {
    if (attempt.side !== 'client') return [];
    if (attempt.icmpErrors.length > 0) return [contradicts('strong', 'attempt', 'an ICMP error did arrive')];
    if (!isSilentBeyond(attempt) || pathProbe === undefined) return [];
    return pathProbe.hops.some(({ answer }) => answer === 'time-exceeded')
      ? [contradicts('weak', 'pathProbe', 'routers do send ICMP errors about SYNs to this host')]
      : [supports('weak', 'pathProbe', 'no router answers a SYN whose TTL ends there')];
  },
  sentence({ attempt }) {
    return `A router may refuse ${attempt.server.address} and its ICMP errors do not arrive`;
  },
  explanation: `
A router would say why it refuses the SYN, and the error is rate-limited, or filtered on the way back. Instead of an errno within milliseconds the client sees silence until its
timeout. Linux limits ICMP errors per destination (\`icmp_ratelimit\`) and in all (\`icmp_msgs_per_sec\`, \`icmp_msgs_burst\`); the router counts \`IcmpOutRateLimitGlobal\` and
\`IcmpOutRateLimitHost\`.

Only the router can tell. Filters should let ICMP types 3 and 11 pass, and ICMPv6 types 1 to 4 (RFC 4890).
`,
  confusedWith: [{ id: 'path-firewall-drop-syn', toldApartBy: 'nothing that the client sees' }],
  scenario: {
    plan: ({ ip, server, family }) => ({
      steps: [
        { on: 'router', run: [...ip, 'route', 'add', 'unreachable', `${server}/${family === 4 ? 32 : 128}`] },
        {
          on: 'router',
          nft: nftChain(
            { hook: 'output' },
            'icmp type { destination-unreachable, time-exceeded } drop',
            'icmpv6 type { destination-unreachable, time-exceeded } drop',
          ),
        },
      ],
      expect: { server: null, client: null },
    }),
  },
  examples: [
    {
      name: 'no router ever answers',
      given: { attempt: SILENT_ATTEMPT, pathProbe: { ...SILENT_PROBE, hops: [] } },
      expect: 'possible',
    },
    { name: 'routers answer', given: { attempt: SILENT_ATTEMPT, pathProbe: SILENT_PROBE }, expect: 'not-indicated' },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc4890', 'net/ipv4/icmp.c: icmp_global_allow()'],
});
