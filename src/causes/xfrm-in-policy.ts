import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { XfrmPolicy } from '../model/facts/routing.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { clientName, expectedSyns, stoodStill, synArrived, theSyns, tracedSyn } from './shared-silence.ts';

const COUNTERS = ['XfrmInPolBlock', 'XfrmInTmplMismatch', 'XfrmInNoPols'] as const;
const BLOCK: XfrmPolicy = {
  direction: 'in',
  source: '198.51.100.7/32',
  destination: '192.0.2.1/32',
  action: 'block',
  templates: [],
  matches: true,
  text: 'src 198.51.100.7/32 dst 192.0.2.1/32 dir in action block priority 0',
};

export const cause: Cause = defineCause({
  id: 'xfrm-in-policy',
  title: 'An IPsec policy refuses the SYN, as it is blocked or came unprotected',
  place: 'server',
  step: 'server-tcp-in',
  sides: ['server'],
  needs: ['attempt', 'xfrmPolicies'],
  wants: ['counters', 'kernelTrace', 'sockets'],
  assess({ attempt, xfrmPolicies, counters, kernelTrace, sockets }) {
    if (!synArrived(attempt)) return [];
    if (attempt.synAcks > 0) {
      return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it, so no policy refused the SYN')];
    }
    const policy = refusing(xfrmPolicies);
    const moved = COUNTERS.filter((name) => grown(counters, name) > 0);
    const refused = grown(counters, ...COUNTERS);
    const observed = watched(attempt, counters);
    if (policy === undefined && (!observed || refused === 0)) {
      return [
        contradicts('conclusive', 'xfrmPolicies', 'no IPsec policy for this direction covers the SYN and refuses it'),
      ];
    }
    const evidence: CauseEvidence[] = [];
    if (policy !== undefined) {
      const blocks = policy.action === 'block';
      const asks = blocks ? 'blocks it' : `asks for ${policy.templates.join(' and ')}`;
      // A SYN that is only supposed may well come protected.
      const weight = blocks && !attempt.observed ? 'conclusive' : 'strong';
      evidence.push(
        supports(weight, 'xfrmPolicies', `an IPsec policy covers the SYN and ${asks}: "${shorten(policy)}"`),
      );
    }
    if (observed) {
      if (refused >= expectedSyns(attempt)) {
        const weight = policy === undefined ? 'strong' : 'conclusive';
        evidence.push(supports(weight, 'counters', `${formatGrowths(counters, moved)} for ${theSyns(attempt)}`));
      } else if (stoodStill(counters, ...COUNTERS)) {
        evidence.push(contradicts('conclusive', 'counters', 'no XfrmIn counter moved: no policy refused a packet'));
      }
    }
    if (sockets !== undefined && sockets.matching.length === 0 && refused === 0) {
      evidence.push(contradicts('moderate', 'sockets', 'nothing listens: policies are asked for a socket'));
    }
    return [...evidence, ...tracedSyn(kernelTrace, { reasons: /^XFRM_POLICY$/ })];
  },
  sentence({ attempt, xfrmPolicies }) {
    const policy = refusing(xfrmPolicies);
    const asks =
      policy === undefined || policy.action === 'block'
        ? 'blocks'
        : `accepts them protected by ${policy.templates.join(' and ')} only, so it drops`;
    const which = policy === undefined ? '' : ` ("${shorten(policy)}")`;
    return `An IPsec policy of the server${which} ${asks} ${theSyns(attempt)} from ${clientName(attempt)}`;
  },
  remedies({ xfrmPolicies, attempt }) {
    const policy = refusing(xfrmPolicies);
    if (policy === undefined) return [];
    const family = attempt.family === 6 ? ['-6'] : [];
    return [
      {
        id: 'bring-up-the-tunnel',
        title: 'Bring the IPsec connection up, or repair the policy at both ends',
        risk: 'high',
        auto: 'never',
        changes: [{ kind: 'command', argv: ['ip', 'xfrm', 'state'] }],
      },
      {
        id: 'delete-policy',
        title: 'Delete the policy, when it is not wanted: its traffic is unprotected then',
        risk: 'high',
        auto: 'never',
        changes: [
          {
            kind: 'command',
            argv: [
              'ip',
              ...family,
              'xfrm',
              'policy',
              'delete',
              'dir',
              'in',
              'src',
              policy.source,
              'dst',
              policy.destination,
            ],
          },
        ],
      },
    ];
  },
  explanation: `
IPsec policies say which packets must come protected and which must not come at all. A SYN that arrives in clear although the policy asks for ESP, or that a policy blocks, is
dropped when TCP looks at it: the VPN is down on one side only, its selectors differ at both ends, or a policy of an old connection was left behind.

\`XfrmInTmplMismatch\` (asks for protection) or \`XfrmInPolBlock\` (blocks) in \`/proc/net/xfrm_stat\` grows by one for each SYN. The drop count of the listener (\`ss -ltnm\`) grows
too, \`ListenDrops\` does not.

Be sure: that counter, and \`ip xfrm policy\` with a policy of direction \`in\` that covers client and server.

Linux 6.18: \`xfrm4_policy_check()\` / \`xfrm6_policy_check()\` in \`tcp_v4_rcv()\` / \`tcp_v6_rcv()\`; drop reason XFRM_POLICY.
`,
  confusedWith: [
    { id: 'netfilter-drop-in', toldApartBy: 'no XfrmIn counter moves there' },
    { id: 'xfrm-out-block-server', toldApartBy: 'there the answer is blocked: XfrmOutPolBlock and ListenDrops move' },
    { id: 'md5-mismatch', toldApartBy: 'there a TCPMD5 counter moves' },
  ],
  scenario: {
    requires: ['IPsec (ip xfrm)'],
    variants: ['requires-esp'],
    plan: ({ ip, client, server }, variant) => ({
      steps: [
        {
          on: 'server',
          run: [
            ...[...ip, 'xfrm', 'policy', 'add', 'dir', 'in', 'src', client, 'dst', server],
            ...(variant === undefined ? ['action', 'block'] : ['tmpl', 'proto', 'esp', 'mode', 'transport']),
          ],
        },
      ],
    }),
  },
  examples: [
    {
      name: 'a policy blocks, and its counter fits',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, syns: 2 },
        xfrmPolicies: [BLOCK],
        counters: exampleCounters({ XfrmInPolBlock: 2 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed: a policy asks for ESP, and the SYN may well come protected',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, observed: false, captured: false, syns: 0, sightings: [] },
        xfrmPolicies: [{ ...BLOCK, action: 'allow', templates: ['esp'] }],
      },
      expect: 'likely',
    },
    {
      name: 'a policy that refused nothing',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        xfrmPolicies: [BLOCK],
        counters: { ...exampleCounters({}), now: { XfrmInPolBlock: 5, XfrmInTmplMismatch: 0, XfrmInNoPols: 0 } },
      },
      expect: 'ruled-out',
    },
    {
      name: 'no policy',
      given: { attempt: EXAMPLE_ATTEMPT_V4, xfrmPolicies: [] },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://docs.kernel.org/networking/xfrm_proc.html',
    'RFC 4301 section 4.4.1',
    'net/xfrm/xfrm_policy.c: __xfrm_policy_check()',
  ],
});

function refusing(policies: readonly XfrmPolicy[]): XfrmPolicy | undefined {
  return policies.find(
    ({ direction, matches, action, templates }) =>
      direction === 'in' && matches && (action === 'block' || templates.length > 0),
  );
}

function shorten({ text }: XfrmPolicy): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 120);
}
