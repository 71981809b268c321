import { describe, expect, it } from 'vitest';
import { conversation, interleave } from '../handshake/testing/conversation.ts';
import { type AttemptFilter, nothingPasses } from './attempt-filter.ts';
import { collect } from './testing/collect.ts';

/** Where the test captures begin; not on a whole second. */
const BASE = 1_700_000_000.75;
const BASE_NS = 1_700_000_000_750_000_000n;

const PACKETS = interleave(
  conversation('0 > S 7', { client: '10.0.0.1:40000', server: '10.0.0.2:443', shift: BASE }),
  conversation('0 > S 7', { client: '10.0.0.1:40001', server: '10.0.0.2:80', shift: BASE + 1 }),
  conversation('0 > S 7', { client: '10.0.0.9:40000', server: '10.0.0.1:443', shift: BASE + 2 }),
  conversation('0 > S 7', { client: '[2001:db8::1]:40000', server: '[2001:db8::2]:443', shift: BASE + 3 }),
  conversation('0 > S 7', { client: '[::]:443', server: '[a00:1::]:65535', shift: BASE + 4 }),
);

/** Numbers of the attempts that pass, by their order. */
function passing(filter: AttemptFilter): number[] {
  const { report } = collect(PACKETS, { filter, endNs: BASE_NS + 600_000_000_000n });
  const firsts = report.diagnoses.map(({ handshake }) => handshake.segments[0]!.frame);
  return firsts.sort((a, b) => a - b);
}

function moment(seconds: number, relative: boolean): { ns: bigint; relative: boolean } {
  const ns = BigInt(Math.round(seconds * 1e9));
  return { ns: relative ? ns : BASE_NS + ns, relative };
}

describe('compileFilter', () => {
  it.each([
    ['lets everything pass when it is empty', {}, [1, 2, 3, 4, 5]],
    ['takes a host as client or server', { hosts: ['10.0.0.1'] }, [1, 2, 3]],
    ['takes any of several hosts', { hosts: ['10.0.0.2', '2001:db8:0::2'] }, [1, 2, 4]],
    ['does not take an IPv6 address for the IPv4 address that it begins with', { hosts: ['10.0.0.1'] }, [1, 2, 3]],
    ['takes the unspecified address', { hosts: ['::'] }, [5]],
    ['takes nothing for an unknown host', { hosts: ['10.0.0.3'] }, []],
    ['takes the port of the server, not of the client', { ports: [443] }, [1, 3, 4]],
    ['takes any of several ports', { ports: [80, 65_535] }, [2, 5]],
    ['needs all that is given', { hosts: ['10.0.0.1'], ports: [80] }, [2]],
    ['takes what began at a moment or later', { since: moment(2, false) }, [3, 4, 5]],
    ['takes what began at a moment or earlier', { until: moment(2, false) }, [1, 2, 3]],
    ['takes what began between two moments', { since: moment(1, false), until: moment(3, false) }, [2, 3, 4]],
    ['counts moments from the first packet', { since: moment(1, true), until: moment(3, true) }, [2, 3, 4]],
    ['takes the first packet for the beginning', { until: moment(0, true) }, [1]],
  ] as [string, AttemptFilter, number[]][])('%s', (_, filter, expected) => {
    expect(passing(filter)).toEqual(expected);
  });

  it('needs addresses', () => {
    expect(() => passing({ hosts: ['web7.example'] })).toThrow(new RangeError('"web7.example" is not an IP address'));
  });
});

describe('nothingPasses', () => {
  it.each([
    [{ ports: [80] }, 6, 'a.pcap holds 6 handshakes, and none of them is to port 80.'],
    [{ ports: [80] }, 1, 'a.pcap holds 1 handshake, and it is not one that is to port 80.'],
    [
      { hosts: ['10.0.0.1', '::1'], since: moment(0, true) },
      2,
      'a.pcap holds 2 handshakes, and none of them is from or to 10.0.0.1 or ::1 and begins in the time that was asked for.',
    ],
  ] as [AttemptFilter, number, string][])('says what was asked for (%#)', (filter, count, sentence) => {
    expect(nothingPasses(filter, ['a.pcap'], count)).toBe(sentence);
  });
});
