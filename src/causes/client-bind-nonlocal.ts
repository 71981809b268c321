import { type Cause, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, failedAttempt } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-bind-nonlocal',
  title: 'The program binds to an address that this host does not have',
  place: 'client',
  step: 'client-socket',
  sides: ['client'],
  needs: ['attempt', 'addresses'],
  wants: ['sysctls'],
  assess({ attempt, addresses, sysctls }) {
    if (attempt.side !== 'client' || attempt.connect?.errno !== 'EADDRNOTAVAIL') return [];
    const source = attempt.client.address;
    if (source === '0.0.0.0' || source === '::') return [];
    const own = addresses.some(({ address }) => address === source);
    if (own) return [];
    const evidence = [supports('conclusive', 'addresses', `the source ${source} is on no interface of this host`)];
    const key = attempt.family === 4 ? 'net.ipv4.ip_nonlocal_bind' : 'net.ipv6.ip_nonlocal_bind';
    if (sysctls?.[key] === '0') evidence.push(supports('weak', 'sysctls', `${key} = 0`));
    return evidence;
  },
  sentence({ attempt }) {
    return `The program wants to connect from ${attempt.client.address}, which is no address of this host`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'bind-right-address',
        title: 'Bind to an address of this host; a virtual address may have moved to another node',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Where is the address now? Check keepalived, the configuration of the program, and DHCP.',
          },
          {
            kind: 'sysctl',
            key: attempt.family === 4 ? 'net.ipv4.ip_nonlocal_bind' : 'net.ipv6.ip_nonlocal_bind',
            value: '1',
          },
        ],
      },
    ];
  },
  explanation: `
\`bind()\` takes only addresses of this host, unless \`ip_nonlocal_bind\` is 1 or the socket has IP_FREEBIND or IP_TRANSPARENT. A program that is configured for a source
address fails with EADDRNOTAVAIL before it connects, for example after a virtual address has moved to another node.

The errno is that of exhausted ports as well, but it comes from \`bind()\`, not from \`connect()\` (\`strace -e bind,connect\` shows which).
synscope sees it only when it is told the source address. Linux 6.18: \`inet_bind()\`, \`__inet6_bind()\`.
`,
  confusedWith: [{ id: 'ephemeral-ports-exhausted', toldApartBy: 'the source address is one of this host' }],
  scenario: { impossible: 'the program that binds is another one: synscope itself does not bind to a source address' },
  examples: [
    {
      name: 'the virtual address has moved',
      given: {
        attempt: { ...failedAttempt('EADDRNOTAVAIL'), client: { address: '198.51.100.200', port: 0 } },
        addresses: [
          { family: 4, address: '198.51.100.7', prefixLength: 24, device: 'eth0', scope: 'global', flags: [] },
        ],
      },
      expect: 'confirmed',
    },
    { name: 'another errno', given: { attempt: CLIENT_ATTEMPT, addresses: [] }, expect: 'not-indicated' },
  ],
  references: ['https://man7.org/linux/man-pages/man2/bind.2.html', 'net/ipv4/af_inet.c: inet_bind()'],
});
