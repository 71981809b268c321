import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { exampleCounters } from './shared-examples.ts';
import { FOUR_SYNS, listening, SUPPOSED } from './shared-examples-server.ts';
import { nftChain } from './shared-lab-rules.ts';
import { takerName } from './shared-listener.ts';
import { perSyn, settledOtherwise } from './shared-refusal.ts';
import { expectedSyns, listenerRefusals, stoodStill } from './shared-silence.ts';
import { onlyListener, synCookies } from './shared-syn-queue.ts';

const NO_COOKIES = { 'net.ipv4.tcp_syncookies': '0' };
const FULL = { ...listening({ backlog: 8, dropsDelta: 4 }), synReceived: 9 };

export const cause: Cause = defineCause({
  id: 'syn-queue-full',
  title: 'The SYN queue of the listener is full and SYN cookies are off',
  place: 'server',
  step: 'server-listener',
  sides: ['server'],
  needs: ['attempt', 'sockets', 'sysctls'],
  wants: ['counters', 'kernelLog', 'surroundings'],
  assess({ attempt, sockets, sysctls, counters, kernelLog, surroundings }) {
    const settled = settledOtherwise({ attempt, sockets });
    if (settled !== undefined) return settled;
    const cookies = synCookies(sysctls);
    if (cookies !== undefined && cookies > 0) {
      return [
        contradicts('conclusive', 'sysctls', `tcp_syncookies is ${cookies}: a full SYN queue is answered with cookies`),
      ];
    }
    const listener = onlyListener(sockets);
    const halfOpen = sockets.synReceived;
    const full = listener !== undefined && halfOpen > listener.backlog;
    const state =
      listener === undefined
        ? `${halfOpen} half-open connections on the port`
        : `${halfOpen} half-open connections in a queue for ${listener.backlog}, and tcp_syncookies is 0`;
    if (!watched(attempt, counters)) {
      if (!full) return [contradicts('strong', 'sockets', state)];
      return [supports(attempt.observed ? 'strong' : 'conclusive', 'sockets', state)];
    }
    const dropped = grown(counters, 'TcpExtTCPReqQFullDrop');
    if (dropped === 0) {
      const weight = stoodStill(counters, 'TcpExtTCPReqQFullDrop') ? 'conclusive' : 'strong';
      return [contradicts(weight, 'counters', 'TCPReqQFullDrop +0: no SYN was dropped for a full SYN queue')];
    }
    const refused = listenerRefusals(sockets);
    if (refused === 0) {
      return [
        contradicts(
          'strong',
          'sockets',
          'the listener itself refused nothing (sk_drops +0): another port moved the counter',
        ),
      ];
    }
    const fits = dropped >= expectedSyns(attempt);
    const everyDrop = dropped === grown(counters, 'TcpExtListenDrops') && refused !== undefined;
    const said = formatGrowths(counters, ['TcpExtTCPReqQFullDrop', 'TcpExtListenDrops']);
    const evidence = [
      supports(
        fits && (full || everyDrop) ? 'conclusive' : fits ? 'strong' : 'moderate',
        'counters',
        fits ? `${said}: ${perSyn(attempt, [dropped])}` : said,
      ),
      supports(full ? 'strong' : 'weak', 'sockets', state),
    ];
    const flood = kernelLog?.find(
      ({ text }) => /possible SYN flooding/i.test(text) && text.includes(String(attempt.server.port)),
    );
    if (flood !== undefined)
      evidence.push(supports('moderate', 'kernelLog', `the kernel log says "${flood.text.slice(0, 120)}"`));
    if (surroundings !== undefined && surroundings.floodSources > 0) {
      evidence.push(
        supports('weak', 'surroundings', `half-open attempts of ${surroundings.floodSources} sources at once`),
      );
    }
    return evidence;
  },
  sentence({ attempt, sockets }) {
    const listener = onlyListener(sockets);
    const room = listener === undefined ? '' : ` in a queue for ${listener.backlog}`;
    return `The SYN queue of ${takerName(sockets, attempt)} is full (${sockets.synReceived} half-open connections${room}) and SYN cookies are off, so the kernel drops further SYNs without an answer`;
  },
  remedies: ({ sockets }) => [
    {
      id: 'syn-cookies',
      title: 'Answer with SYN cookies when the queue is full',
      risk: 'low',
      auto: 'safe',
      changes: [{ kind: 'sysctl', key: 'net.ipv4.tcp_syncookies', value: '1' }],
    },
    {
      id: 'find-missing-acks',
      title: 'Find out why handshakes are not completed: a flood, or SYN-ACKs that do not arrive',
      risk: 'low',
      auto: 'never',
      changes: [
        {
          kind: 'advice',
          text: `ss -tan state syn-recv shows from where. A larger backlog (now ${sockets.matching[0]?.backlog ?? '?'}) only helps against bursts; the program must call listen() anew.`,
        },
      ],
    },
  ],
  explanation: `
Half-open connections (SYN-RECV) wait in the SYN queue until the final ACK comes. It takes as many as the backlog of \`listen()\` says (Linux 4.3 and later; \`tcp_max_syn_backlog\` no
longer bounds it). With \`net.ipv4.tcp_syncookies=1\`, the default, a full queue is no trouble: the kernel answers with a cookie and keeps nothing. With 0
it drops the SYN.

\`tcp_conn_request()\` → \`inet_csk_reqsk_queue_is_full()\` → \`tcp_syn_flood_action()\`: \`TCPReqQFullDrop\` and \`ListenDrops\` move by one for each SYN, and the kernel log says once for each listener
"Possible SYN flooding on port ...: Dropping request". Linux 6.18 drops when there are more than backlog requests; older ones already at backlog, so that a backlog of 0 took nothing.

Be sure: \`ss -Htan state syn-recv sport = :PORT | wc -l\` is about the backlog (Send-Q in \`ss -ltn\`).
`,
  confusedWith: [
    { id: 'accept-queue-full', toldApartBy: 'ListenOverflows moves there, TCPReqQFullDrop here' },
    {
      id: 'syn-queue-last-quarter',
      toldApartBy: 'there only ListenDrops moves, and peers that are known still connect',
    },
    { id: 'no-return-route', toldApartBy: 'the route lookup fails there' },
  ],
  scenario: {
    plan: ({ port }) => ({
      listener: { backlog: 8 },
      steps: [
        // The client must not reset what it did not ask for.
        { on: 'client', nft: nftChain({ hook: 'output' }, `tcp dport ${port} tcp flags & rst == rst drop`) },
        { on: 'server', sysctl: { 'net.ipv4.tcp_syncookies': 0 } },
        { on: 'client', send: { flags: 'S', sourcePort: 20_000, count: 9 } },
        { waitMs: 200 },
      ],
    }),
  },
  examples: [
    {
      name: 'full, and one drop for each SYN',
      given: {
        attempt: FOUR_SYNS,
        sockets: FULL,
        sysctls: NO_COOKIES,
        counters: exampleCounters({ TcpExtTCPReqQFullDrop: 4, TcpExtListenDrops: 4 }),
      },
      expect: 'confirmed',
    },
    { name: 'only supposed', given: { attempt: SUPPOSED, sockets: FULL, sysctls: NO_COOKIES }, expect: 'confirmed' },
    {
      name: 'cookies are on',
      given: {
        attempt: FOUR_SYNS,
        sockets: FULL,
        sysctls: { 'net.ipv4.tcp_syncookies': '1' },
        counters: exampleCounters({ TcpExtTCPReqQFullDoCookies: 4 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the accept queue overflows instead',
      given: {
        attempt: FOUR_SYNS,
        sockets: FULL,
        sysctls: NO_COOKIES,
        counters: exampleCounters({ TcpExtListenOverflows: 4, TcpExtListenDrops: 4 }, 'TcpExtTCPReqQFullDrop'),
      },
      expect: 'ruled-out',
    },
    {
      name: 'the drops were those of another port',
      given: {
        attempt: FOUR_SYNS,
        sockets: listening(),
        sysctls: NO_COOKIES,
        counters: exampleCounters({ TcpExtTCPReqQFullDrop: 9, TcpExtListenDrops: 9 }),
      },
      expect: 'ruled-out',
    },
    {
      name: 'only supposed, with room',
      given: { attempt: SUPPOSED, sockets: { ...FULL, synReceived: 3 }, sysctls: NO_COOKIES },
      expect: 'ruled-out',
    },
  ],
  references: [
    'https://blog.cloudflare.com/syn-packet-handling-in-the-wild/',
    'https://docs.kernel.org/networking/ip-sysctl.html',
    'net/ipv4/tcp_input.c: tcp_conn_request()',
  ],
});
