import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import { sysctlNumber } from '../model/cause-facts.ts';
import { CLIENT_ATTEMPT } from './shared-client.ts';

export const cause: Cause = defineCause({
  id: 'neighbour-table-overflow',
  title: 'The neighbour table of the host is full',
  place: 'client',
  step: 'client-neighbour',
  sides: ['client', 'server'],
  needs: ['attempt', 'hostCounters'],
  wants: ['kernelLog', 'sysctls', 'kernelTrace'],
  assess({ attempt, hostCounters, kernelLog, sysctls, kernelTrace }) {
    const cache = attempt.family === 4 ? 'arp_cache' : 'ndisc_cache';
    const full = hostCounters.growth[`${cache}.table_fulls`] ?? 0;
    if (attempt.observed && hostCounters.intervalMs > 0 && full === 0) {
      return [contradicts('conclusive', 'hostCounters', `${cache}.table_fulls did not move`)];
    }
    if (full === 0) return [];
    const sent = attempt.side === 'client' ? attempt.syns : attempt.synAcks;
    if (sent > 0) return [contradicts('strong', 'attempt', 'the packet left, so it had a neighbour entry')];
    const evidence = [supports('strong', 'hostCounters', `${cache}.table_fulls +${full} (on the whole machine)`)];
    const line = kernelLog?.find(({ text }) => /neighbou?r table overflow/i.test(text));
    if (line !== undefined) evidence.push(supports('moderate', 'kernelLog', line.text));
    const dropped = kernelTrace?.drops.find(({ reason }) => reason === 'NEIGH_CREATEFAIL');
    if (dropped !== undefined)
      evidence.push(
        supports(
          'conclusive',
          'kernelTrace',
          `the kernel dropped ${dropped.count} packets with the reason NEIGH_CREATEFAIL`,
        ),
      );
    const limit = sysctlNumber(sysctls, `net.ipv${attempt.family}.neigh.default.gc_thresh3`);
    const entries = hostCounters.now[`${cache}.entries`];
    if (limit !== undefined && entries !== undefined && entries >= limit) {
      evidence.push(supports('strong', 'sysctls', `${entries} entries of at most ${limit} (gc_thresh3)`));
    }
    return evidence;
  },
  sentence({ attempt }) {
    return `The ${attempt.family === 4 ? 'ARP' : 'neighbour'} table of this machine is full, so packets to new neighbours are dropped`;
  },
  remedies({ attempt }) {
    const base = `net.ipv${attempt.family}.neigh.default.gc_thresh`;
    return [
      {
        id: 'raise-thresholds',
        title: 'Raise the limits of the neighbour table',
        risk: 'low',
        auto: 'safe',
        changes: [
          { kind: 'sysctl', key: `${base}3`, value: '16384' },
          { kind: 'sysctl', key: `${base}2`, value: '8192' },
          { kind: 'sysctl', key: `${base}1`, value: '4096' },
        ],
      },
    ];
  },
  explanation: `
The kernel keeps at most \`gc_thresh3\` neighbour entries (1024 by default), one table for the whole machine and all its network namespaces. When it is full and nothing
can be thrown out, packets to new neighbours are dropped (\`NEIGH_CREATEFAIL\`), without ARP, without a SYN. Old neighbours go on working: it looks random.

\`table_fulls\` in \`/proc/net/stat/arp_cache\` or \`ndisc_cache\` moves, and the log says "neighbour: arp_cache: neighbor table overflow!". On IPv6 \`Ip6OutNoRoutes\` moves
as well, as for a missing route.

Linux 6.18: \`neigh_alloc()\`, \`ip_finish_output2()\`.
`,
  confusedWith: [
    { id: 'no-return-route', toldApartBy: 'Ip6OutNoRoutes moves in both; the route lookup succeeds here' },
  ],
  scenario: { impossible: 'the limit belongs to the whole machine: it would hit every other namespace' },
  examples: [
    {
      name: 'a full table',
      given: {
        attempt: { ...CLIENT_ATTEMPT, syns: 0, sightings: [] },
        hostCounters: { now: { 'arp_cache.entries': 1024 }, growth: { 'arp_cache.table_fulls': 2 }, intervalMs: 1200 },
        sysctls: { 'net.ipv4.neigh.default.gc_thresh3': '1024' },
      },
      expect: 'likely',
    },
    {
      name: 'it did not overflow',
      given: { attempt: CLIENT_ATTEMPT, hostCounters: { now: {}, growth: {}, intervalMs: 1200 } },
      expect: 'ruled-out',
    },
  ],
  references: ['net/core/neighbour.c: neigh_alloc()', 'https://docs.kernel.org/networking/ip-sysctl.html'],
});
