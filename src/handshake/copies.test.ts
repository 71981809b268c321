import { describe, expect, it } from 'vitest';
import { type BuiltPacket, icmp } from '../formats/wire/testing/packets.ts';
import { type ConversationOptions, conversation, interleave, OVER_IPV6 } from './testing/conversation.ts';
import { trackPackets } from './testing/track.ts';

const END = { endNs: 600_000_000_000n };
const HANDSHAKE = `
  0 > S 1000 <mss 1460,TS val 5 ecr 0> id 10
  0.02 < S. 9000 ack 1001 <mss 1460,TS val 77 ecr 5> id 20
  0.021 > . 1001 ack 9001 <nop,nop,TS val 6 ecr 77> id 11`;

/** The same packets, seen again a little later at another point. */
function again(packets: readonly BuiltPacket[], afterNs: bigint): BuiltPacket[] {
  return packets.map((packet) => ({ ...packet, timeNs: packet.timeNs + afterNs }));
}

function copiesOf(packets: readonly BuiltPacket[]): { outcome: string; copies: number[]; repeats: number }[] {
  return trackPackets(packets, END).handshakes.map((handshake) => ({
    outcome: handshake.outcome,
    copies: handshake.segments.map(({ copies }) => copies),
    repeats: handshake.synRetransmissions + handshake.synAckRetransmissions,
  }));
}

describe('a packet that the capture holds more than once', () => {
  it.each([
    ['at both ends of a veth pair', {}, {}],
    ['at both ends of a veth pair, over IPv6', OVER_IPV6, OVER_IPV6],
    ['before and after a router', {}, { clientTtl: 63, serverTtl: 56 }],
    ['on `any`, once sent and once received', { link: 'sll', outgoing: true }, { link: 'sll', outgoing: false }],
    ['with and without a VLAN tag', { vlan: [7] }, {}],
  ] as [string, ConversationOptions, ConversationOptions][])('counts once: %s', (_, first, second) => {
    const packets = interleave(conversation(HANDSHAKE, first), again(conversation(HANDSHAKE, second), 3_000n));
    expect(copiesOf(packets)).toEqual([{ outcome: 'established', copies: [1, 1, 1], repeats: 0 }]);
  });

  it('counts once on each of four interfaces of a host', () => {
    const once = conversation(HANDSHAKE);
    const packets = interleave(once, again(once, 2_000n), again(once, 4_000n), again(once, 6_000n));
    expect(copiesOf(packets)).toEqual([{ outcome: 'established', copies: [3, 3, 3], repeats: 0 }]);
  });

  it('counts once when a mirror port is late by milliseconds', () => {
    const once = conversation(HANDSHAKE);
    expect(copiesOf(interleave(once, again(once, 8_000_000n)))[0]).toMatchObject({ copies: [1, 1, 1], repeats: 0 });
  });

  it('counts once when its numbers belong to no handshake', () => {
    const once = conversation('0 > S 1000\n0.02 < S. 5000 ack 77 id 3\n0.03 < . 123456 ack 99 id 4');
    expect(copiesOf(interleave(once, again(once, 1_000n)))[0]!.copies).toEqual([1, 1, 1]);
  });

  it('may be a RST', () => {
    const once = conversation('0 > S 1000\n0.02 < R. 0 ack 1001');
    expect(copiesOf(interleave(once, again(once, 1_000n)))).toEqual([
      { outcome: 'refused', copies: [1, 1], repeats: 0 },
    ]);
  });

  it('may be an ICMP error', () => {
    const [syn] = conversation('0 > S 1000');
    const error = icmp('10.9.9.9', 3, 1, syn!, { ipId: 9 });
    const { handshakes } = trackPackets([syn!, error, ...again([error], 1_000n)], END);
    expect(handshakes[0]!.segments.map(({ kind }) => kind)).toEqual(['syn', 'icmp']);
  });
});

describe('no copy', () => {
  it('is a SYN-ACK that answers a repeated SYN at once, though it is the same packet', () => {
    const text = `
      0 > S 1000 id 1
      0.01 < S. 9000 ack 1001 id 0
      0.03 > S 1000 id 2
      0.04 < S. 9000 ack 1001 id 0`;
    expect(copiesOf(conversation(text))).toEqual([{ outcome: 'half-open', copies: [0, 0, 0, 0], repeats: 2 }]);
  });

  it('is a SYN that is sent again by another clock tick or with another IP Identification', () => {
    const ids = '0 > S 1000 id 1\n0.04 > S 1000 id 2';
    const stamps = '0 > S 1000 <TS val 5 ecr 0> id 1\n0.04 > S 1000 <TS val 45 ecr 0> id 1';
    for (const text of [ids, stamps]) expect(copiesOf(conversation(text))[0]!.repeats).toBe(1);
  });

  it('is a SYN of IPv6 that is sent again after its timeout', () => {
    expect(copiesOf(conversation('0 > S 1000\n1 > S 1000', OVER_IPV6))[0]).toMatchObject({
      copies: [0, 0],
      repeats: 1,
    });
  });

  it('is a packet with other numbers', () => {
    const text = '0 > S 1000\n0.02 < S. 5000 ack 77 id 3\n0.021 < S. 5000 ack 78 id 3\n0.022 < S. 5001 ack 78 id 3';
    expect(copiesOf(conversation(text))[0]!.copies).toEqual([0, 0, 0, 0]);
  });

  it('is a RST that answers another SYN', () => {
    const text = '0 > S 1000 id 1\n0.001 < R. 0 ack 1001 id 0\n0.03 > S 1000 id 2\n0.031 < R. 0 ack 1001 id 0';
    expect(copiesOf(conversation(text))[0]!.copies).toEqual([0, 0, 0, 0]);
  });
});
