import { type Cause, type CauseEvidence, defineCause, supports } from '../model/cause.ts';
import type { LabNames, LabStep } from '../model/scenario.ts';
import { formatQuantity } from '../model/text.ts';
import { countedHit, DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { hitName, hitText, judgeFilter, weighHits } from './shared-filter.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, expectedSyns, reachedTcp, synArrived, theSyns, tracedSyn, vanished } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'netfilter-rate-limit',
  title: 'A rate limit of the packet filter drops the SYN',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter'],
  wants: ['counters', 'sockets', 'surroundings', 'kernelTrace', 'nfQueues'],
  assess(facts) {
    const { attempt, packetFilter, nfQueues, kernelTrace, surroundings } = facts;
    if (!synArrived(attempt)) return [];
    const { found, evidence } = judgeFilter(
      packetFilter,
      attempt,
      'syn-in',
      expectedSyns(attempt),
      ['rate-limit'],
      nfQueues,
    );
    const all: CauseEvidence[] = [...evidence, ...reachedTcp(facts)];
    if (found === undefined) return all;
    const { answered = 0 } = surroundings?.sameClient ?? {};
    if (answered > 0) {
      all.push(
        supports(
          'moderate',
          'surroundings',
          `${formatQuantity(answered, 'other attempt')} of this client got through in the same time`,
        ),
      );
    }
    return [...all, ...tracedSyn(kernelTrace, { reasons: /^NETFILTER_DROP$/, weight: 'strong' }), ...vanished(facts)];
  },
  sentence({ attempt, packetFilter }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const one = standing.find(({ kind }) => kind === 'rate-limit');
    const syns = `${theSyns(attempt)} from ${clientName(attempt)} to port ${attempt.server.port}`;
    if (one === undefined) return `A rate limit of the server's packet filter drops ${syns}`;
    const took = one.moved === true ? ` (it took ${formatQuantity(one.hit.packetsDelta ?? 0, 'packet')})` : '';
    return `A rate limit of the server's packet filter drops ${syns}: ${hitName(one.hit)} says "${hitText(one.hit)}"${took}`;
  },
  remedies({ attempt, packetFilter }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const hit = standing.find(({ kind }) => kind === 'rate-limit')?.hit;
    if (hit === undefined) return [];
    return [
      {
        id: 'raise-limit',
        title: `Raise the limit of ${hitName(hit)}, or exempt ${clientName(attempt)} from it`,
        risk: 'medium',
        auto: 'never',
        changes: [{ kind: 'advice', text: `Replace "${hitText(hit)}" by the same rule with a larger rate and burst` }],
      },
    ];
  },
  explanation: `
A rule of the packet filter drops (or rejects) what comes faster than it allows: \`limit rate over\`, a dynamic set or meter in nftables; \`limit\`, \`hashlimit\`,
\`recent\` in iptables. The first connections pass, further ones time out, and a client that retries later is lucky again. Many clients behind one
address (NAT, a load balancer, a proxy) share one budget.

Nothing moves but the counter of the rule. In nftables a counter counts only what reaches it: in front of the limit it counts every packet, behind it only
those that are dropped.

Be sure: the rule asks for a limit, and its counter grows by one for each SYN that was not answered.

Linux 6.18: \`nft_limit_eval()\`, \`nft_dynset_eval()\`, \`hashlimit_mt()\`, \`recent_mt()\`; the packet is freed with NETFILTER_DROP.
`,
  confusedWith: [
    { id: 'netfilter-drop-in', toldApartBy: 'a plain drop lets nobody through; a limit lets the first ones pass' },
    { id: 'netfilter-connlimit', toldApartBy: 'that one counts connections that are open, not how fast they come' },
    { id: 'accept-queue-full', toldApartBy: 'ListenOverflows moves there' },
  ],
  scenario: {
    requires: ['nft with limits and dynamic sets', 'iptables with hashlimit and recent'],
    variants: ['dynamic-set', 'reject', 'hashlimit', 'recent'],
    // The first connection uses the budget up.
    plan: (names, variant) => ({ steps: [...limiting(names, variant), { on: 'client', connect: {} }] }),
  },
  examples: [
    {
      name: 'the limit took every SYN',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        packetFilter: filterWith(
          countedHit(2, {
            certainty: 'depends',
            conditions: ['rate-limit'],
            text: 'tcp dport 443 limit rate over 1/hour burst 1 packets counter packets 2 bytes 120 drop',
          }),
        ),
        counters: { ...exampleCounters({}), now: { TcpExtListenDrops: 0 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'the counter stands before the limit, and counts what passes too',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        packetFilter: filterWith(
          countedHit(2, {
            certainty: 'depends',
            conditions: ['rate-limit'],
            text: 'tcp dport 443 counter packets 2 bytes 120 limit rate over 1/hour burst 1 packets drop',
          }),
        ),
      },
      expect: 'likely',
    },
    {
      name: 'a limit without counter: it may or may not have been reached',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith({
          ...DROP_HIT,
          certainty: 'depends',
          conditions: ['rate-limit'],
          text: 'tcp dport 443 limit rate over 400/second drop',
        }),
      },
      expect: 'possible',
    },
    {
      name: 'a plain drop',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: filterWith(DROP_HIT) },
      expect: 'ruled-out',
    },
    {
      name: 'the rules let the SYN pass',
      given: { attempt: EXAMPLE_ATTEMPT, packetFilter: PASSING_FILTER },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://wiki.nftables.org/wiki-nftables/index.php/Rate_limiting_matchings',
    'net/netfilter/nft_limit.c',
  ],
});

