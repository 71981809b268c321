import { type Cause, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, connectStatement, failedAtOnce, failedAttempt } from './shared-client.ts';

/** What no TCP connection can go to; undefined when the address is an ordinary one. */
function oddity(address: string, broadcast: readonly string[]): string | undefined {
  const first = Number(address.split('.')[0]);
  if (!address.includes(':') && first >= 224 && first <= 239) return 'a multicast address';
  if (address === '255.255.255.255' || broadcast.includes(address)) return 'a broadcast address';
  if (/^ff/i.test(address)) return 'a multicast address';
  if (/^fe[89ab]/i.test(address)) return 'a link-local address without its interface (add %DEVICE)';
  return undefined;
}

export const cause: Cause = defineCause({
  id: 'client-bad-destination',
  title: 'The address is none that TCP can connect to',
  place: 'client',
  step: 'client-socket',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['routes'],
  assess({ attempt, routes }) {
    const broadcast = (routes ?? [])
      .filter(({ type }) => type === 'broadcast')
      .map(({ destination }) => destination.split('/')[0] ?? '');
    const what = oddity(attempt.server.address, broadcast);
    if (what === undefined || !failedAtOnce(attempt, 'ENETUNREACH', 'EINVAL', 'EACCES', 'EADDRNOTAVAIL')) return [];
    return [
      supports('conclusive', 'attempt', `${attempt.server.address} is ${what}`),
      supports('strong', 'attempt', connectStatement(attempt)),
    ];
  },
  sentence({ attempt, routes }) {
    const broadcast = (routes ?? [])
      .filter(({ type }) => type === 'broadcast')
      .map(({ destination }) => destination.split('/')[0] ?? '');
    return `${attempt.server.address} is ${oddity(attempt.server.address, broadcast) ?? 'no address'}, and TCP cannot connect to that`;
  },
  remedies() {
    return [
      {
        id: 'right-address',
        title: 'Use the address of the server itself; a link-local one needs its interface, as in fe80::1%eth0',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'A wrong prefix length can make the address of a host the broadcast address of the link.',
          },
        ],
      },
    ];
  },
  explanation: `
TCP connects to one host. To a multicast or broadcast address \`connect()\` fails at once with ENETUNREACH; to an IPv6 link-local address without a scope
(\`fe80::1\` instead of \`fe80::1%eth0\`) with EINVAL. Nothing is sent. \`0.0.0.0\` and \`::\` mean this host itself.

An ordinary address becomes a broadcast address when the prefix length of an interface is wrong: \`ip route show table local type broadcast\` lists them.

Linux 6.18: \`tcp_v4_connect()\` refuses routes with RTCF_BROADCAST or RTCF_MULTICAST.
`,
  confusedWith: [{ id: 'client-no-route', toldApartBy: 'the address is an ordinary one' }],
  scenario: {
    plan: ({ family, serverPrefix, clientDevice, ip }) => ({
      steps: family === 4 ? [] : [{ on: 'client', run: [...ip, 'route', 'show', 'dev', clientDevice] }],
      attempt: { address: family === 4 ? '224.0.0.77' : `fe80::${serverPrefix.length}` },
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'multicast',
      given: { attempt: { ...failedAttempt('ENETUNREACH'), server: { address: '224.0.0.251', port: 443 } } },
      expect: 'confirmed',
    },
    { name: 'an ordinary address', given: { attempt: CLIENT_ATTEMPT }, expect: 'not-indicated' },
  ],
  references: ['net/ipv4/tcp_ipv4.c: tcp_v4_connect()', 'https://www.rfc-editor.org/rfc/rfc4007'],
});
