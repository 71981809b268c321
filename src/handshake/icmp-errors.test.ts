import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BuiltPacket, icmp } from '../formats/wire/testing/packets.ts';
import { type ConversationOptions, conversation, OVER_IPV6 } from './testing/conversation.ts';
import { type TestCapture, trackPackets } from './testing/track.ts';

const END = { endNs: 600_000_000_000n };

function track(packets: readonly BuiltPacket[]): TestCapture {
  return trackPackets(packets, END);
}

/** A SYN, and what one other packet made of it does to the attempt. */
function answered(answer: (syn: BuiltPacket) => BuiltPacket, options: ConversationOptions = {}): TestCapture {
  const [syn] = conversation('0 > S 1000 <mss 1460>', options);
  return track([syn!, answer(syn!)]);
}

describe('an ICMP error about a SYN', () => {
  it.each([
    ['host unreachable from a router', '10.9.9.9', 3, 1, 'Host Unreachable'],
    ['port unreachable from the server', '10.0.0.2', 3, 3, 'Port Unreachable'],
    ['prohibited by a filter', '10.9.9.9', 3, 13, 'Communication Administratively Prohibited'],
    ['time exceeded in transit', '10.9.9.9', 11, 0, 'Time to Live exceeded in Transit'],
  ])('over IPv4: %s', (_, from, type, code, name) => {
    const { handshakes } = answered((syn) => icmp(from, type, code, syn, { ttl: 61 }));
    expect(handshakes[0]).toMatchObject({ outcome: 'unreachable', stage: 'syn' });
    expect(handshakes[0]!.segments[1]).toMatchObject({
      kind: 'icmp',
      direction: 'to-client',
      ttl: 61,
      seq: 1000,
      icmp: { version: 4, type, code, from },
    });
    expect(handshakes[0]!.segments[1]!.icmp!.name.toLowerCase()).toContain(name.toLowerCase().split(' ')[0]);
  });

  it.each([
    ['no route from a router', '2001:db8:9::9', 1, 0],
    ['prohibited by a filter', '2001:db8:9::9', 1, 1],
    ['address unreachable from a router', '2001:db8:9::9', 1, 3],
    ['port unreachable from the server', '2001:db8:2::2', 1, 4],
    ['hop limit exceeded', '2001:db8:9::9', 3, 0],
  ])('over IPv6: %s', (_, from, type, code) => {
    const { handshakes } = answered((syn) => icmp(from, type, code, syn), OVER_IPV6);
    expect(handshakes[0]).toMatchObject({ outcome: 'unreachable', stage: 'syn' });
    expect(handshakes[0]!.segments[1]!.icmp).toMatchObject({ version: 6, type, code, from });
  });

  it('does not end an attempt that is answered after all', () => {
    const [first, ...rest] = conversation('0 > S 7\n1 > S 7\n1.02 < S. 9000 ack 8\n1.03 > . 8 ack 9001');
    expect(track([first!, icmp('10.9.9.9', 3, 1, first!), ...rest]).handshakes[0]!.outcome).toBe('established');
  });

  it('counts once for each SYN', () => {
    const [first, second] = conversation('0 > S 7\n1 > S 7');
    const errors = [icmp('10.9.9.9', 3, 1, first!), icmp('10.9.9.9', 3, 1, second!)];
    const { handshakes } = track([first!, errors[0]!, second!, errors[1]!]);
    expect(handshakes[0]!.segments.map(({ kind, repeat }) => [kind, repeat])).toEqual([
      ['syn', 0],
      ['icmp', 0],
      ['syn', 1],
      ['icmp', 1],
    ]);
  });

  it.each([
    ['fragmentation needed', 3, 4, {}],
    ['source quench', 4, 0, {}],
  ])('that asks for something else is no failure: %s', (_, type, code) => {
    const { handshakes } = answered((syn) => icmp('10.9.9.9', type, code, syn, { mtuBytes: 1400 }));
    expect(handshakes[0]!.outcome).toBe('no-reply');
    expect(handshakes[0]!.segments[1]!.kind).toBe('icmp');
  });

  it('names the MTU of "fragmentation needed" and "packet too big"', () => {
    const v4 = answered((syn) => icmp('10.9.9.9', 3, 4, syn, { mtuBytes: 1400 }));
    const v6 = answered((syn) => icmp('2001:db8:9::9', 2, 0, syn, { mtuBytes: 1280 }), OVER_IPV6);
    expect(v4.handshakes[0]!.segments[1]!.icmp!.mtuBytes).toBe(1400);
    expect(v6.handshakes[0]!).toMatchObject({ outcome: 'no-reply' });
    expect(v6.handshakes[0]!.segments[1]!.icmp!.mtuBytes).toBe(1280);
  });

  it('is found when the packets have VLAN tags', () => {
    const [syn] = conversation('0 > S 7', { vlan: [100, 200] });
    const { handshakes } = track([syn!, icmp('10.9.9.9', 3, 1, syn!, { vlan: [100, 200] })]);
    expect(handshakes[0]).toMatchObject({ outcome: 'unreachable', encapsulation: ['VLAN 100', 'VLAN 200'] });
  });

  it('may quote as little as RFC 792 asks for', () => {
    expect(answered((syn) => icmp('10.9.9.9', 3, 1, syn, { quoteBytes: 28 })).handshakes[0]!.outcome).toBe(
      'unreachable',
    );
  });

  it('counts also when its quote ends before the sequence number', () => {
    const { handshakes, scanner } = answered((syn) => icmp('10.9.9.9', 3, 1, syn, { quoteBytes: 24 }));
    expect(handshakes[0]!.outcome).toBe('unreachable');
    expect(scanner.cutIcmp).toBe(1);
  });

  it('is counted when the capture cut it before the quoted ports', () => {
    const { handshakes, scanner } = answered((syn) => icmp('10.9.9.9', 3, 1, syn, { snapBytes: 14 + 20 + 8 + 20 }));
    expect(handshakes[0]!.outcome).toBe('no-reply');
    expect(scanner.cutIcmp).toBe(1);
  });

  it('that quotes an earlier sequence number belongs to an earlier attempt', () => {
    const [stale, syn] = conversation('0 > S 555\n5 > S 777000');
    const { handshakes } = track([syn!, icmp('10.9.9.9', 3, 1, stale!, { timeNs: 5_100_000_000n })]);
    expect(handshakes[0]!.outcome).toBe('no-reply');
    expect(handshakes[0]!.segments).toHaveLength(1);
  });

  it('about no attempt of the capture is counted apart', () => {
    const [syn] = conversation('0 > S 7');
    const other = conversation('0 > S 7', { client: '10.0.0.1:555' })[0]!;
    expect(track([syn!, icmp('10.9.9.9', 3, 1, other)]).counts.strayIcmp).toBe(1);
  });

  it.each([
    ['an echo reply', 0, 0],
    ['a redirect', 5, 1],
  ])('is no error when it is %s', (_, type, code) => {
    const { handshakes } = answered((syn) => icmp('10.9.9.9', type, code, syn));
    expect(handshakes[0]!.outcome).toBe('no-reply');
    expect(handshakes[0]!.segments).toHaveLength(1);
  });
});

