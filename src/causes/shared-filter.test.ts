import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeCause } from '../engine/judge-causes.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import { cause as conntrackInvalidSyn } from './conntrack-invalid-syn.ts';
import { cause as netfilterConnlimit } from './netfilter-connlimit.ts';
import { cause as netfilterDropIn } from './netfilter-drop-in.ts';
import { cause as netfilterRateLimit } from './netfilter-rate-limit.ts';
import { cause as netfilterRejectIn } from './netfilter-reject-in.ts';
import { cause as nfqueueNoListener } from './nfqueue-no-listener.ts';
import { countedHit, DROP_HIT, filterWith } from './shared-example-hits.ts';
import { EXAMPLE_ATTEMPT, exampleCounters } from './shared-examples.ts';
import { countsOnlyItsVictims, weighHits } from './shared-filter.ts';

const BY_FILTER = [
  netfilterDropIn,
  netfilterRejectIn,
  netfilterRateLimit,
  netfilterConnlimit,
  conntrackInvalidSyn,
  nfqueueNoListener,
];

const anyHit: fc.Arbitrary<FilterHit> = fc
  .record({
    verdict: fc.constantFrom<FilterHit['verdict']>('drop', 'reject-reset', 'reject-icmp', 'queue', 'dnat'),
    certainty: fc.constantFrom<FilterHit['certainty']>('certain', 'depends', 'unknown'),
    conditions: fc.subarray<FilterHit['conditions'][number]>(['rate-limit', 'connection-limit', 'ct-invalid', 'set']),
    took: fc.option(fc.integer({ min: 0, max: 3 })),
    handle: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ took, ...rest }) =>
    took === null ? { ...DROP_HIT, ...rest, queueNumber: 7 } : countedHit(took, { ...rest, queueNumber: 7 }),
  );

describe('rules that may have ended the SYN', () => {
  it('confirm one cause at most, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(anyHit, { maxLength: 4 }), fc.integer({ min: 1, max: 3 }), (hits, syns) => {
        const facts = Object.fromEntries(
          Object.entries({
            attempt: { ...EXAMPLE_ATTEMPT, syns },
            packetFilter: filterWith(...hits),
            nfQueues: [],
            counters: exampleCounters({ 'nf_conntrack.invalid': 3 }),
          }).map(([name, value]) => [name, { value, source: name }]),
        );
        const confirmed = BY_FILTER.filter((cause) => judgeCause(cause, facts).status === 'confirmed');
        expect(confirmed.map(({ id }) => id).slice(1)).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it('are not suspected when their counters stood still', () => {
    const { standing, still } = weighHits(filterWith(countedHit(0), countedHit(2)), EXAMPLE_ATTEMPT, 'syn-in', 1);
    expect(standing.map(({ hit }) => hit.packetsDelta)).toEqual([2]);
    expect(still).toHaveLength(1);
  });

  it('go on behind a translation', () => {
    const translated = { ...DROP_HIT, verdict: 'dnat' as const };
    const { decider } = weighHits(filterWith(translated, DROP_HIT), EXAMPLE_ATTEMPT, 'syn-in', 1);
    expect(decider?.hit.verdict).toBe('drop');
  });

  it.each([
    ['tcp dport 443 limit rate over 1/hour burst 1 packets counter packets 2 bytes 120 drop', true],
    ['tcp dport 443 counter packets 2 bytes 120 limit rate over 1/hour burst 1 packets drop', false],
    ['tcp dport 443 ct count over 1 counter packets 2 bytes 120 reject with tcp reset', true],
    ['counter packets 2 bytes 120 ip saddr @banned drop', false],
    ['ip saddr @banned counter packets 2 bytes 120 log prefix "ip drop " drop', true],
    ['tcp dport 443 drop', false],
  ])('%s: the counter counts only what is dropped: %s', (text, only) => {
    expect(countsOnlyItsVictims({ ...DROP_HIT, text })).toBe(only);
  });
});
