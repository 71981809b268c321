import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'dns-wrong-address',
  title: 'The name resolves to another address than its name servers give',
  place: 'client',
  step: 'resolve',
  sides: ['client'],
  needs: ['attempt', 'resolution'],
  assess({ attempt, resolution }) {
    const { name, addresses, servers, hostsFile } = resolution;
    if (attempt.side !== 'client' || name === undefined || addresses.length === 0) return [];
    if (attempt.connect?.errno === undefined) return [];
    const used = attempt.server.address;
    const answered = servers.filter(({ result, addresses: given }) => result === 'NOERROR' && given.length > 0);
    const evidence = [];
    const entry = hostsFile.find((line) => line.split(/\s+/)[0] === used);
    const disagree = answered.find(({ addresses: given }) => !given.includes(used));
    if (entry !== undefined) {
      evidence.push(supports('moderate', 'resolution', `/etc/hosts says "${entry}", so no name server is asked`));
    }
    if (disagree !== undefined) {
      evidence.push(
        supports(
          'conclusive',
          'resolution',
          `name server ${disagree.address} gives ${disagree.addresses.join(', ')} for ${name}, and this host uses ${used}`,
        ),
      );
    } else if (answered.length > 0) {
      evidence.push(
        contradicts('strong', 'resolution', `name server ${answered[0]?.address} gives the same address, ${used}`),
      );
    }
    return evidence;
  },
  sentence({ attempt, resolution }) {
    const given = resolution.servers.find(
      ({ addresses }) => addresses.length > 0 && !addresses.includes(attempt.server.address),
    );
    const instead = given === undefined ? '' : `, while its name servers say ${given.addresses.join(', ')}`;
    return `This host takes ${attempt.server.address} for ${resolution.name}${instead}`;
  },
  remedies({ resolution }) {
    return [
      {
        id: 'correct-name-data',
        title:
          resolution.hostsFile.length > 0
            ? 'Remove or correct the line in /etc/hosts'
            : 'Correct the record, and flush caches on the way',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Check /etc/hosts, the order in nsswitch.conf, the search list, and split-horizon views.',
          },
        ],
      },
    ];
  },
  explanation: `
The name resolves, to an address that is not the server's: a stale record, an old line in \`/etc/hosts\`, a search domain that makes another name of it, a
split-horizon view, NAT64. What happens then depends on who has that address: refused, silence, or another service.

Only two answers that differ prove it: \`getent ahosts NAME\` (what applications on this host use) against the name servers (\`dig NAME\`). An
entry in \`/etc/hosts\` alone proves nothing; most of them are meant.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'the other address refuses; the right one would not' },
    { id: 'path-firewall-drop-syn', toldApartBy: 'the literal, right address works' },
  ],
  scenario: {
    plan: ({ unusedOnServerLink }) => ({
      steps: [
        // The last router gives up after three seconds: the client must wait for that.
        { on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } },
        {
          on: 'client',
          etc: {
            hosts: `127.0.0.1 localhost\n${unusedOnServerLink} synscope-lab.test\n`,
            'nsswitch.conf': 'hosts: files\n',
          },
        },
      ],
      attempt: { address: 'synscope-lab.test' },
      // Without a name server that says otherwise, the client can only show the line in its hosts file and the silence.
      expect: { server: null, client: ['router-neighbour-unresolved', 'dns-wrong-address'], place: 'path' },
    }),
  },
  examples: [
    {
      name: 'the hosts file has an old address',
      given: {
        attempt: { ...CLIENT_ATTEMPT, server: { address: '192.0.2.77', port: 443 } },
        resolution: {
          name: 'api.example.com',
          addresses: [{ address: '192.0.2.77', family: 4 }],
          elapsedMs: 1,
          servers: [{ address: '192.0.2.53', elapsedMs: 4, result: 'NOERROR', addresses: ['192.0.2.1'] }],
          hostsFile: ['192.0.2.77 api.example.com'],
          nameServers: ['nameserver 192.0.2.53'],
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'a line in the hosts file and nothing to hold it against',
      given: {
        attempt: CLIENT_ATTEMPT,
        resolution: {
          name: 'db',
          addresses: [{ address: '192.0.2.1', family: 4 }],
          elapsedMs: 0,
          servers: [],
          hostsFile: ['192.0.2.1 db'],
          nameServers: [],
        },
      },
      expect: 'possible',
    },
  ],
  references: [
    'https://man7.org/linux/man-pages/man5/nsswitch.conf.5.html',
    'https://man7.org/linux/man-pages/man5/hosts.5.html',
  ],
});
