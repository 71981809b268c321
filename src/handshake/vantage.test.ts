import { describe, expect, it } from 'vitest';
import { type ConversationOptions, conversation, interleave } from './testing/conversation.ts';
import { trackPackets } from './testing/track.ts';
import { hopsAway, vantageOf } from './vantage.ts';

const ANSWERED = '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001';
const SILENT = '0 > S 1000';

function vantage(text: string, options: ConversationOptions): string {
  return vantageOf(trackPackets(conversation(text, options)).handshakes[0]!);
}

describe('vantageOf', () => {
  it.each([
    ['client', { clientTtl: 64, serverTtl: 57 }],
    ['client', { clientTtl: 128, serverTtl: 57 }],
    ['client', { clientTtl: 64, serverTtl: 240 }],
    ['server', { clientTtl: 57, serverTtl: 64 }],
    ['server', { clientTtl: 118, serverTtl: 255 }],
    ['between', { clientTtl: 60, serverTtl: 57 }],
    ['unknown', { clientTtl: 64, serverTtl: 64 }],
    ['unknown', { clientTtl: 64, serverTtl: 128 }],
  ])('says %s for TTLs %j', (expected, ttls) => {
    expect(vantage(ANSWERED, ttls)).toBe(expected);
  });

  it('says nothing by the TTL of a SYN alone', () => {
    expect(vantage(SILENT, { clientTtl: 64 })).toBe('unknown');
    expect(vantage(SILENT, { clientTtl: 57 })).toBe('unknown');
  });

  it.each(['sll', 'sll2'] as const)('trusts what %s records of in and out', (link) => {
    expect(vantage(SILENT, { link, outgoing: true })).toBe('client');
    // A router that drops the SYN would show the same.
    expect(vantage(SILENT, { link, outgoing: false, clientTtl: 57 })).toBe('unknown');
    const server = { link, clientTtl: 64, serverTtl: 64 };
    const [syn] = conversation(ANSWERED, { ...server, outgoing: false });
    const [, answer] = conversation(ANSWERED, { ...server, outgoing: true });
    expect(vantageOf(trackPackets([syn!, answer!]).handshakes[0]!)).toBe('server');
  });

  it('does not take a router that forwards for an end', () => {
    const came = conversation(SILENT, { link: 'sll', outgoing: false, clientTtl: 64 });
    const went = conversation('0.00001 > S 1000 ttl 63 id 1', { link: 'sll', outgoing: true });
    const [handshake] = trackPackets(interleave(came, went)).handshakes;
    expect(handshake!.segments[0]!.copies).toBe(1);
    expect(vantageOf(handshake!)).toBe('unknown');
  });
});

describe('hopsAway', () => {
  it('counts from the next larger initial TTL', () => {
    const cases = [1, 32, 33, 57, 64, 65, 128, 129, 255];
    expect(cases.map(hopsAway)).toEqual([31, 0, 31, 7, 0, 63, 0, 126, 0]);
  });
});
