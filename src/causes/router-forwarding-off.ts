import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { isSilentBeyond, SILENT_ATTEMPT, SILENT_PROBE } from './shared-path-silence.ts';

export const cause: Cause = defineCause({
  id: 'router-forwarding-off',
  title: 'A router on the way does not forward',
  place: 'path',
  step: 'path-out',
  sides: [],
  needs: ['attempt'],
  wants: ['pathProbe'],
  assess({ attempt, pathProbe }) {
    if (attempt.side !== 'client') return [];
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'an answer came back')];
    if (!isSilentBeyond(attempt)) return [];
    if (pathProbe === undefined) return [supports('weak', 'attempt', 'SYNs left, and nothing came back')];
    const alive = pathProbe.echo === 'reply' || pathProbe.closedPort?.answer === 'rst';
    if (alive) return [contradicts('strong', 'pathProbe', 'the server answers other packets, so the routers forward')];
    return [supports('weak', 'pathProbe', 'neither an echo request nor another port of the server is answered')];
  },
  sentence({ attempt }) {
    return `A router between this host and ${attempt.server.address} may not forward at all`;
  },
  explanation: `
A Linux router with \`ip_forward=0\` (or forwarding switched off for one device) throws away what is not for itself, silently: no ICMP error is sent. It counts \`IpInAddrErrors\` or
\`Ip6InAddrErrors\`, and the drop reason is IP_INADDRERRORS.

From the client this is silence like any other. On the router: that counter moves with every SYN, and \`sysctl net.ipv4.ip_forward\` is 0. The same evidence comes from an address that the
host has lost: only intent tells them apart. Beware of IPv6: forwarding=1 makes the kernel ignore router advertisements unless accept_ra=2.

Linux 6.18: \`ip_route_input_slow()\` → \`ip_error()\`, \`ip6_forward()\`.
`,
  confusedWith: [{ id: 'not-my-address', toldApartBy: 'the same evidence on that host; the intent differs' }],
  scenario: {
    plan: ({ family }) => ({
      steps: [
        { on: 'router', sysctl: family === 4 ? { 'net.ipv4.ip_forward': 0 } : { 'net.ipv6.conf.all.forwarding': 0 } },
      ],
      expect: { server: null, client: null },
    }),
  },
  examples: [
    {
      name: 'nothing of that host answers',
      given: { attempt: SILENT_ATTEMPT, pathProbe: SILENT_PROBE },
      expect: 'possible',
    },
    {
      name: 'it answers echo requests',
      given: { attempt: SILENT_ATTEMPT, pathProbe: { ...SILENT_PROBE, echo: 'reply' } },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/ip-sysctl.html', 'net/ipv4/route.c: ip_error()'],
});
