import { describe, expect, it } from 'vitest';
import { estimateDistinct } from './distinct.ts';
import { AT_INPUT } from './scan-layout.ts';
import type { ClientCount } from './tally.ts';
import { ESTIMATE_BYTES, EXACT_CLIENTS } from './tally-layout.ts';
import { HandshakeTracker } from './tracker.ts';

const CAPACITY = 10_000;
const IPV4_BYTES = 20;
const PACKET_BYTES = 40;
const SYN = 2;

/** Counts clients as a capture's are counted: each sends a SYN that nobody answers. */
class Clients {
  readonly tracker = new HandshakeTracker({
    capacity: CAPACITY,
    tally: { all: false, failedOnly: true, limit: 0 },
  });
  private readonly packet = new DataView(this.tracker.scan.buffer, AT_INPUT, PACKET_BYTES);
  private port = 0;

  constructor() {
    this.packet.setUint8(0, 0x45);
    this.packet.setUint8(IPV4_BYTES + 12, 5 << 4);
    this.packet.setUint8(IPV4_BYTES + 13, SYN);
    this.tracker.scan.functions.setBatch(AT_INPUT, 1);
  }

  add(server: number, client: number): void {
    const { packet, tracker } = this;
    packet.setInt32(12, client);
    packet.setInt32(16, server);
    packet.setUint16(IPV4_BYTES, this.port++ & 0xffff);
    tracker.scan.functions.takePacket(0, IPV4_BYTES, PACKET_BYTES - IPV4_BYTES, PACKET_BYTES, 0, 0, 1, 0, 0);
    if (tracker.open === CAPACITY) tracker.finish(60e9);
  }

  /** How many different ones there were at each server, by the order of servers. */
  counts(): number[] {
    this.tracker.finish(60e9);
    return this.tracker.tally!.groups().map(({ clients }) => clients.count);
  }
}

/** How many there were at all servers together. */
function together(clients: Clients): ClientCount {
  clients.counts();
  const tally = clients.tracker.tally!;
  return tally.clientsOf(tally.groups());
}

function count(values: Iterable<number>): number {
  const clients = new Clients();
  for (const value of values) clients.add(1, value);
  return clients.counts()[0] ?? 0;
}

function* sequence(length: number, value: (i: number) => number): Generator<number> {
  for (let i = 0; i < length; i++) yield value(i) | 0;
}

describe('the count of distinct clients', () => {
  it('is exact for a few values, however often each comes', () => {
    expect(count([])).toBe(0);
    expect(count([0])).toBe(1);
    expect(count([0, -1, 0, -1, 7])).toBe(3);
    expect(count(sequence(1000 * EXACT_CLIENTS, (i) => i % EXACT_CLIENTS))).toBe(EXACT_CLIENTS);
  });

  const sizes = [EXACT_CLIENTS + 1, 100, 255, 1000, 2000, 2560, 3000, 5000, 10_000, 100_000, 1_000_000];
  it.each(sizes)('is right to a tenth for %i', (size) => {
    const kinds = [
      count(sequence(size, (i) => 0x0a000000 + i)),
      count(sequence(size, (i) => (0x0a000000 + i) << 8)),
      count(sequence(size, (i) => Math.imul(i, 0x9e3779b1))),
      count(sequence(size * 2, (i) => (i % size) - 0x80000000)),
    ];
    for (const estimate of kinds) expect(Math.abs(estimate / size - 1)).toBeLessThan(0.1);
  });

  it('is that of each server', () => {
    const clients = new Clients();
    for (let i = 0; i < 60_000; i++) for (const server of [3, 700, 1099]) clients.add(server, i % (server + 1));
    const [few, ...many] = clients.counts();
    expect(few).toBe(4);
    for (const [i, size] of [701, 1100].entries()) expect(Math.abs(many[i]! / size - 1)).toBeLessThan(0.1);
  });
});

describe('the count of the clients of several servers', () => {
  it('is exact for some, and counts each once', () => {
    const clients = new Clients();
    for (let i = 0; i < 90; i++) for (const server of [1, 2, 3]) clients.add(server, i % 30);
    for (let i = 0; i < 20; i++) clients.add(4, 20 + i);
    expect(together(clients)).toEqual({ count: 40, isExact: true });
  });

  it.each([
    ['few at each of many', 900, 10, 4],
    ['many at each of a few', 3, 20_000, 10_000],
    ['some that are listed and some that are estimated', 40, 500, 20],
  ])('is an estimate for many: %s', (_, servers, each, step) => {
    const clients = new Clients();
    const all = new Set<number>();
    for (let server = 0; server < servers; server++) {
      const size = server % 2 === 0 ? each : Math.min(each, 30);
      for (let i = 0; i < size; i++) {
        clients.add(server, server * step + i);
        all.add(server * step + i);
      }
    }
    const { count, isExact } = together(clients);
    expect(isExact).toBe(false);
    expect(Math.abs(count / all.size - 1)).toBeLessThan(0.1);
  });
});

describe('estimateDistinct', () => {
  it('is 0 of nothing, and the number of ranks while few are used', () => {
    const registers = new Int32Array(ESTIMATE_BYTES / 4);
    expect(estimateDistinct(registers)).toBe(0);
    registers[7] = 3;
    expect(estimateDistinct(registers)).toBe(1);
    registers[7] = (3 << 25) | (31 << 20) | 1;
    expect(estimateDistinct(registers)).toBe(3);
  });
});
