import { type Cause, type CauseEvidence, contradicts, defineCause, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import { nothingElseStopsIt } from './shared-below-tcp.ts';
import { PASSING_FILTER, TAKEN_IN } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT_V4, exampleCounters, HEALTHY_LISTENER } from './shared-examples.ts';
import {
  clientName,
  expectedSyns,
  reachedTcp,
  stoodStill,
  synArrived,
  theSyns,
  tracedSyn,
  vanished,
} from './shared-silence.ts';

const COUNTERS: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['IpInHdrErrors', 'IpExtInCsumErrors', 'IpExtInTruncatedPkts'],
  6: ['Ip6InHdrErrors', 'Ip6InTruncatedPkts'],
};

export const cause: Cause = defineCause({
  id: 'ip-header-error',
  title: 'The IP header of the SYN is damaged or not acceptable',
  place: 'server',
  step: 'server-ip-in',
  sides: ['server'],
  needs: ['attempt', 'counters'],
  wants: ['sockets', 'surroundings', 'kernelTrace', 'packetFilter', 'incomingRoute'],
  assess(facts) {
    const { attempt, counters, kernelTrace } = facts;
    if (!synArrived(attempt) || !watched(attempt, counters)) return [];
    const names = COUNTERS[attempt.family];
    const [errors = ''] = names;
    const traced = tracedSyn(kernelTrace, { reasons: /^(IP_CSUM|IP_INHDR|IPV6_BAD_EXTHDR|PKT_TOO_SMALL)$/ });
    if (grown(counters, ...names) === 0) {
      return stoodStill(counters, errors)
        ? [contradicts('conclusive', 'counters', `${errors} +0: every header was in order`)]
        : traced;
    }
    const evidence: CauseEvidence[] = [...traced, ...reachedTcp(facts)];
    if (attempt.icmpErrors.some(({ name }) => /exceeded/i.test(name))) {
      evidence.push(
        contradicts('strong', 'attempt', 'the SYN ran out of hops, which the same counter counts on a router'),
      );
    }
    const moved = names.filter((name) => grown(counters, name) > 0);
    const statement = `${formatGrowths(counters, moved)} for ${theSyns(attempt)}`;
    // The counters say how many, not which: they decide only when nothing else can have stopped the SYN.
    const fits = grown(counters, errors) >= expectedSyns(attempt);
    const decisive = fits && nothingElseStopsIt(facts, ...names) && vanished(facts).length > 0;
    const passed = decisive ? '; every rule, the route and the source check would let them pass' : '';
    evidence.push(supports(decisive ? 'conclusive' : fits ? 'strong' : 'weak', 'counters', `${statement}${passed}`));
    return [...evidence, ...vanished(facts)];
  },
  sentence({ attempt, counters }) {
    const moved = COUNTERS[attempt.family].filter((name) => grown(counters, name) > 0);
    return `The server throws ${theSyns(attempt)} from ${clientName(attempt)} away, as the IP header is damaged or not acceptable (${formatGrowths(counters, moved)})`;
  },
  remedies() {
    return [
      {
        id: 'find-the-damage',
        title: 'Find out where the header is damaged: the sender, its offloads, or a device between',
        risk: 'low',
        auto: 'never',
        changes: [
          {
            kind: 'advice',
            text: 'Capture on the receiving side ("tcpdump -vv" says "bad cksum"), compare with the sender, and switch off checksum offload there (ethtool -K DEVICE tx off) to see whether it makes a difference',
          },
        ],
      },
    ];
  },
  explanation: `
The IP layer looks at the header first: version, length, checksum (IPv4), options (source routes are refused by default), extension headers (IPv6). What does not fit is
dropped, and the listener never hears of it. A wrong checksum comes from broken hardware, from a device that rewrites headers without mending the checksum, or from a
checksum that was left to a card that never saw the packet.

Be sure: \`IpInHdrErrors\` (\`Ip6InHdrErrors\`) grows by one for each SYN; for a wrong checksum \`InCsumErrors\` of IpExt grows as well. A capture on the *receiving* side shows
"bad cksum"; on the sending side the same words mean only that the card will fill it in.

The counters say how many packets were bad, not which, so synscope confirms it only when the kernel's own drop event names the SYN, or when everything else on the way is
excluded and TCP of the host was silent meanwhile.

Linux 6.18: \`ip_rcv_core()\`, \`ip_rcv_options()\`, \`ip6_rcv_core()\`; drop reasons IP_CSUM, IP_INHDR, PKT_TOO_SMALL, IPV6_BAD_EXTHDR.
`,
  confusedWith: [
    { id: 'tcp-bad-checksum', toldApartBy: "there TCP's checksum is wrong: TcpInCsumErrors moves" },
    { id: 'not-my-address', toldApartBy: 'there InAddrErrors moves' },
    { id: 'netfilter-drop-in', toldApartBy: 'there a rule drops and no counter of IP moves' },
  ],
  scenario: {
    families: [4],
    plan: () => ({
      steps: [],
      // A router would not forward it, so it starts behind the last one.
      attempt: { on: 'router', send: { flags: 'S', badIpChecksum: true, count: 3, intervalMs: 50 } },
    }),
  },
  examples: [
    {
      name: 'as many bad headers as SYNs',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, syns: 3 },
        counters: {
          ...exampleCounters({ IpInHdrErrors: 3, IpExtInCsumErrors: 3 }),
          now: { IpInHdrErrors: 3, IpExtInCsumErrors: 3, TcpExtListenDrops: 0 },
        },
        packetFilter: PASSING_FILTER,
        sockets: HEALTHY_LISTENER,
      },
      expect: 'likely',
    },
    {
      name: 'as many bad headers as SYNs, and nothing else on the way that could drop',
      given: {
        attempt: { ...EXAMPLE_ATTEMPT_V4, syns: 3 },
        counters: {
          ...exampleCounters({ IpInHdrErrors: 3, IpExtInCsumErrors: 3 }),
          now: { IpInHdrErrors: 3, IpExtInCsumErrors: 3, TcpExtListenDrops: 0, TcpOutSegs: 90 },
        },
        packetFilter: PASSING_FILTER,
        incomingRoute: TAKEN_IN,
        sockets: HEALTHY_LISTENER,
      },
      expect: 'confirmed',
    },
    {
      name: 'the kernel says that the checksum of the SYN was wrong',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        counters: exampleCounters({ IpInHdrErrors: 1, IpExtInCsumErrors: 1 }),
        kernelTrace: {
          events: [{ kind: 'dropped', reason: 'IP_CSUM', location: 'ip_rcv_core', packet: 'syn', cpu: 0, timeUs: 1 }],
          drops: [],
          overrun: false,
        },
      },
      expect: 'confirmed',
    },
    {
      name: 'the headers were bad before the watch',
      given: {
        attempt: EXAMPLE_ATTEMPT_V4,
        counters: { ...exampleCounters({}), now: { IpInHdrErrors: 400 } },
      },
      expect: 'ruled-out',
    },
  ],
  references: ['net/ipv4/ip_input.c: ip_rcv_core()', 'https://docs.kernel.org/networking/snmp_counter.html'],
});
