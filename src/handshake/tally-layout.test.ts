import { describe, expect, it } from 'vitest';
import * as layout from './tally-layout.ts';

describe('the tables of the tally', () => {
  it('lie one behind the other, each in a cache line of its own', () => {
    const { SERVER_SLOTS, GROUP_SLOTS, SLOT_BYTES, MAX_SERVERS, MAX_GROUPS, SERVER, HOST, GROUP, ESTIMATE_BYTES } =
      layout;
    const parts = [
      [layout.HOST_SLOTS_OFFSET, SERVER_SLOTS * SLOT_BYTES],
      [layout.GROUP_SLOTS_OFFSET, SERVER_SLOTS * SLOT_BYTES],
      [layout.SERVERS_OFFSET, GROUP_SLOTS * SLOT_BYTES],
      [layout.HOSTS_OFFSET, MAX_SERVERS * SERVER * 4],
      [layout.GROUPS_OFFSET, MAX_SERVERS * HOST * 4],
      [layout.ESTIMATES_OFFSET, MAX_GROUPS * GROUP * 4],
      [layout.TALLY_BYTES, MAX_GROUPS * ESTIMATE_BYTES],
    ] as const;
    let end = 0;
    for (const [offset, bytesBefore] of parts) {
      end += bytesBefore;
      expect(offset).toBe(end);
      expect(offset % 64).toBe(0);
    }
  });

  it('have twice as many slots as records, and a record more than its key and a hash', () => {
    expect(layout.SERVER_SLOTS).toBeGreaterThan(layout.MAX_SERVERS * 2);
    expect(layout.GROUP_SLOTS).toBeGreaterThan(layout.MAX_GROUPS * 2);
    expect(layout.SERVER_ATTEMPTS).toBe(layout.SERVER_KEY + 1);
    expect(layout.GROUP_COUNT).toBe(layout.GROUP_KEY + 1);
    expect(layout.GROUP).toBe(layout.GROUP_CLIENTS + layout.EXACT_CLIENTS);
    expect(layout.ESTIMATE_BYTES).toBe(Math.ceil(layout.REGISTERS / layout.WORD_REGISTERS) * 4);
    expect(layout.ALL_EXAMPLES).toBe(layout.MAX_GROUPS + layout.FULL_GROUPS * (layout.MAX_EXAMPLES - 1));
  });
});
