import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { sysctlNumber, watched } from '../model/cause-facts.ts';
import { exampleCounters, NO_ROUTE_BACK, ROUTE_BACK } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';
import { takerName } from './shared-listener.ts';
import { refusalCounted, refusedForNamedReason, settledOtherwise } from './shared-refusal.ts';
import { lastReplyLookup } from './shared-reply.ts';
import { hasClient } from './shared-silence.ts';
import { inLastQuarter, onlyListener, synCookies } from './shared-syn-queue.ts';

const TIGHT = { 'net.ipv4.tcp_syncookies': '0', 'net.ipv4.tcp_max_syn_backlog': '16' };
const NEARLY_FULL = { ...listening({ backlog: 128, dropsDelta: 4 }), synReceived: 13 };

export const cause: Cause = defineCause({
  id: 'syn-queue-last-quarter',
  title: 'The last quarter of the SYN queue is kept for clients that the server knows',
  place: 'server',
  step: 'server-reply-route',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'sysctls'],
  wants: ['counters', 'outgoingRoute', 'peerMetrics', 'kernelTrace'],
  assess({ attempt, sockets, sysctls, counters, outgoingRoute, peerMetrics, kernelTrace }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    if (!hasClient(attempt)) return [];
    const cookies = synCookies(sysctls);
    if (cookies !== undefined && cookies > 0) {
      return [contradicts('conclusive', 'sysctls', `tcp_syncookies is ${cookies}: the rule only holds with 0`)];
    }
    if (peerMetrics?.hasRtt === true) {
      return [
        contradicts(
          'conclusive',
          'peerMetrics',
          `the kernel has a round-trip time of ${attempt.client.address} in its metrics: it is a known client`,
        ),
      ];
    }
    if (outgoingRoute?.ok === false) {
      return [
        contradicts(
          'conclusive',
          'outgoingRoute',
          `the SYN is dropped before, for want of a route back ("${outgoingRoute.message}")`,
        ),
      ];
    }
    const maximum = sysctlNumber(sysctls, 'net.ipv4.tcp_max_syn_backlog');
    if (maximum === undefined) return [];
    const halfOpen = sockets.synReceived;
    const state = `${halfOpen} half-open connections of tcp_max_syn_backlog ${maximum}, and tcp_syncookies is 0`;
    if (!inLastQuarter(maximum, halfOpen)) return [contradicts('strong', 'sockets', state)];
    const sure = onlyListener(sockets) !== undefined && peerMetrics !== undefined && outgoingRoute !== undefined;
    const unproven =
      peerMetrics === undefined ? '' : `; ${attempt.client.address} is not known from earlier connections`;
    const unnamed = refusedForNamedReason({ attempt, counters });
    const counted = refusalCounted({ attempt, counters, sockets });
    const fits =
      !attempt.observed || (watched(attempt, counters) && counted.some(({ bearing }) => bearing === 'supports'));
    const evidence = [
      supports(sure && fits && unnamed.length === 0 ? 'conclusive' : 'strong', 'sockets', `${state}${unproven}`),
      ...counted,
      ...unnamed,
    ];
    const last = lastReplyLookup(kernelTrace);
    if (last !== undefined) {
      evidence.push(
        last.err < 0
          ? contradicts('strong', 'kernelTrace', `the route lookup of the reply failed with error ${last.err}`)
          : supports('moderate', 'kernelTrace', 'the SYN was dropped after its route back was found'),
      );
    }
    return evidence;
  },
  sentence({ attempt, sockets, sysctls }) {
    const maximum = sysctlNumber(sysctls, 'net.ipv4.tcp_max_syn_backlog');
    return `${takerName(sockets, attempt)} has ${sockets.synReceived} half-open connections of tcp_max_syn_backlog ${maximum}; with SYN cookies off the kernel keeps the last quarter for known clients and drops the SYNs of ${attempt.client.address}`;
  },
  remedies({ sysctls }) {
    const maximum = sysctlNumber(sysctls, 'net.ipv4.tcp_max_syn_backlog') ?? 1024;
    return [
      {
        id: 'syn-cookies',
        title: 'Turn SYN cookies on: the rule does not hold then',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_syncookies', value: '1' }],
      },
      {
        id: 'raise-max-syn-backlog',
        title: 'Allow more half-open connections',
        risk: 'low',
        auto: 'safe',
        changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_max_syn_backlog', value: String(Math.max(4096, maximum * 4)) }],
      },
    ];
  },
  explanation: `
With \`net.ipv4.tcp_syncookies=0\` the kernel defends itself in another way: when fewer than a quarter of \`net.ipv4.tcp_max_syn_backlog\` places are free, it takes SYNs only from
peers that are "proven", which means that it has a round-trip time of them in its metrics (\`tcp_peer_is_proven()\`, \`ip tcp_metrics\`). New clients time out while old ones
connect.

\`tcp_conn_request()\`, the clause with the comment "Last quarter of the backlog is dedicated to the proven destinations". It comes after the route lookup, and counts nothing but
\`ListenDrops\`. The skb is consumed: no drop reason.

Be sure: \`ss -Htan state syn-recv sport = :PORT | wc -l\` is more than three quarters of \`tcp_max_syn_backlog\`, \`ip route get CLIENT from SERVER\` succeeds, and
\`ip tcp_metrics show CLIENT\` is empty.
`,
  confusedWith: [
    {
      id: 'return-route-rejected',
      toldApartBy: 'on IPv6 only ListenDrops moves there too, but the route lookup fails',
    },
    { id: 'syn-queue-full', toldApartBy: 'TCPReqQFullDrop moves there' },
    { id: 'lsm-conn-request', toldApartBy: 'only ListenDrops moves there too, whatever the queue holds' },
    { id: 'xfrm-out-block-server', toldApartBy: 'XfrmOutPolBlock moves there' },
  ],
  scenario: {
    plan: ({ port }) => ({
      steps: [
        // The client must not reset what it did not ask for.
        { on: 'client', nft: nftChain({ hook: 'output' }, `tcp dport ${port} tcp flags & rst == rst drop`) },
        { on: 'server', sysctl: { 'net.ipv4.tcp_syncookies': 0, 'net.ipv4.tcp_max_syn_backlog': 16 } },
        { on: 'client', send: { flags: 'S', sourcePort: 20_000, count: 13 } },
        { waitMs: 200 },
      ],
    }),
  },
  examples: [
    {
      name: '13 of 16, an unknown client, a good route, and nothing but ListenDrops',
      given: {
        attempt: FOUR_SYNS,
        sockets: NEARLY_FULL,
        sysctls: TIGHT,
        counters: exampleCounters({ TcpExtListenDrops: 4 }),
        outgoingRoute: ROUTE_BACK,
        peerMetrics: { known: false, hasRtt: false },
      },
      expect: 'confirmed',
    },
    {
      name: 'only supposed',
      given: {
        attempt: SUPPOSED,
        sockets: NEARLY_FULL,
        sysctls: TIGHT,
        outgoingRoute: ROUTE_BACK,
        peerMetrics: { known: false, hasRtt: false },
      },
      expect: 'confirmed',
    },
    {
      name: 'whether the client is known could not be read',
      given: {
        attempt: FOUR_SYNS,
        sockets: NEARLY_FULL,
        sysctls: TIGHT,
        counters: exampleCounters({ TcpExtListenDrops: 4 }),
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'likely',
    },
    {
      name: 'a known client',
      given: { attempt: FOUR_SYNS, sockets: NEARLY_FULL, sysctls: TIGHT, peerMetrics: { known: true, hasRtt: true } },
      expect: 'ruled-out',
    },
    {
      name: 'no route back: dropped before',
      given: { attempt: FOUR_SYNS, sockets: NEARLY_FULL, sysctls: TIGHT, outgoingRoute: NO_ROUTE_BACK },
      expect: 'ruled-out',
    },
    {
      name: 'an IPsec policy blocks the answers',
      given: {
        attempt: FOUR_SYNS,
        sockets: NEARLY_FULL,
        sysctls: TIGHT,
        counters: exampleCounters({ TcpExtListenDrops: 4, XfrmOutPolBlock: 4 }),
        outgoingRoute: ROUTE_BACK,
        peerMetrics: { known: false, hasRtt: false },
      },
      expect: 'likely',
    },
    {
      name: 'twelve of 16: the last quarter is free',
      given: {
        attempt: FOUR_SYNS,
        sockets: { ...NEARLY_FULL, synReceived: 12 },
        sysctls: TIGHT,
        outgoingRoute: ROUTE_BACK,
      },
      expect: 'ruled-out',
    },
    {
      name: 'cookies are on',
      given: { attempt: FOUR_SYNS, sockets: NEARLY_FULL, sysctls: { ...TIGHT, 'net.ipv4.tcp_syncookies': '1' } },
      expect: 'ruled-out',
    },
  ],
  references: ['https://docs.kernel.org/networking/ip-sysctl.html', 'net/ipv4/tcp_input.c: tcp_conn_request()'],
});
