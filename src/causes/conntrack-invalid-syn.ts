import { type Cause, type CauseEvidence, contradicts, defineCause, type Remedy, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import { formatQuantity } from '../model/text.ts';
import { countedHit, DROP_HIT, filterWith } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, EXAMPLE_ATTEMPT_V4, exampleCounters } from './shared-examples.ts';
import { hitName, hitText, judgeFilter, weighHits } from './shared-filter.ts';
import { nftChain } from './shared-lab-rules.ts';
import { clientName, expectedSyns, reachedTcp, stoodStill, synArrived, theSyns, vanished } from './shared-silence.ts';

export const cause: Cause = defineCause({
  id: 'conntrack-invalid-syn',
  title: 'Connection tracking calls the SYN invalid, and a rule drops what is invalid',
  place: 'server',
  step: 'server-filter-in',
  sides: ['server'],
  needs: ['attempt', 'packetFilter'],
  wants: ['counters', 'sockets', 'surroundings', 'conntrack', 'nfQueues'],
  assess(facts) {
    const { attempt, packetFilter, counters, conntrack, nfQueues } = facts;
    if (!synArrived(attempt)) return [];
    const expected = expectedSyns(attempt);
    const judged = judgeFilter(packetFilter, attempt, 'syn-in', expected, ['ct-invalid'], nfQueues);
    // Whether a SYN is invalid cannot be told from the rules, so a rule set that lets good SYNs pass proves nothing.
    const evidence: CauseEvidence[] = packetFilter.passes.includes('syn-in') ? [] : [...judged.evidence];
    const invalid = grown(counters, 'nf_conntrack.invalid');
    if (judged.found === undefined) return [...evidence, ...reachedTcp(facts)];
    if (watched(attempt, counters)) {
      if (invalid >= expected) {
        evidence.push(supports('strong', 'counters', `nf_conntrack invalid +${invalid} for ${theSyns(attempt)}`));
      } else if (stoodStill(counters, 'nf_conntrack.invalid')) {
        evidence.push(contradicts('conclusive', 'counters', 'nf_conntrack invalid +0: no packet was called invalid'));
      }
    }
    const [entry] = conntrack?.entries ?? [];
    if (entry?.state !== undefined && entry.state !== 'SYN_SENT') {
      evidence.push(
        supports('weak', 'conntrack', `connection tracking already has this tuple in state ${entry.state}`),
      );
    }
    return [...evidence, ...reachedTcp(facts), ...vanished(facts)];
  },
  sentence({ attempt, packetFilter, counters }) {
    const { standing } = weighHits(packetFilter, attempt, 'syn-in', expectedSyns(attempt));
    const hit = standing.find(({ kind }) => kind === 'ct-invalid')?.hit;
    const rule = hit === undefined ? 'a rule' : `${hitName(hit)} ("${hitText(hit)}")`;
    const number = formatQuantity(grown(counters, 'nf_conntrack.invalid'), 'packet');
    return `Connection tracking of the server calls ${theSyns(attempt)} from ${clientName(attempt)} invalid (${number}), and ${rule} drops it`;
  },
  remedies({ attempt, conntrack }) {
    const { client, server } = attempt;
    const log: Remedy = {
      id: 'log-invalid',
      title:
        'Let the kernel log why it calls them invalid: a wrong checksum or odd flags are mended where they come from',
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: 'net.netfilter.nf_conntrack_log_invalid=6 writes the reason into the kernel log; 0 ends it.',
        },
      ],
    };
    const isStale = conntrack?.entries.some(({ state }) => state !== undefined && state !== 'SYN_SENT') === true;
    if (!isStale || client.port === 0) return [log];
    const tuple = ['-s', client.address, '-d', server.address, '-p', 'tcp'];
    return [
      {
        id: 'forget-the-tuple',
        title: `Delete the stale entry of ${clientName(attempt)} port ${client.port}`,
        risk: 'medium',
        auto: 'never',
        changes: [
          {
            kind: 'command',
            argv: ['conntrack', '-D', ...tuple, '--sport', String(client.port), '--dport', String(server.port)],
          },
        ],
      },
      log,
    ];
  },
  explanation: `
Most firewalls drop what connection tracking calls invalid (\`ct state invalid drop\`). A SYN is invalid when its TCP checksum is wrong, when its flags make no sense
(SYN with FIN or RST), or when it does not fit the state of an older entry with the same tuple: a connection of which this host saw one direction only (asymmetric
routing), or a port that was used again.

Be sure: \`invalid\` in \`conntrack -S\` and the counter of the rule both grow by one for each SYN. \`sysctl net.netfilter.nf_conntrack_log_invalid=6\` logs the reason.

With connection tracking the wrong checksum is noticed here, so TCP's own counter (\`TcpInCsumErrors\`) stands still.

Linux 6.18: \`nf_conntrack_tcp_packet()\` returns \`-NF_ACCEPT\`, so that the packet has no entry; the rule frees it in \`nft_do_chain()\`.
`,
  confusedWith: [
    {
      id: 'netfilter-drop-in',
      toldApartBy: 'the rule does not ask for the state, and nf_conntrack invalid stands still',
    },
    { id: 'tcp-bad-checksum', toldApartBy: 'without connection tracking TcpInCsumErrors moves instead' },
    { id: 'asymmetric-stateful-firewall', toldApartBy: 'there it is the SYN-ACK, and another host' },
  ],
  scenario: {
    requires: ['nft with connection tracking'],
    variants: ['prerouting', 'iptables'],
    plan: ({ iptables }, variant) => ({
      steps: [
        variant === 'iptables'
          ? {
              on: 'server',
              run: [iptables, '-I', 'INPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP'],
            }
          : {
              on: 'server',
              nft: nftChain(
                variant === 'prerouting' ? { hook: 'prerouting', priority: -150 } : { hook: 'input' },
                'ct state invalid counter drop',
              ),
            },
      ],
      attempt: { on: 'client', send: { flags: 'S', badTcpChecksum: true, count: 1 } },
    }),
  },
  examples: [
    {
      name: 'a rule for what is invalid took the SYNs, and nf_conntrack counted them',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT, syns: 2 },
        packetFilter: filterWith(
          countedHit(2, {
            certainty: 'depends',
            conditions: ['ct-invalid'],
            text: 'ct state invalid counter packets 2 bytes 120 drop',
          }),
        ),
        counters: exampleCounters({ 'nf_conntrack.invalid': 2 }),
      },
      expect: 'confirmed',
    },
    {
      name: 'the rule has no counter',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        packetFilter: filterWith({
          ...DROP_HIT,
          certainty: 'depends',
          conditions: ['ct-invalid'],
          text: 'ct state invalid drop',
        }),
        counters: exampleCounters({ 'nf_conntrack.invalid': 1 }),
      },
      expect: 'likely',
    },
    {
      name: 'nothing was called invalid',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith({
          ...DROP_HIT,
          certainty: 'depends',
          conditions: ['ct-invalid'],
          text: 'ct state invalid drop',
        }),
        counters: { ...exampleCounters({}), now: { 'nf_conntrack.invalid': 12 } },
      },
      expect: 'ruled-out',
    },
    {
      name: 'a plain drop',
      given: {
        attempt: EXAMPLE_ATTEMPT,
        packetFilter: filterWith(DROP_HIT),
        counters: exampleCounters({ 'nf_conntrack.invalid': 1 }),
      },
      expect: 'ruled-out',
    },
  ],
  references: [
    'net/netfilter/nf_conntrack_proto_tcp.c: nf_conntrack_tcp_packet()',
    'https://docs.kernel.org/networking/nf_conntrack-sysctl.html',
  ],
});