describe('an ICMP error about a SYN-ACK', () => {
  it.each([
    ['IPv4', '10.9.9.9', 3, {}],
    ['IPv6', '2001:db8:9::9', 1, OVER_IPV6],
  ] as const)('goes to the server and does not make the server unreachable, over %s', (_, from, type, ends) => {
    const [syn, answer] = conversation('0 > S 1000\n0.02 < S. 9000 ack 1001', ends);
    const { handshakes } = track([syn!, answer!, icmp(from, type, 1, answer!)]);
    expect(handshakes[0]).toMatchObject({ outcome: 'half-open', stage: 'syn-ack' });
    expect(handshakes[0]!.segments[2]).toMatchObject({ kind: 'icmp', direction: 'to-server', icmp: { from } });
  });
});

/** The packet behind an 802.1Q tag: such ones are dissected from their first byte, as the scan knows packets without tags only. */
function tagged(packet: BuiltPacket): BuiltPacket {
  const { bytes } = packet;
  return { ...packet, bytes: Uint8Array.of(...bytes.subarray(0, 12), 0x81, 0, 0, 5, ...bytes.subarray(12)) };
}

/** All that is made of packets, but for what says that they had a tag. */
function madeOf(packets: readonly BuiltPacket[]): unknown {
  const { handshakes, counts, scanner } = track(packets);
  const plain = handshakes.map(({ encapsulation: _, ...rest }) => rest);
  return { handshakes: plain, counts: { ...counts }, scanned: { ...scanner.counts, cutIcmp: scanner.cutIcmp } };
}

const ETHERNET_BYTES = 14;

describe('an ICMP error that is damaged or cut', () => {
  const value = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 14, 17, 0x45, 0x46, 0x60, 255), fc.nat(255));
  it.each([
    ['IPv4', { client: '10.0.0.1:40000', server: '10.0.0.2:443' }, '10.9.9.9', 3, 9],
    ['IPv6', OVER_IPV6, '2001:db8:9::9', 1, 6],
  ] as const)('is taken as one that is dissected from its first byte, over %s', (_, options, from, type, protocolAt) => {
    const syns = conversation('0 > S 1000 <mss 1460>\n1 > S 1000 <mss 1460>', options);
    const whole = icmp(from, type, 1, syns[0]!, { ttl: 61 });
    const change = fc.record({ at: fc.nat(whole.bytes.length - ETHERNET_BYTES - 1), value });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), fc.nat(whole.bytes.length), (changes, cut) => {
        const bytes = Uint8Array.from(
          whole.bytes.subarray(0, Math.max(ETHERNET_BYTES, whole.bytes.length - (cut >> 1))),
        );
        for (const { at, value } of changes) {
          if (at !== protocolAt && ETHERNET_BYTES + at < bytes.length) bytes[ETHERNET_BYTES + at] = value;
        }
        const packets = [syns[0]!, { ...whole, bytes }, syns[1]!];
        expect(madeOf(packets)).toEqual(madeOf(packets.map(tagged)));
      }),
      { numRuns: 1500 },
    );
  });
});
