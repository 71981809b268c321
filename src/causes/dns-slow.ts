import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { SLOW_RESOLUTION_MS } from '../model/facts/client.ts';
import { CONNECTED_ATTEMPT } from './shared-client.ts';

/** glibc waits five seconds for each name server before it asks the next one (resolv.conf(5), timeout). */
const SERVER_TIMEOUT_MS = 5000;

export const cause: Cause = defineCause({
  id: 'dns-slow',
  title: 'Name resolution takes longer than the connection',
  place: 'client',
  step: 'resolve',
  sides: ['client'],
  needs: ['attempt', 'resolution'],
  assess({ attempt, resolution }) {
    const { name, elapsedMs, addresses, servers } = resolution;
    if (attempt.side !== 'client' || name === undefined) return [];
    if (addresses.length === 0) return [contradicts('conclusive', 'resolution', `${name} gives no address at all`)];
    if (elapsedMs < SLOW_RESOLUTION_MS)
      return [contradicts('conclusive', 'resolution', `${name} was resolved within ${elapsedMs} ms`)];
    const evidence = [
      supports('conclusive', 'resolution', `getaddrinfo("${name}") took ${(elapsedMs / 1000).toFixed(1)} s`),
    ];
    if (elapsedMs % SERVER_TIMEOUT_MS < 700 && elapsedMs >= SERVER_TIMEOUT_MS) {
      evidence.push(
        supports(
          'moderate',
          'resolution',
          'that is a multiple of five seconds: the first name server does not answer, and the next one is asked',
        ),
      );
    }
    for (const { address, result, elapsedMs: took } of servers) {
      if (result !== 'NOERROR' || took >= SLOW_RESOLUTION_MS) {
        evidence.push(supports('strong', 'resolution', `name server ${address}: ${result} after ${took} ms`));
      }
    }
    return evidence;
  },
  sentence({ resolution, attempt }) {
    const connect =
      attempt.connect?.errno === undefined && attempt.connect !== undefined
        ? `, the connection itself only ${Math.round(attempt.connect.elapsedMs)} ms`
        : '';
    return `Resolving ${resolution.name} took ${(resolution.elapsedMs / 1000).toFixed(1)} s${connect}`;
  },
  remedies({ resolution }) {
    const dead = resolution.servers.find(({ result }) => result === 'TIMEOUT')?.address;
    return [
      {
        id: 'fix-name-servers',
        title:
          dead === undefined
            ? 'Find the name server that does not answer, and remove it'
            : `Remove the name server ${dead}, which does not answer, or repair it`,
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'In resolv.conf, "options timeout:1 attempts:2" limits the damage; a local cache hides it.',
          },
        ],
      },
    ];
  },
  explanation: `
The handshake is quick, and the name resolution before it is not. Typical: the first name server in \`resolv.conf\` is dead. glibc waits five seconds
for it, then asks the next one, for every single lookup: 5, 10 or 15 seconds more. On old kernels (before about 5.0) a race in conntrack lost one of the
two parallel queries for A and AAAA, with the same five seconds.

Told from a lost SYN by the steps: SYNs are repeated after 1 s and 3 s, DNS queries after 5 s. Be sure: \`curl -w '%{time_namelookup} %{time_connect}'\`.
`,
  confusedWith: [{ id: 'dns-no-answer', toldApartBy: 'there no address comes at all' }],
  scenario: {
    plan: () => ({
      // 127.0.0.1 refuses at once; an address that swallows queries makes the resolver wait. The name itself stands in no server, so the hosts file answers last.
      steps: [
        {
          on: 'client',
          nft: 'table inet slowdns { chain in { type filter hook input priority 0; udp dport 53 drop; }; }',
        },
        {
          on: 'client',
          etc: {
            'resolv.conf': 'nameserver 127.0.0.53\noptions timeout:2 attempts:1\n',
            'nsswitch.conf': 'hosts: dns [NOTFOUND=continue UNAVAIL=continue TRYAGAIN=continue] files\n',
          },
        },
      ],
      attempt: { address: 'synscope-lab.test' },
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'the first name server is dead',
      given: {
        attempt: CONNECTED_ATTEMPT,
        resolution: {
          name: 'api.example.com',
          addresses: [{ address: '192.0.2.1', family: 4 }],
          elapsedMs: 5012,
          servers: [{ address: '192.0.2.53', elapsedMs: 2003, result: 'TIMEOUT', addresses: [] }],
          hostsFile: [],
          nameServers: ['nameserver 192.0.2.53', 'nameserver 192.0.2.54'],
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'three milliseconds',
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
  references: ['https://man7.org/linux/man-pages/man5/resolv.conf.5.html'],
});
