import { describe, expect, it } from 'vitest';
import { progressText } from './progress.ts';

describe('progressText', () => {
  it.each([
    [52_300_000, 1_200_000_000, 0.5, 'a.pcap: 4 % of 1.20 GB, 105 MB/s, 11 s left'],
    [600_000_000, 1_200_000_000, 6, 'a.pcap: 50 % of 1.20 GB, 100 MB/s, 6 s left'],
    [1_000_000, 1_000_000_000, 1, 'a.pcap: 0 % of 1.00 GB, 1.0 MB/s, 17 min left'],
    [1_200_000, 1_200_000, 2, 'a.pcap: 100 % of 1.2 MB, 0.6 MB/s, 0 s left'],
    [2_000_000, 1_000_000, 2, 'a.pcap: 100 % of 1.0 MB, 1.0 MB/s, 0 s left'],
    [52_300_000, undefined, 10, 'a.pcap: 52 MB read, 5.2 MB/s'],
    [0, undefined, 0, 'a.pcap: 0.0 MB read, 0.0 MB/s'],
    [0, 1_000_000, 10, 'a.pcap: 0 % of 1.0 MB, 0.0 MB/s'],
  ])('of %i bytes of %s after %f s', (read, total, seconds, text) => {
    expect(progressText('a.pcap', read, total, seconds)).toBe(text);
  });
});