function limiting({ port, family, nftFamily, iptables, unique }: LabNames, variant: string | undefined): LabStep[] {
  const dport = ['-p', 'tcp', '--dport', String(port), '--syn'];
  const legacy = family === 4 ? 'iptables-legacy' : 'ip6tables-legacy';
  // Names of xt_recent lists have at most 31 letters.
  const list = unique.slice(-16);
  switch (variant) {
    case 'dynamic-set':
      return [
        {
          on: 'server',
          nft: nftChain(
            {
              hook: 'input',
              definitions: [
                '  set seen {',
                `    type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'}`,
                '    size 1024',
                '    flags dynamic,timeout',
                '    timeout 1h',
                '  }',
              ],
            },
            `tcp dport ${port} ct state new add @seen { ${nftFamily} saddr limit rate over 1/hour burst 1 packets } counter drop`,
          ),
        },
      ];
    case 'reject':
      return [
        {
          on: 'server',
          nft: nftChain(
            { hook: 'input' },
            `tcp dport ${port} tcp flags syn limit rate over 1/hour burst 1 packets counter reject with tcp reset`,
          ),
        },
      ];
    case 'hashlimit':
      return [
        {
          on: 'server',
          run: [
            ...[iptables, '-I', 'INPUT', ...dport, '-m', 'hashlimit', '--hashlimit-above', '1/hour'],
            ...['--hashlimit-burst', '1', '--hashlimit-mode', 'srcip', '--hashlimit-name', 'lab', '-j', 'DROP'],
          ],
        },
      ];
    case 'recent':
      return [
        {
          on: 'server',
          run: [
            ...[legacy, '-A', 'INPUT', ...dport, '-m', 'recent', '--name', list, '--rcheck', '--seconds', '60'],
            ...['--hitcount', '1', '-j', 'DROP'],
          ],
        },
        { on: 'server', run: [legacy, '-A', 'INPUT', ...dport, '-m', 'recent', '--name', list, '--set'] },
      ];
    default:
      return [
        {
          on: 'server',
          nft: nftChain(
            { hook: 'input' },
            `tcp dport ${port} tcp flags syn limit rate over 1/hour burst 1 packets counter drop`,
          ),
        },
      ];
  }
}
