import { describe, expect, it } from 'vitest';
import type { Handshake } from '../model/handshake.ts';
import { synAckSchedule, synSchedule } from './schedule.ts';
import { conversation } from './testing/conversation.ts';
import { trackPackets } from './testing/track.ts';

/** An attempt whose SYN is repeated after these gaps in seconds. */
function repeated(gaps: readonly number[]): Handshake {
  const times = [0, ...gaps].map((_, i) => gaps.slice(0, i).reduce((sum, gap) => sum + gap, 0));
  const lines = times.map((time) => `${time.toFixed(6)} > S 1000`);
  return trackPackets(conversation(lines.join('\n'))).handshakes[0]!;
}

describe('synSchedule', () => {
  it.each([
    ['Linux before 6.5 or Windows', [1.02, 2.016]],
    ['Linux before 6.5 or Windows', [1.02, 2.016, 4.128, 8.064, 16.128, 33.28]],
    ['Linux 6.5 or later, macOS or FreeBSD', [1.02, 1.024]],
    ['Linux 6.5 or later, macOS or FreeBSD', [1.02, 1.024, 1.024, 1.024, 1.024, 2.048, 4.096, 8.192, 16.384, 33.28]],
    ['Windows before 8 or another old system', [3, 6]],
    ['Windows before 8 or another old system', [3.01, 6.02, 12.1]],
  ])('recognises %s in %j', (system, gaps) => {
    const schedule = synSchedule(repeated(gaps));
    expect(schedule.system).toBe(system);
    expect(schedule.gapsNs.map((gap) => Math.round(gap / 1e6))).toEqual(gaps.map((gap) => Math.round(gap * 1000)));
  });

  it.each([
    [[]],
    [[1]],
    [[3]],
    [[1, 5]],
    [[2, 2]],
    [[0.2, 0.4, 0.8]],
    [[1, 2, 4, 8, 16, 32, 64]],
    [[1, 1, 2]],
  ])('names no system for %j', (gaps) => {
    expect(synSchedule(repeated(gaps))).not.toHaveProperty('system');
  });
});

describe('synAckSchedule', () => {
  it('holds the gaps between the SYN-ACKs', () => {
    const text = '0 > S 1000\n0.1 < S. 9000 ack 1001\n1.1 < S. 9000 ack 1001\n3.1 < S. 9000 ack 1001';
    const [handshake] = trackPackets(conversation(text)).handshakes;
    expect(synAckSchedule(handshake!).gapsNs).toEqual([1e9, 2e9]);
    expect(synSchedule(handshake!).gapsNs).toEqual([]);
  });
});
