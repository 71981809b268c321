import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { CLIENT_ATTEMPT, connectStatement, failedAtOnce, failedAttempt } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'client-xfrm-out-block',
  title: 'An IPsec policy of the client stops the SYN',
  place: 'client',
  step: 'client-route',
  sides: ['client'],
  needs: ['attempt'],
  wants: ['counters', 'xfrmPolicies'],
  assess({ attempt, counters, xfrmPolicies }) {
    if (attempt.side !== 'client' || attempt.connect?.errno === undefined) return [];
    if (attempt.syns > 0) return [contradicts('conclusive', 'attempt', 'a SYN left this host')];
    const evidence = [];
    const policy = xfrmPolicies?.find(
      ({ direction, matches, action, templates }) =>
        direction === 'out' && matches && (action === 'block' || templates.length > 0),
    );
    const blocked = grown(counters, 'XfrmOutPolBlock');
    const stateless = grown(counters, 'XfrmOutNoStates');
    if (policy !== undefined) {
      const sure = policy.action === 'block' && failedAtOnce(attempt, 'EPERM');
      evidence.push(
        supports(sure ? 'conclusive' : 'strong', 'xfrmPolicies', `the policy "${policy.text}" covers this flow`),
      );
    }
    if (watched(attempt, counters) && blocked + stateless > 0) {
      const name = blocked > 0 ? 'XfrmOutPolBlock' : 'XfrmOutNoStates';
      evidence.push(
        supports(policy === undefined ? 'strong' : 'conclusive', 'counters', `${name} +${grown(counters, name)}`),
      );
    }
    if (evidence.length === 0) {
      return xfrmPolicies === undefined
        ? []
        : [contradicts('strong', 'xfrmPolicies', 'no IPsec policy blocks this flow')];
    }
    if (failedAtOnce(attempt, 'EPERM')) evidence.push(supports('strong', 'attempt', connectStatement(attempt)));
    return evidence;
  },
  sentence({ attempt, xfrmPolicies }) {
    const policy = xfrmPolicies?.find(({ direction, matches }) => direction === 'out' && matches);
    return policy?.action === 'allow'
      ? `An IPsec policy of this host wants ${policy.templates.join(', ')} towards ${attempt.server.address}, and there is no security association`
      : `An IPsec policy of this host blocks ${attempt.server.address}`;
  },
  remedies() {
    return [
      {
        id: 'repair-ipsec',
        title: 'Bring the tunnel up, or delete the policy',
        risk: 'high',
        auto: 'never',
        changes: [{ kind: 'advice', text: 'ip xfrm policy; ip xfrm state; then the log of the IKE daemon' }],
      },
    ];
  },
  explanation: `
IPsec policies are consulted with every route lookup (\`xfrm_lookup()\`). One with the action \`block\` makes \`connect()\` fail with EPERM at once and moves
\`XfrmOutPolBlock\` (\`/proc/net/xfrm_stat\`). One that asks for ESP or AH while there is no security association (the IKE daemon is down) leaves the SYN unsent:
EAGAIN or a timeout, and \`XfrmOutNoStates\`.

Be sure: \`ip xfrm policy\` has a policy whose selector covers the flow, and the counter moves.
`,
  confusedWith: [{ id: 'client-connect-hook-denied', toldApartBy: 'EPERM as well, but XfrmOutPolBlock does not move' }],
  scenario: {
    plan: ({ client, server, ip }) => ({
      steps: [
        {
          on: 'client',
          run: [ip[0] ?? 'ip', 'xfrm', 'policy', 'add', 'dir', 'out', 'src', client, 'dst', server, 'action', 'block'],
        },
      ],
      expect: { server: null },
    }),
  },
  examples: [
    {
      name: 'a block policy',
      given: {
        attempt: failedAttempt('EPERM'),
        counters: { now: {}, growth: { XfrmOutPolBlock: 1 }, intervalMs: 20 },
        xfrmPolicies: [
          {
            direction: 'out',
            source: '198.51.100.7/32',
            destination: '192.0.2.1/32',
            action: 'block',
            templates: [],
            matches: true,
            text: 'src 198.51.100.7/32 dst 192.0.2.1/32 dir out action block',
          },
        ],
      },
      expect: 'confirmed',
    },
    { name: 'the SYN left', given: { attempt: CLIENT_ATTEMPT, xfrmPolicies: [] }, expect: 'ruled-out' },
  ],
  references: ['https://docs.kernel.org/networking/xfrm_proc.html', 'net/xfrm/xfrm_policy.c: xfrm_lookup_with_ifid()'],
});
