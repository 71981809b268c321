import { type Cause, type CauseEvidence, contradicts, defineCause } from '../model/cause.ts';
import { countedHit, DROP_HIT, filterWith, PASSING_FILTER } from './shared-example-hits.ts';
import { exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { ANSWERED_IN_VAIN, FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { hitName, hitText, judgeFilter } from './shared-filter.ts';
import { answerRemedies } from './shared-filter-remedies.ts';
import { nftChain } from './shared-lab-rules.ts';
import { expectedSyns, hasClient, tracedSyn } from './shared-silence.ts';
import { answerMade, settledBeforeAnswer } from './shared-synack.ts';

const KINDS = ['drop', 'reject', 'rate-limit', 'connection-limit', 'ct-invalid', 'queue'] as const;
const OUTPUT_HIT = {
  ...DROP_HIT,
  packet: 'syn-ack-out',
  chain: 'output',
  hook: 'output',
  text: 'tcp sport 443 drop',
} as const;
const SENDING = exampleCounters({ TcpOutSegs: 8, TcpExtTCPTimeouts: 4 }, 'TcpExtListenDrops');

export const cause: Cause = defineCause({
  id: 'synack-output-drop',
  title: 'A packet filter of the server drops its own SYN-ACK',
  place: 'server',
  step: 'server-reply-out',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'packetFilter'],
  wants: ['counters', 'outgoingRoute', 'kernelTrace', 'nfQueues'],
  assess({ attempt, sockets, packetFilter, counters, outgoingRoute, kernelTrace, nfQueues }) {
    const settled = settledBeforeAnswer({ attempt, sockets, outgoingRoute });
    if (settled !== undefined) return settled;
    const traced = tracedSyn(kernelTrace, { reasons: /^NETFILTER_DROP$/ }, 'syn-ack');
    const made = answerMade({ attempt, counters, sockets });
    // A SYN that was refused before leaves nothing to drop, whatever the rules say.
    if (traced.length === 0 && made.some(({ bearing }) => bearing === 'contradicts')) return made;
    // The SYN-ACK is repeated by itself and for each repeated SYN: a rule must have counted at least as many.
    const { evidence } = judgeFilter(packetFilter, attempt, 'syn-ack-out', expectedSyns(attempt), KINDS, nfQueues);
    const judged: CauseEvidence[] = [...evidence, ...traced];
    if (!judged.some(({ bearing }) => bearing === 'supports')) {
      return judged.length > 0 || !hasClient(attempt)
        ? judged
        : [contradicts('moderate', 'packetFilter', 'no rule is known that would drop the SYN-ACK')];
    }
    return [...judged, ...made];
  },
  sentence({ attempt, packetFilter, nfQueues }) {
    const { found } = judgeFilter(packetFilter, attempt, 'syn-ack-out', expectedSyns(attempt), KINDS, nfQueues);
    const { client, server } = attempt;
    const which = found === undefined ? 'its packet filter' : `${hitName(found.hit)} ("${hitText(found.hit)}")`;
    return `The server answers SYNs of ${client.address} to port ${server.port}, but ${which} drops the SYN-ACK before it leaves`;
  },
  remedies({ attempt, packetFilter, nfQueues }) {
    const { found } = judgeFilter(packetFilter, attempt, 'syn-ack-out', expectedSyns(attempt), KINDS, nfQueues);
    return found === undefined ? [] : answerRemedies(found.hit, attempt);
  },
  explanation: `
A rule in the hooks output or postrouting drops the SYN-ACK of this host: rules for outgoing traffic that do not accept answers (\`ct state established\`), a policy of drop, or \`notrack\` in prerouting, so that the answer
belongs to no connection. \`ip_local_out()\` returns EPERM, which \`tcp_conn_request()\` ignores. When the first timer fires, \`inet_rtx_syn_ack()\` fails again and the half-open connection is deleted.

A capture shows **SYN in, nothing out**, as with \`no-return-route\`, because it is taken behind the packet filter. \`TcpOutSegs\` and \`TCPTimeouts\` move, \`TCPSynRetrans\` and \`ListenDrops\` do **not**;
\`ss\` shows no SYN-RECV.

Be sure: the kernel's drop events show a SYN-ACK with \`NETFILTER_DROP\`; a counter in the rule counts it.
`,
  confusedWith: [
    { id: 'no-return-route', toldApartBy: 'the same capture, but the route lookup fails and ListenDrops moves' },
    { id: 'netfilter-drop-in', toldApartBy: 'there the SYN is dropped: TcpOutSegs stands still' },
    { id: 'synack-cgroup-egress-drop', toldApartBy: 'the drop reason is BPF_CGROUP_EGRESS' },
    { id: 'synack-tc-qdisc-drop', toldApartBy: 'a queueing discipline counts the drop' },
    { id: 'synack-neighbour-unresolved', toldApartBy: 'ARP requests or neighbour solicitations leave instead' },
  ],
  scenario: {
    variants: ['postrouting', 'policy', 'notrack'],
    plan: ({ port }, variant) => {
      const drop = `tcp sport ${port} drop`;
      const neighbours = 'meta l4proto { icmp, icmpv6 } accept';
      const rules: Readonly<Record<string, string>> = {
        postrouting: nftChain({ hook: 'postrouting' }, drop),
        policy: nftChain({ hook: 'output', policy: 'drop' }, neighbours),
        notrack: [
          nftChain({ hook: 'prerouting', table: 'raw', priority: -300 }, `tcp dport ${port} notrack`),
          nftChain({ hook: 'output', policy: 'drop' }, neighbours, 'ct state established,related accept'),
        ].join(''),
      };
      return { steps: [{ on: 'server', nft: rules[variant ?? ''] ?? nftChain({ hook: 'output' }, drop) }] };
    },
  },
  examples: [
    {
      name: 'a rule in output drops it',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        packetFilter: filterWith(OUTPUT_HIT),
        counters: SENDING,
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: {
        attempt: SUPPOSED,
        sockets: listening(),
        packetFilter: filterWith(OUTPUT_HIT),
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'confirmed',
    },
    {
      name: 'the drop hangs on connection tracking, and its counter did not move',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        packetFilter: filterWith(countedHit(0, { ...OUTPUT_HIT, certainty: 'depends', conditions: ['ct-state'] })),
        counters: SENDING,
      },
      expect: 'ruled-out',
    },
    {
      name: 'the rules let it pass',
      given: { attempt: FOUR_SYNS, sockets: listening(), packetFilter: PASSING_FILTER, counters: SENDING },
      expect: 'ruled-out',
    },
    {
      name: 'no route: there is no SYN-ACK to drop',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        packetFilter: filterWith(OUTPUT_HIT),
        outgoingRoute: NO_ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
    {
      name: 'TCP refused the SYN',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening({ dropsDelta: 4 }),
        packetFilter: filterWith(OUTPUT_HIT),
        counters: exampleCounters({ TcpOutSegs: 1, TcpExtListenDrops: 4, TcpExtListenOverflows: 4 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the SYN-ACK left',
      given: { attempt: ANSWERED_IN_VAIN, sockets: listening(), packetFilter: filterWith(OUTPUT_HIT) },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://wiki.nftables.org/wiki-nftables/index.php/Netfilter_hooks',
    'net/ipv4/inet_connection_sock.c: inet_rtx_syn_ack()',
  ],
});
