import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import type { LabNames, LabStep } from '../model/scenario.ts';
import { formatQuantity } from '../model/text.ts';
import { countedHit, DROP_HIT, filterWith } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import { hitName, hitText, judgeFilter, weighHits } from './shared-filter.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, expectedSyns, reachedTcp, synArrived, theSyns, tracedSyn, vanished } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'netfilter-connlimit',
  title: 'A connection limit of the packet filter drops the SYN',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter'],
  wants: ['counters', 'sockets', 'surroundings', 'kernelTrace', 'nfQueues'],
  assess(facts) {
    const { attempt, packetFilter, nfQueues, kernelTrace, sockets } = facts;
    if (!synArrived(attempt)) return [];
    const { found, evidence } = judgeFilter(
      packetFilter,
      attempt,
      'syn-in',
      expectedSyns(attempt),
      ['connection-limit'],
      nfQueues,
    );
    const all: CauseEvidence[] = [...evidence, ...reachedTcp(facts)];
    if (found === undefined) return all;
    const limit = limitOf(found.hit);
    const open = openConnections(sockets, attempt.server.port);
    if (limit !== undefined && open !== undefined && open >= limit && limit > 0) {
      all.push(
        supports(
          'moderate',
          'sockets',
          `the client has ${formatQuantity(open, 'connection')} to the port open, and the limit is ${limit}`,
        ),
      );
    } else if (limit !== undefined && open === 0 && found.moved !== true) {
      all.push(
        contradicts('moderate', 'sockets', `the client has no connection to the port open, and the limit is ${limit}`),
      );
    }
    return [...all, ...tracedSyn(kernelTrace, { reasons: /^NETFILTER_DROP$/, weight: 'strong' }), ...vanished(facts)];
  },
  sentence({ attempt, packetFilter, sockets }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const hit = standing.find(({ kind }) => kind === 'connection-limit')?.hit;
    const syns = `${theSyns(attempt)} from ${clientName(attempt)} to port ${attempt.server.port}`;
    if (hit === undefined) return `A connection limit of the server's packet filter drops ${syns}`;
    const open = openConnections(sockets, attempt.server.port);
    const has =
      open === undefined || open === 0 ? '' : `, and the client has ${formatQuantity(open, 'connection')} open`;
    return `A connection limit of the server's packet filter drops ${syns}: ${hitName(hit)} says "${hitText(hit)}"${has}`;
  },
  remedies({ attempt, packetFilter }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const hit = standing.find(({ kind }) => kind === 'connection-limit')?.hit;
    if (hit === undefined) return [];
    return [
      {
        id: 'raise-limit',
        title: `Raise the number of connections that ${hitName(hit)} allows, or close those that ${clientName(attempt)} leaks`,
        risk: 'medium',
        auto: 'never',
        changes: [
          { kind: 'advice', text: `Replace "${hitText(hit)}" by the same rule with a larger number of connections` },
        ],
      },
    ];
  },
  explanation: `
A rule of the packet filter drops (or rejects) new connections while so many are open already: \`ct count over N\` in nftables, \`connlimit\` in iptables. It counts
entries of connection tracking, by client address or for all together. Clients behind one address share the number, and connections that were never
closed keep using it up: TCP entries live for five days by default (\`nf_conntrack_tcp_timeout_established\`).

Be sure: the rule asks for a number of connections, its counter grows by one for each SYN, and so many connections are open
(\`ss -tn dst CLIENT\`, \`conntrack -L -s CLIENT\`).

Linux 6.18: \`nf_conncount_count()\` of \`nft_connlimit_eval()\` and \`connlimit_mt()\`; the packet is freed with NETFILTER_DROP.
`,
  confusedWith: [
    { id: 'netfilter-rate-limit', toldApartBy: 'that one counts how fast connections come, not how many are open' },
    { id: 'netfilter-drop-in', toldApartBy: 'a plain drop lets nobody through' },
    { id: 'accept-queue-full', toldApartBy: 'ListenOverflows moves there' },
  ],
  scenario: {
    requires: ['nft with ct count', 'iptables with connlimit'],
    variants: ['reject', 'by-address', 'connlimit', 'connlimit-legacy'],
    // One connection is held open.
    plan: (names, variant) => ({ steps: [limiting(names, variant), { on: 'client', connect: {} }] }),
  },
  examples: [
    {
      name: 'the limit took every SYN',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        packetFilter: filterWith(
          countedHit(2, {
            certainty: 'depends',
            conditions: ['connection-limit', 'ct-new'],
            text: 'tcp dport 443 ct state new ct count over 1 counter packets 2 bytes 120 drop',
          }),
        ),
        counters: { ...exampleCounters({}), now: { TcpExtListenDrops: 0 } },
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'a limit without counter, and nothing is open',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith({
          ...DROP_HIT,
          certainty: 'depends',
          conditions: ['connection-limit'],
          text: 'tcp dport 443 ct count over 100 drop',
        }),
        sockets: HEALTHY_LISTENER,
      },
      expect: 'not-indicated',
    },
    {
      name: 'a plain drop comes first',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith(DROP_HIT, countedHit(1, { conditions: ['connection-limit'], certainty: 'depends' })),
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/netfilter/nf_conncount.c: nf_conncount_count()',
    'https://wiki.nftables.org/wiki-nftables/index.php/Meters',
  ],
});

/** The number of connections that a rule allows: `ct count over 10`, `--connlimit-above 10`, `#conn src/32 > 10`. */
function limitOf({ text }: FilterHit): number | undefined {
  const digits = /\bct count over (\d+)|--connlimit-above (\d+)|#conn \S+ > (\d+)/.exec(text)?.slice(1).find(Boolean);
  return digits === undefined ? undefined : Number(digits);
}

/** Connections of the client to the port that connection tracking still counts as open. */
function openConnections(sockets: SocketTable | undefined, port: number): number | undefined {
  return sockets?.connections.filter(({ local, state }) => local.port === port && state !== 'SYN-RECV').length;
}

function limiting({ port, family, nftFamily, iptables }: LabNames, variant: string | undefined): LabStep {
  const nft = (rule: string, definitions: readonly string[] = []): LabStep => ({
    on: 'server',
    nft: nftChain({ hook: 'input', definitions }, `tcp dport ${port} ct state new ${rule}`),
  });
  const connlimit = (tool: string): LabStep => ({
    on: 'server',
    run: [
      ...[tool, '-I', 'INPUT', '-p', 'tcp', '--dport', String(port), '--syn', '-m', 'connlimit'],
      ...['--connlimit-above', '1', '-j', 'DROP'],
    ],
  });
  switch (variant) {
    case 'reject':
      return nft('ct count over 1 counter reject with tcp reset');
    case 'by-address':
      return nft(`add @open { ${nftFamily} saddr ct count over 1 } counter drop`, [
        '  set open {',
        `    type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'}`,
        '    size 1024',
        '    flags dynamic',
        '  }',
      ]);
    case 'connlimit':
      return connlimit(iptables);
    case 'connlimit-legacy':
      return connlimit(family === 4 ? 'iptables-legacy' : 'ip6tables-legacy');
    default:
      return nft('ct count over 1 counter drop');
  }
}
