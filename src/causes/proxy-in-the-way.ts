import { type Cause, defineCause, supports } from '../model/cause.ts';
import { CLIENT_ATTEMPT, filterWith, firstHit, OUTPUT_RULE, ruleName } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'proxy-in-the-way',
  title: 'The connection goes to a proxy, not to the target',
  place: 'client',
  step: 'proxy',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['proxies', 'packetFilter', 'conntrack'],
  assess({ attempt, proxies, packetFilter, conntrack }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined) return [];
    const evidence = [];
    const redirect = firstHit(packetFilter, 'syn-out', 'redirect', 'dnat', 'tproxy');
    if (redirect !== undefined) {
      const to = `${redirect.target?.address ?? 'this host'} port ${redirect.target?.port ?? attempt.server.port}`;
      evidence.push(
        supports(
          redirect.certainty === 'certain' ? 'conclusive' : 'strong',
          'packetFilter',
          `${ruleName(redirect)} sends the SYN to ${to}`,
        ),
      );
    }
    const entry = conntrack?.entries.find(
      ({ replySource }) => replySource !== undefined && replySource !== attempt.server.address,
    );
    if (redirect !== undefined && entry !== undefined) {
      evidence.push(
        supports(
          'strong',
          'conntrack',
          `conntrack expects the answer from ${entry.replySource} port ${entry.replySourcePort ?? '?'}`,
        ),
      );
    }
    const proxy = proxies?.find(({ exempt }) => !exempt);
    if (proxy !== undefined) {
      evidence.push(
        supports(
          'moderate',
          'proxies',
          `${proxy.variable} sends programs to ${proxy.url}; this attempt went to the target itself`,
        ),
      );
    }
    return evidence;
  },
  sentence({ attempt, packetFilter }) {
    const redirect = firstHit(packetFilter, 'syn-out', 'redirect', 'dnat', 'tproxy');
    if (redirect === undefined) return 'Programs on this host go through a proxy, and not to the target itself';
    return `A rule of this host sends connections to ${attempt.server.address} port ${attempt.server.port} to ${redirect.target?.address ?? 'a local'} port ${redirect.target?.port ?? attempt.server.port} instead`;
  },
  remedies({ packetFilter }) {
    const redirect = firstHit(packetFilter, 'syn-out', 'redirect', 'dnat', 'tproxy');
    return [
      {
        id: 'repair-proxy',
        title:
          redirect === undefined
            ? 'Repair the proxy, unset the variable, or name the target in NO_PROXY'
            : 'Start what listens behind the redirection, or remove the rule',
        risk: 'low',
        auto: 'never',
        changes: [{ kind: 'advice', text: 'Who listens on the port that is redirected to? ss -plnt' }],
      },
    ];
  },
  explanation: `
What the program connects to is not what it was told: a proxy variable (\`https_proxy\`, \`ALL_PROXY\`), a PAC file, or a rule of the local packet
filter that redirects to a sidecar (service mesh, transparent proxy). The SYN goes to the proxy; the target never sees one. A dead sidecar refuses, and
\`ss\` shows the target's address all the same, because the translation happens below the socket.

Be sure: \`conntrack -L --dst-nat\`, the nat rules of the output hook, and the environment of the process itself.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'a listener of the target is not asked at all' },
    { id: 'redirect-closed-port', toldApartBy: 'there the redirection happens on the server' },
  ],
  scenario: {
    plan: ({ port, nftFamily }) => ({
      steps: [
        {
          on: 'client',
          nft: `table ${nftFamily} mesh { chain out { type nat hook output priority -100; tcp dport ${port} redirect to :15001; }; }`,
        },
      ],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'redirected to a sidecar that is down',
      given: {
        attempt: {
          ...CLIENT_ATTEMPT,
          syns: 0,
          sightings: [],
          connect: { remote: CLIENT_ATTEMPT.server, errno: 'ECONNREFUSED', elapsedMs: 0 },
        },
        packetFilter: filterWith({
          ...OUTPUT_RULE,
          verdict: 'redirect',
          text: 'tcp dport 443 redirect to :15001',
          target: { port: 15001 },
        }),
      },
      expect: 'confirmed',
    },
    {
      name: 'no proxy, no rule',
      given: { attempt: CLIENT_ATTEMPT, proxies: [], packetFilter: filterWith() },
      expect: 'not-indicated',
    },
  ],
  references: ['https://man7.org/linux/man-pages/man8/nft.8.html', 'https://curl.se/docs/manpage.html#ENVIRONMENT'],
});
