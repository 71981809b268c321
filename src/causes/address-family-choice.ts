import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'address-family-choice',
  title: 'One address family of the name is dead, the other works',
  place: 'path',
  step: 'resolve',
  sides: ['client'],
  needs: ['attempt', 'addressProbes', 'resolution'],
  assess({ attempt, addressProbes, resolution }) {
    if (attempt.side !== 'client' || addressProbes.length < 2) return [];
    const works = addressProbes.filter(({ errno }) => errno === undefined);
    const dead = addressProbes.filter(({ errno }) => errno !== undefined);
    const [good] = works;
    const [bad] = dead;
    if (good === undefined || bad === undefined) return [];
    if (attempt.connect?.errno === undefined) return [];
    const families = new Set(works.map(({ family }) => family));
    if (families.has(attempt.family)) {
      return [
        contradicts('strong', 'addressProbes', `another IPv${attempt.family} address of ${resolution.name} works`),
      ];
    }
    return [
      supports(
        'strong',
        'addressProbes',
        `${good.address} (IPv${good.family}) connected after ${Math.round(good.elapsedMs)} ms, ${bad.address} (IPv${bad.family}) did not (${bad.errno})`,
      ),
    ];
  },
  sentence({ attempt, resolution, addressProbes }) {
    const good = addressProbes.find(({ errno }) => errno === undefined);
    return `${resolution.name} works over IPv${good?.family ?? (attempt.family === 6 ? 4 : 6)} and not over IPv${attempt.family}: a program that tries ${attempt.server.address} first waits in vain`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'repair-family',
        title: `Find out why IPv${attempt.family} does not work, or withdraw the ${attempt.family === 6 ? 'AAAA' : 'A'} record`,
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'advice', text: 'Do not disable IPv6 on clients: the next server has it alone.' }],
      },
    ];
  },
  explanation: `
The name has addresses of both families, and one of them does not work from here. A program without Happy Eyeballs (RFC 8305) tries the first
address alone, in the order of RFC 6724 (usually IPv6), and waits for its timeout before it tries the other: "slow", or broken, for no visible
reason. With ENETUNREACH the dead family is skipped at once and nobody notices.

Be sure: both addresses were tried by themselves; one connected. Why the other one fails is a cause of its own.
`,
  confusedWith: [{ id: 'dns-slow', toldApartBy: 'there the time passes before any SYN' }],
  scenario: {
    families: [6],
    plan: ({ ip }) => ({
      steps: [{ on: 'server', run: [...ip, 'route', 'del', 'default'] }],
      attempt: { address: 'synscope-lab.test' },
      expect: { server: ['no-return-route'], client: ['address-family-choice'] },
    }),
  },
  examples: [
    {
      name: 'IPv6 is silent, IPv4 works',
      given: {
        attempt: { ...CLIENT_ATTEMPT, family: 6, server: { address: '2001:db8::1', port: 443 } },
        resolution: {
          name: 'api.example.com',
          addresses: [
            { address: '2001:db8::1', family: 6 },
            { address: '192.0.2.1', family: 4 },
          ],
          elapsedMs: 2,
          servers: [],
          hostsFile: [],
          nameServers: [],
        },
        addressProbes: [
          { address: '2001:db8::1', family: 6, port: 443, errno: 'EINPROGRESS', elapsedMs: 1150 },
          { address: '192.0.2.1', family: 4, port: 443, elapsedMs: 9 },
        ],
      },
      expect: 'likely',
    },
    {
      name: 'both fail',
      given: {
        attempt: CLIENT_ATTEMPT,
        resolution: {
          name: 'api.example.com',
          addresses: [],
          elapsedMs: 2,
          servers: [],
          hostsFile: [],
          nameServers: [],
        },
        addressProbes: [
          { address: '2001:db8::1', family: 6, port: 443, errno: 'EINPROGRESS', elapsedMs: 1150 },
          { address: '192.0.2.1', family: 4, port: 443, errno: 'EINPROGRESS', elapsedMs: 900 },
        ],
      },
      expect: 'not-indicated',
    },
  ],
  references: ['https://www.rfc-editor.org/rfc/rfc6724', 'https://www.rfc-editor.org/rfc/rfc8305'],
});
