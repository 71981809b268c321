import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { XfrmPolicy } from '../model/facts/routing.ts';
import { exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { refusalCounted, settledOtherwise } from './shared-refusal.ts';
import { lastReplyLookup } from './shared-reply.ts';
import { expectedSyns, hasClient, stoodStill } from './shared-silence.ts';

const BLOCK: XfrmPolicy = {
  direction: 'out',
  source: '2001:db8:2::2/128',
  destination: '2001:db8:1::2/128',
  action: 'block',
  templates: [],
  matches: true,
  text: 'src 2001:db8:2::2/128 dst 2001:db8:1::2/128 dir out action block priority 0',
};

function policiesOf(policies: readonly XfrmPolicy[]): readonly XfrmPolicy[] {
  return policies.filter(({ direction, matches }) => direction === 'out' && matches);
}

export const cause: Cause = defineCause({
  id: 'xfrm-out-block-server',
  title: 'An IPsec policy of the server blocks the answer',
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['xfrmPolicies', 'counters', 'outgoingRoute', 'kernelTrace'],
  assess({ attempt, sockets, xfrmPolicies, counters, outgoingRoute, kernelTrace }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    if (outgoingRoute?.ok === false) {
      return [contradicts('conclusive', 'outgoingRoute', `the route lookup fails first ("${outgoingRoute.message}")`)];
    }
    const covering = xfrmPolicies === undefined ? undefined : policiesOf(xfrmPolicies);
    const block = covering?.find(({ action }) => action === 'block');
    if (covering !== undefined && block === undefined) {
      return [contradicts('conclusive', 'xfrmPolicies', 'no policy blocks what goes out to the client')];
    }
    const evidence: CauseEvidence[] = [];
    // With several policies their priorities decide, which only the counter shows.
    const alone = covering?.length === 1;
    const policy = block === undefined ? undefined : `IPsec policy "${block.text.slice(0, 160)}" covers the answer`;
    if (!watched(attempt, counters) || attempt.syns === 0) {
      return policy === undefined
        ? []
        : [supports(alone && !attempt.observed ? 'conclusive' : 'strong', 'xfrmPolicies', policy)];
    }
    const blocked = grown(counters, 'XfrmOutPolBlock');
    if (blocked === 0) {
      if (policy !== undefined) evidence.push(supports('moderate', 'xfrmPolicies', policy));
      if (stoodStill(counters, 'XfrmOutPolBlock')) {
        evidence.push(
          contradicts('conclusive', 'counters', 'XfrmOutPolBlock did not move: no policy blocked anything'),
        );
      }
      return evidence;
    }
    if (policy !== undefined) {
      evidence.push(supports(blocked >= expectedSyns(attempt) ? 'conclusive' : 'strong', 'xfrmPolicies', policy));
    }
    evidence.push(...refusalCounted({ attempt, counters, sockets }, 'XfrmOutPolBlock'));
    const last = lastReplyLookup(kernelTrace);
    if (last !== undefined) {
      evidence.push(
        last.err < 0
          ? contradicts(
              'strong',
              'kernelTrace',
              `the kernel's own route lookup of the reply failed (error ${last.err})`,
            )
          : supports(
              'moderate',
              'kernelTrace',
              "the kernel's own route lookup of the reply succeeded, and nothing was sent",
            ),
      );
    }
    return evidence;
  },
  sentence({ attempt, xfrmPolicies }) {
    const block = policiesOf(xfrmPolicies ?? []).find(({ action }) => action === 'block');
    const which =
      block === undefined
        ? 'An IPsec policy of the server'
        : `The IPsec policy ${block.source} → ${block.destination} of the server`;
    return `${which} blocks answers to ${attempt.client.address}, so the kernel drops its SYNs without an answer`;
  },
  remedies({ xfrmPolicies }) {
    const block = policiesOf(xfrmPolicies ?? []).find(({ action }) => action === 'block');
    if (block === undefined) return [];
    return [
      {
        id: 'repair-policy',
        title: 'Repair the VPN that put the policy there, or delete the policy if nobody needs it',
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'command',
            argv: ['ip', 'xfrm', 'policy', 'delete', 'dir', 'out', 'src', block.source, 'dst', block.destination],
          },
        ],
      },
    ];
  },
  explanation: `
An IPsec policy with \`action block\` covers what the server sends to the client. The route lookup of the SYN-ACK succeeds, then \`xfrm_lookup()\` inside \`ip_route_output_flow()\` refuses with
EPERM, and \`tcp_conn_request()\` drops the SYN.

\`inet_csk_route_req()\` counts every failure as a missing route, so \`ListenDrops\` and \`IpOutNoRoutes\` move on IPv4 as with \`no-return-route\`, although the route is there.
\`XfrmOutPolBlock\` in \`/proc/net/xfrm_stat\` tells them apart.

Be sure: \`ip xfrm policy\` shows a policy with direction out and action block, \`ip route get CLIENT from SERVER\` succeeds (it does not ask the policies).
`,
  confusedWith: [
    {
      id: 'no-return-route',
      toldApartBy: 'the same two counters, but there the route lookup fails and XfrmOutPolBlock stands still',
    },
    { id: 'synack-xfrm-no-sa', toldApartBy: 'there a SYN-ACK is made, and XfrmOutNoStates moves' },
    { id: 'syn-queue-last-quarter', toldApartBy: 'no Xfrm counter moves there' },
  ],
  scenario: {
    requires: ['IPsec in the kernel (CONFIG_XFRM)'],
    plan: ({ server, client }) => ({
      steps: [
        {
          on: 'server',
          run: ['ip', 'xfrm', 'policy', 'add', 'dir', 'out', 'src', server, 'dst', client, 'action', 'block'],
        },
      ],
    }),
  },
  examples: [
    {
      name: 'blocked once for each SYN',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        xfrmPolicies: [BLOCK],
        outgoingRoute: ROUTE_BACK,
        counters: exampleCounters({ TcpExtListenDrops: 4, XfrmOutPolBlock: 4 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: { attempt: SUPPOSED, sockets: listening(), xfrmPolicies: [BLOCK], outgoingRoute: ROUTE_BACK },
      expect: 'confirmed',
    },
    {
      name: 'only supposed, with a second policy: their priorities decide',
      given: {
        attempt: SUPPOSED,
        sockets: listening(),
        xfrmPolicies: [BLOCK, { ...BLOCK, action: 'allow' }],
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'likely',
    },
    {
      name: 'no route: that comes first',
      given: { attempt: FOUR_SYNS, sockets: listening(), xfrmPolicies: [BLOCK], outgoingRoute: NO_ROUTE_BACK },
      expect: 'ruled-out',
    },
    {
      name: 'the policy is for others',
      given: { attempt: FOUR_SYNS, sockets: listening(), xfrmPolicies: [{ ...BLOCK, matches: false }] },
      expect: 'ruled-out',
    },
    {
      name: 'nothing was blocked',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        xfrmPolicies: [BLOCK],
        counters: exampleCounters({ TcpExtListenDrops: 4 }, 'XfrmOutPolBlock'),
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/xfrm_proc.html',
    'https://man7.org/linux/man-pages/man8/ip-xfrm.8.html',
  ],
});
