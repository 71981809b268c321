import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CONNECTED_ATTEMPT, failedAttempt } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'dns-no-answer',
  title: 'The name does not become an address',
  place: 'client',
  step: 'resolve',
  sides: ['client'],
  needs: ['attempt', 'resolution'],
  assess({ attempt, resolution }) {
    if (attempt.side !== 'client' || resolution.name === undefined) return [];
    if (resolution.addresses.length > 0) {
      return [
        contradicts(
          'conclusive',
          'resolution',
          `${resolution.name} resolves to ${resolution.addresses.length} address${resolution.addresses.length === 1 ? '' : 'es'}`,
        ),
      ];
    }
    const evidence = [
      supports(
        'conclusive',
        'resolution',
        `getaddrinfo("${resolution.name}") gave no address (${resolution.error ?? 'none'}) after ${resolution.elapsedMs} ms`,
      ),
    ];
    for (const { address, result, elapsedMs } of resolution.servers) {
      evidence.push(supports('weak', 'resolution', `name server ${address} answers ${result} after ${elapsedMs} ms`));
    }
    if (resolution.nameServers.every((line) => !line.startsWith('nameserver'))) {
      evidence.push(supports('weak', 'resolution', 'resolv.conf names no name server'));
    }
    return evidence;
  },
  sentence({ resolution }) {
    const slow = resolution.elapsedMs >= 4500;
    return slow
      ? `No name server answered for ${resolution.name} within ${Math.round(resolution.elapsedMs / 1000)} s, so no connection was even tried`
      : `The name ${resolution.name} has no address for this host, so no connection was even tried`;
  },
  remedies({ resolution }) {
    const servers = resolution.nameServers.filter((line) => line.startsWith('nameserver')).join(', ');
    return [
      {
        id: 'repair-resolver',
        title:
          'Repair the record, the name servers or the search domain; then try the address itself to see whether the rest works',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: `The resolver asks: ${servers === '' ? 'nobody' : servers}. Compare with an authoritative answer (dig NAME).`,
          },
        ],
      },
    ];
  },
  explanation: `
The application asks for an address and gets none: \`getaddrinfo()\` fails, and \`connect()\` is never called. No SYN leaves this host.

- \`EAI_NONAME\`: the name does not exist, or has no address of the wanted family (NXDOMAIN, NODATA).
- \`EAI_AGAIN\`: no name server answered in time, or one answered SERVFAIL.

Many applications report this as a connection that timed out. Be sure: \`getent ahosts NAME\` fails, and connecting to the literal address works.
glibc and musl differ when only one of the two families (A, AAAA) fails.
`,
  confusedWith: [{ id: 'dns-slow', toldApartBy: 'there an address comes in the end' }],
  scenario: {
    plan: () => ({
      steps: [
        {
          on: 'client',
          etc: {
            'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n',
            hosts: '127.0.0.1 localhost\n',
            'nsswitch.conf': 'hosts: files dns\n',
          },
        },
      ],
      attempt: { address: 'synscope-lab.invalid' },
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'the name does not exist',
      given: {
        attempt: failedAttempt('ENOTFOUND', 8),
        resolution: {
          name: 'api.example.invalid',
          addresses: [],
          error: 'ENOTFOUND',
          elapsedMs: 8,
          servers: [],
          hostsFile: [],
          nameServers: ['nameserver 192.0.2.53'],
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'the name resolves',
      given: {
        attempt: CONNECTED_ATTEMPT,
        resolution: {
          name: 'api.example.com',
          addresses: [{ address: '192.0.2.1', family: 4 }],
          elapsedMs: 3,
          servers: [],
          hostsFile: [],
          nameServers: [],
        },
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://man7.org/linux/man-pages/man3/getaddrinfo.3.html',
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
  ],
});
