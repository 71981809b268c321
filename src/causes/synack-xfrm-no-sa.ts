import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { XfrmPolicy } from '../model/facts/routing.ts';
import { exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { ANSWERED_IN_VAIN, FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { expectedSyns, hasClient, stoodStill } from './shared-silence.ts';
import { answerMade, settledBeforeAnswer } from './shared-synack.ts';

const POLICY: XfrmPolicy = {
  direction: 'out',
  source: '2001:db8:2::2/128',
  destination: '2001:db8:1::2/128',
  action: 'allow',
  templates: ['esp'],
  matches: true,
  text: 'src 2001:db8:2::2/128 dst 2001:db8:1::2/128 dir out priority 0 tmpl proto esp mode transport',
};

function policyOf(policies: readonly XfrmPolicy[] | undefined): XfrmPolicy | undefined {
  return policies?.find(
    ({ direction, matches, action, templates }) =>
      direction === 'out' && matches && action === 'allow' && templates.length > 0,
  );
}

export const cause: Cause = defineCause({
  id: 'synack-xfrm-no-sa',
  title: 'An IPsec policy asks for encryption of the SYN-ACK, and there is no key for it',
  place: 'server',
  step: 'server-reply-out',
  sides: ['server'],
  needs: ['attempt', 'sockets'],
  wants: ['xfrmPolicies', 'counters', 'outgoingRoute'],
  assess({ attempt, sockets, xfrmPolicies, counters, outgoingRoute }) {
    const settled = settledBeforeAnswer({ attempt, sockets, outgoingRoute });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    const policy = policyOf(xfrmPolicies);
    if (xfrmPolicies !== undefined && policy === undefined) {
      return [
        contradicts('conclusive', 'xfrmPolicies', 'no policy asks for encryption of what goes out to the client'),
      ];
    }
    const said = policy === undefined ? undefined : `IPsec policy "${policy.text.slice(0, 160)}" covers the SYN-ACK`;
    if (!watched(attempt, counters) || attempt.syns === 0) {
      return said === undefined
        ? []
        : [supports('moderate', 'xfrmPolicies', `${said}; whether there is a key for it is not known`)];
    }
    const missing = grown(counters, 'XfrmOutNoStates', 'XfrmAcquireError');
    if (missing === 0) {
      return stoodStill(counters, 'XfrmOutNoStates')
        ? [contradicts('conclusive', 'counters', 'XfrmOutNoStates did not move: no packet went without a key')]
        : [];
    }
    const made = answerMade({ attempt, counters, sockets });
    if (made.some(({ bearing }) => bearing === 'contradicts')) return made;
    const fits = missing >= expectedSyns(attempt);
    const moved = ['XfrmOutNoStates', 'XfrmAcquireError'].filter((name) => grown(counters, name) > 0);
    const evidence: CauseEvidence[] = [
      supports(
        fits && said !== undefined ? 'conclusive' : fits ? 'strong' : 'moderate',
        'counters',
        `${formatGrowths(counters, moved)}: SYN-ACKs had no key and were dropped`,
      ),
    ];
    if (said !== undefined) evidence.push(supports('strong', 'xfrmPolicies', said));
    return [...evidence, ...made];
  },
  sentence({ attempt, xfrmPolicies, counters }) {
    const policy = policyOf(xfrmPolicies);
    const which =
      policy === undefined ? 'An IPsec policy' : `The IPsec policy ${policy.source} → ${policy.destination}`;
    const missing = grown(counters, 'XfrmOutNoStates');
    const said = missing > 0 ? ` (XfrmOutNoStates +${missing})` : '';
    return `${which} of the server asks for encryption, but there is no security association, so its SYN-ACKs to ${attempt.client.address} are dropped${said}`;
  },
  remedies: () => [
    {
      id: 'bring-tunnel-up',
      title: 'Bring the tunnel up: the key exchange with the peer has failed or does not run',
      risk: 'high',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'swanctl --list-sas, or ipsec status, and the log of the IKE daemon; ip xfrm state shows the keys that are there.',
        },
      ],
    },
  ],
  explanation: `
An IPsec policy with a template (ESP, AH) covers what the server sends to the client, but no security association exists: the IKE daemon is down, or cannot agree with its peer. The route lookup
succeeds with a route that discards, or waits for a key: \`xfrm_lookup()\` → \`dst_discard_out()\`.

The SYN-ACK is made and repeated (\`TcpOutSegs\`, \`TCPSynRetrans\`), \`ss\` shows SYN-RECV, and nothing leaves. \`XfrmOutNoStates\` counts each packet; the drop reason is \`NOT_SPECIFIED\` in
\`dst_discard_out()\`.

Be sure: \`ip xfrm policy\` shows the policy, \`ip xfrm state\` has nothing for it, and \`/proc/net/xfrm_stat\` counts.
`,
  confusedWith: [
    { id: 'xfrm-out-block-server', toldApartBy: 'there no SYN-ACK is made: ListenDrops and XfrmOutPolBlock move' },
    { id: 'synack-output-drop', toldApartBy: 'there TCPSynRetrans stands still, and no Xfrm counter moves' },
    { id: 'synack-neighbour-unresolved', toldApartBy: 'ARP requests or neighbour solicitations leave instead' },
  ],
  scenario: {
    requires: ['IPsec in the kernel (CONFIG_XFRM) with ESP'],
    plan: ({ server, client }) => ({
      steps: [
        {
          on: 'server',
          run: [
            ...['ip', 'xfrm', 'policy', 'add', 'dir', 'out', 'src', server, 'dst', client],
            ...['tmpl', 'proto', 'esp', 'mode', 'transport'],
          ],
        },
      ],
    }),
  },
  examples: [
    {
      name: 'a policy without a key',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        xfrmPolicies: [POLICY],
        outgoingRoute: ROUTE_BACK,
        counters: exampleCounters({ XfrmOutNoStates: 8, TcpOutSegs: 8, TcpExtTCPSynRetrans: 7 }, 'TcpExtListenDrops'),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: whether a key is there is not known',
      given: { attempt: SUPPOSED, sockets: listening(), xfrmPolicies: [POLICY], outgoingRoute: ROUTE_BACK },
      expect: 'possible',
    },
    {
      name: 'keys are there',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        xfrmPolicies: [POLICY],
        counters: exampleCounters({ TcpOutSegs: 8 }, 'XfrmOutNoStates'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'a policy that blocks: xfrm-out-block-server',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        xfrmPolicies: [{ ...POLICY, action: 'block', templates: [] }],
        counters: exampleCounters({ XfrmOutPolBlock: 4, TcpExtListenDrops: 4 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'no route',
      given: { attempt: FOUR_SYNS, sockets: listening(), xfrmPolicies: [POLICY], outgoingRoute: NO_ROUTE_BACK },
      expect: 'ruled-out',
    },
    {
      name: 'SYN-ACKs left',
      given: { attempt: ANSWERED_IN_VAIN, sockets: listening(), xfrmPolicies: [POLICY] },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/xfrm_proc.html', 'net/xfrm/xfrm_policy.c: xfrm_lookup_with_ifid()'],
});
