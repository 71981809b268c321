import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import type { Listener, SocketTable } from '../model/facts/sockets.ts';
import { DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, HEALTHY_LISTENER } from './shared-examples.ts';
import { hitName, hitText } from './shared-filter.ts';
import { withoutRule } from './shared-filter-remedies.ts';
import { resetsSent } from './shared-silence.ts';

/** The rule that sends the SYN to a port of this host itself. */
function redirectOf(attempt: Attempt, hits: readonly FilterHit[], own: ReadonlySet<string>): FilterHit | undefined {
  return hits.find(
    ({ packet, verdict, target }) =>
      packet === 'syn-in' &&
      (verdict === 'redirect' ||
        ((verdict === 'dnat' || verdict === 'tproxy') && (target?.address === undefined || own.has(target.address)))) &&
      target?.port !== undefined &&
      target.port !== attempt.server.port,
  );
}

function listenersOn(port: number, { listeners }: SocketTable): readonly Listener[] {
  return listeners.filter((listener) => listener.port === port);
}

export const cause: Cause = defineCause({
  id: 'redirect-closed-port',
  title: 'A rule redirects the SYN to a port on which nothing listens',
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter', 'sockets'],
  wants: ['addresses', 'kernelTrace'],
  assess({ attempt, packetFilter, sockets, addresses, kernelTrace }) {
    if (attempt.side !== 'server') return [];
    const own = new Set((addresses ?? []).map(({ address }) => address));
    const hit = redirectOf(attempt, packetFilter.hits, own);
    const port = hit?.target?.port;
    if (hit === undefined || port === undefined) {
      return packetFilter.passes.includes('syn-in')
        ? [contradicts('conclusive', 'packetFilter', 'no rule redirects the SYN')]
        : [];
    }
    const there = listenersOn(port, sockets);
    if (there.length > 0)
      return [contradicts('strong', 'sockets', `port ${port}, to which the SYN is redirected, has a listener`)];
    if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it')];
    const evidence = [
      supports(
        hit.certainty === 'certain' ? 'conclusive' : 'strong',
        'packetFilter',
        `${hitName(hit)} (hook ${hit.hook}) redirects the SYN to port ${port}: "${hitText(hit)}"`,
      ),
      supports(
        'strong',
        'sockets',
        `nothing listens on port ${port}${listenersOn(attempt.server.port, sockets).length > 0 ? `, although port ${attempt.server.port} has a listener` : ''}`,
      ),
    ];
    if (resetsSent(attempt) > 0) evidence.push(supports('moderate', 'attempt', 'a RST answered the SYN'));
    const reset = kernelTrace?.events.find((event) => event.kind === 'reset-sent' && event.sourcePort === port);
    if (reset !== undefined)
      evidence.push(supports('strong', 'kernelTrace', `the kernel sent the RST from port ${port}`));
    return evidence;
  },
  sentence({ attempt, packetFilter, addresses }) {
    const hit = redirectOf(attempt, packetFilter.hits, new Set((addresses ?? []).map(({ address }) => address)));
    return `A rule redirects port ${attempt.server.port} to port ${hit?.target?.port ?? '?'}, on which nothing listens`;
  },
  remedies({ attempt, packetFilter, addresses }) {
    const hit = redirectOf(attempt, packetFilter.hits, new Set((addresses ?? []).map(({ address }) => address)));
    if (hit === undefined) return [];
    return [
      {
        id: 'start-behind',
        title: `Start what should listen on port ${hit.target?.port ?? '?'} (a sidecar, a proxy)`,
        risk: 'low',
        auto: 'never',
        changes: [{ kind: 'advice', text: 'Which unit owns that port? Its log says why it is down.' }],
      },
      ...withoutRule(hit, `Or delete ${hitName(hit)}`),
    ];
  },
  explanation: `
A nat rule (REDIRECT, DNAT to the host itself, TPROXY) sends the SYN to another port, and nothing listens there: a sidecar or a proxy that is down. The kernel finds no socket for the translated
port and sends a RST, which conntrack translates back: the client sees a refusal by the port that it asked for, and \`ss\` on the server shows a healthy listener there.

What gives it away: \`tcp:tcp_send_reset\` carries the translated port as its source. Be sure: the nat rules of the prerouting hook, and \`ss -ltn\` for their target.
`,
  confusedWith: [
    { id: 'no-listener', toldApartBy: 'no rule redirects; the port itself has no listener' },
    { id: 'dnat-dead-backend', toldApartBy: 'the rule leads to another host' },
  ],
  scenario: {
    plan: ({ port, nftFamily }) => ({
      steps: [
        {
          on: 'server',
          nft: `table ${nftFamily} nat { chain pre { type nat hook prerouting priority -100; tcp dport ${port} redirect to :${port === 18999 ? 18998 : 18999}; }; }`,
        },
      ],
      expect: { client: null },
    }),
  },
  examples: [
    {
      name: 'redirected to a sidecar that is down',
      given: {
        attempt: {
          ...EXAMPLE_ATTEMPT,
          sightings: [
            ...EXAMPLE_ATTEMPT.sightings,
            { segment: 'rst', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' },
          ],
        },
        packetFilter: filterWith({
          ...DROP_HIT,
          verdict: 'redirect',
          chain: 'pre',
          hook: 'prerouting',
          text: 'tcp dport 443 redirect to :15006',
          target: { port: 15_006 },
        }),
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'no such rule',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: PASSING_FILTER, sockets: HEALTHY_LISTENER },
      expect: 'ruled-out',
    },
  ],
  references: ['net/netfilter/nf_nat_redirect.c', 'net/ipv4/tcp_ipv4.c: tcp_v4_send_reset()'],
});
