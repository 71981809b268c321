import { type Cause, contradicts, defineCause, type FactsFor, supports } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';
import { DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';
import { hitName, hitText } from './shared-filter.ts';
import { answeringIcmp, icmpAttempt, icmpKey, icmpStatement, NEIGHBOUR_TIMEOUT_MS } from './shared-icmp.ts';

/** The rule that sends the SYN to another host. */
function forwardOf(hits: readonly FilterHit[], own: ReadonlySet<string>): FilterHit | undefined {
  return hits.find(
    ({ packet, verdict, target }) =>
      packet === 'syn-in' && verdict === 'dnat' && target?.address !== undefined && !own.has(target.address),
  );
}

export const cause: Cause = defineCause({
  id: 'dnat-dead-backend',
  title: 'The address is translated to a backend that is down',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server', 'client'],
  needs: ['attempt'],
  wants: ['packetFilter', 'neighbours', 'neighbourActivity', 'conntrack', 'addresses'],
  assess(facts) {
    return facts.attempt.side === 'client' ? fromClient(facts.attempt) : fromHost(facts);
  },
  sentence({ attempt, packetFilter, addresses }) {
    const hit = forwardOf(packetFilter?.hits ?? [], new Set((addresses ?? []).map(({ address }) => address)));
    const to =
      hit?.target === undefined
        ? 'a backend'
        : `${hit.target.address}${hit.target.port === undefined ? '' : ` port ${hit.target.port}`}`;
    return `Connections to ${attempt.server.address} port ${attempt.server.port} are translated to ${to}, which does not answer on its link`;
  },
  remedies({ attempt }) {
    return [
      {
        id: 'repair-endpoints',
        title:
          'Bring the backend up, or take it out of the translation (stale endpoint of a service, a container that is gone)',
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'command',
            argv: [
              'conntrack',
              '-D',
              '-d',
              attempt.server.address,
              '-p',
              'tcp',
              '--dport',
              String(attempt.server.port),
            ],
          },
        ],
      },
    ];
  },
  explanation: `
A nat rule sends the SYN to a backend that is gone: a stale endpoint of kube-proxy, a Docker container that was removed. The translating host looks for it by ARP, nobody answers, and after three
seconds it sends "host unreachable". Conntrack translates that error back too: for the client it comes from the very address that it asked for, which no host says of itself.

Be sure, on the translating host: \`conntrack -L -d ADDRESS\` shows the backend as the source of the reply, UNREPLIED, and \`ip neigh\` shows it FAILED.
`,
  confusedWith: [
    {
      id: 'router-neighbour-unresolved',
      toldApartBy: 'the error comes from a router, not from the address that was asked for',
    },
    { id: 'redirect-closed-port', toldApartBy: 'the rule leads to this host itself' },
  ],
  scenario: {
    plan: ({ port, nftFamily, unusedOnServerLink, family }) => ({
      steps: [
        // The translating host gives up after three seconds: the client must wait for that.
        { on: 'client', sysctl: { 'net.ipv4.tcp_syn_retries': 3 } },
        {
          on: 'server',
          nft: `table ${nftFamily} nat { chain pre { type nat hook prerouting priority -100; tcp dport ${port} dnat to ${family === 6 ? `[${unusedOnServerLink}]` : unusedOnServerLink}:${port}; }; }`,
        },
        { on: 'server', sysctl: family === 4 ? { 'net.ipv4.ip_forward': 1 } : { 'net.ipv6.conf.all.forwarding': 1 } },
      ],
    }),
  },
  examples: [
    {
      name: 'the backend does not answer ARP',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        packetFilter: filterWith({
          ...DROP_HIT,
          verdict: 'dnat',
          family: 'ip',
          table: 'nat',
          chain: 'pre',
          hook: 'prerouting',
          text: 'tcp dport 443 dnat to 10.0.0.9:8443',
          target: { address: '10.0.0.9', port: 8443 },
        }),
        neighbours: [{ address: '10.0.0.9', device: 'eth1', states: ['FAILED'] }],
        addresses: [],
      },
      expect: 'confirmed',
    },
    {
      name: 'host unreachable from the address itself',
      given: { attempt: icmpAttempt(3, 1, 'Host Unreachable', CLIENT_ATTEMPT.server.address, 3070) },
      expect: 'likely',
    },
    {
      name: 'nothing is translated',
      given: { attempt: EXAMPLE_ATTEMPT_V4, packetFilter: PASSING_FILTER },
      expect: 'ruled-out',
    },
  ],
  references: ['net/netfilter/nf_nat_core.c', 'https://kubernetes.io/docs/reference/networking/virtual-ips/'],
});

function fromClient(attempt: Attempt): ReturnType<Cause['assess']> {
  const answer = answeringIcmp(attempt);
  if (answer === undefined) return [];
  const key = icmpKey(answer.icmp);
  if (answer.sender !== 'server' || (key !== '4:3/1' && key !== '6:1/3'))
    return [contradicts('strong', 'attempt', `${icmpStatement(answer)} does not look like it`)];
  return answer.afterMs >= NEIGHBOUR_TIMEOUT_MS
    ? [
        supports(
          'strong',
          'attempt',
          `${icmpStatement(answer)}: no host says so of itself, and the three seconds are those of a neighbour that does not answer`,
        ),
      ]
    : [supports('weak', 'attempt', `${icmpStatement(answer)}: no host says so of itself`)];
}

function fromHost({
  attempt,
  packetFilter,
  neighbours,
  neighbourActivity,
  conntrack,
  addresses,
}: FactsFor<'attempt', 'packetFilter' | 'neighbours' | 'neighbourActivity' | 'conntrack' | 'addresses'>): ReturnType<
  Cause['assess']
> {
  if (packetFilter === undefined) return [];
  const hit = forwardOf(packetFilter.hits, new Set((addresses ?? []).map(({ address }) => address)));
  const backend = hit?.target?.address;
  if (hit === undefined || backend === undefined) {
    return packetFilter.passes.includes('syn-in')
      ? [contradicts('conclusive', 'packetFilter', 'no rule translates the address of the SYN to another host')]
      : [];
  }
  if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'a SYN-ACK came back')];
  const failed = neighbours?.find(
    ({ address, states }) =>
      address === backend && states.some((state) => state === 'FAILED' || state === 'INCOMPLETE'),
  );
  const asked = neighbourActivity?.find(
    ({ target, direction, requests, replies }) =>
      target === backend && direction === 'out' && requests > 0 && replies === 0,
  );
  // One request may just be on its way.
  const dead = failed?.states.includes('FAILED') === true || (asked?.requests ?? 0) > 1;
  const sure = hit.certainty === 'certain' && dead;
  const evidence = [
    supports(
      sure ? 'conclusive' : 'moderate',
      'packetFilter',
      `${hitName(hit)} (hook ${hit.hook}) sends the SYN to ${backend}: "${hitText(hit)}"`,
    ),
  ];
  if (failed !== undefined)
    evidence.push(
      supports(
        'strong',
        'neighbours',
        `${backend} is ${failed.states.join(', ')} in the neighbour table of ${failed.device}`,
      ),
    );
  if (asked !== undefined)
    evidence.push(supports('strong', 'neighbourActivity', `${asked.requests} requests for ${backend}, and no reply`));
  const entry = conntrack?.entries.find(({ replySource, unreplied }) => replySource === backend && unreplied);
  if (entry !== undefined)
    evidence.push(supports('moderate', 'conntrack', `conntrack waits for the reply of ${backend} (UNREPLIED)`));
  return evidence;
}
