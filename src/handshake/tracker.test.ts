import { describe, expect, it } from 'vitest';
import { collect } from '../engine/testing/collect.ts';
import type { BuiltPacket } from '../formats/wire/testing/packets.ts';
import { conversation, interleave, OVER_IPV6 } from './testing/conversation.ts';
import { trackPackets } from './testing/track.ts';

const END = { endNs: 600_000_000_000n };

function outcomes(packets: readonly BuiltPacket[]): string[] {
  return trackPackets(packets, END).handshakes.map(({ outcome }) => outcome);
}

describe('one attempt', () => {
  it('holds every retry of its SYN', () => {
    const [attempt, ...others] = trackPackets(
      conversation('0 > S 7\n1 > S 7\n3 > S 7\n7 > S 7\n15 > S 7'),
      END,
    ).handshakes;
    expect(others).toEqual([]);
    expect(attempt).toMatchObject({ synRetransmissions: 4, clientIsn: 7, outcome: 'no-reply' });
    expect(attempt!.segments.map(({ frame, repeat }) => [frame, repeat])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [n, n - 1]),
    );
  });

  it('has its times in nanoseconds, from the SYN that was answered and from the first', () => {
    const text = '100 > S 7\n101 > S 7\n101.020000003 < S. 9000 ack 8\n101.020050003 > . 8 ack 9001';
    const [attempt] = trackPackets(conversation(text), END).handshakes;
    expect(attempt).toMatchObject({
      startedAtNs: 100_000_000_000n,
      endedAtNs: 101_020_050_003n,
      initialRttNs: 20_050_003,
      establishedAfterNs: 1_020_050_003,
    });
  });

  it('begins anew when the port is reused with another sequence number', () => {
    const text = '0 > S 1000\n1 > S 1000\n5 > S 777777\n5.02 < S. 9000 ack 777778\n5.021 > . 777778 ack 9001';
    const { handshakes } = trackPackets(conversation(text), END);
    expect(handshakes.map(({ outcome, clientIsn }) => [outcome, clientIsn])).toEqual([
      ['no-reply', 1000],
      ['established', 777_777],
    ]);
  });

  it('of a reused port that was answered before is not mixed with the one before', () => {
    const text = `
      0 > S 1000
      0.02 < S. 9000 ack 1001
      0.021 > . 1001 ack 9001
      0.03 > F. 1001 ack 9001
      0.04 < F. 9001 ack 1002
      0.05 > . 1002 ack 9002
      2 > S 500000
      2.02 < R. 0 ack 500001`;
    expect(outcomes(conversation(text))).toEqual(['established', 'refused']);
  });

  it('is over after 64 s without life; a later SYN is another one', () => {
    expect(outcomes(conversation('0 > S 1000\n60 > S 1000'))).toEqual(['no-reply']);
    expect(outcomes(conversation('0 > S 1000\n70 > S 1000'))).toEqual(['no-reply', 'no-reply']);
  });

  it('waits longer for a client that backs off further', () => {
    const times = [0, 1, 3, 7, 15, 31, 64, 130];
    expect(outcomes(conversation(times.map((time) => `${time} > S 1000`).join('\n')))).toEqual(['no-reply']);
  });

  it('takes data, FINs and acknowledgements without a SYN for nothing', () => {
    const text = '0 > P. 1:11(10) ack 5\n0.02 < . 5 ack 11\n0.03 < F. 5 ack 11\n0.04 > R 11\n0.05 > F 12';
    expect(trackPackets(conversation(text), END)).toMatchObject({ handshakes: [], counts: { attempts: 0 } });
  });

  it('ignores a segment with SYN and RST', () => {
    expect(outcomes(conversation('0 > SR 1000'))).toEqual([]);
  });

  it('counts its sequence numbers modulo 2^32', () => {
    const text = `
      0 > S 4294967295
      0.02 < S. 4294967295 ack 0
      0.021 > . 0 ack 0
      0.03 > P. 0:10(10) ack 0
      0.05 < . 0 ack 10`;
    const [attempt] = trackPackets(conversation(text), END).handshakes;
    expect(attempt).toMatchObject({ outcome: 'established', clientIsn: 0xffff_ffff, serverIsn: 0xffff_ffff });
  });

  it.each([
    ['port 0', '10.0.0.1:0', '10.0.0.2:0'],
    ['port 65535', '10.0.0.1:65535', '10.0.0.2:65535'],
    ['ports 0 and 65535', '10.0.0.1:0', '10.0.0.2:65535'],
    ['the same port on both sides', '10.0.0.1:179', '10.0.0.2:179'],
    ['the same address on both sides', '127.0.0.1:40000', '127.0.0.1:443'],
    ['the same port and IPv6', '[fe80::1]:179', '[fe80::2]:179'],
    ['addresses of high bits', '255.255.255.254:65535', '240.0.0.1:32768'],
  ])('may have %s', (_, client, server) => {
    const packets = conversation('0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001', { client, server });
    const [attempt, ...others] = trackPackets(packets, END).handshakes;
    expect(others).toEqual([]);
    expect(attempt!.outcome).toBe('established');
    const ends = [attempt!.client, attempt!.server].map(({ address, port }) =>
      address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    );
    expect(ends).toEqual([client, server]);
  });

  it('is told from the one that runs the other way between the same ports', () => {
    const there = conversation('0 > S 1000\n0.02 < R. 0 ack 1001', { client: '10.0.0.1:179', server: '10.0.0.2:179' });
    const back = conversation('20 > S 5000\n20.02 < S. 1 ack 5001\n20.03 > . 5001 ack 2', {
      client: '10.0.0.2:179',
      server: '10.0.0.1:179',
    });
    const { handshakes } = trackPackets([...there, ...back], END);
    expect(handshakes.map(({ client, outcome }) => [client.address, outcome])).toEqual([
      ['10.0.0.1', 'refused'],
      ['10.0.0.2', 'established'],
    ]);
  });

  it('is told from the one of the same ports over the other IP version', () => {
    const v4 = conversation('0 > S 1000');
    const v6 = conversation('0.1 > S 1000', OVER_IPV6);
    expect(outcomes([...v4, ...v6])).toEqual(['no-reply', 'no-reply']);
  });

  it('keeps its first 32 packets and counts the others', () => {
    const lines = Array.from({ length: 40 }, (_, i) => `${i} > S 1000`).join('\n');
    const [attempt] = trackPackets(conversation(lines), END).handshakes;
    expect(attempt!.segments).toHaveLength(32);
    expect(attempt).toMatchObject({ omittedSegments: 8, synRetransmissions: 39 });
  });

  it('ends with its last packet, also when that is not kept', () => {
    const lines = Array.from({ length: 40 }, (_, i) => `${i} > S 1000`).join('\n');
    const [attempt] = trackPackets(conversation(lines), END).handshakes;
    expect(attempt!.endedAtNs).toBe(39_000_000_000n);
  });

  it('survives more packets than it can count', () => {
    const lines = Array.from({ length: 300 }, (_, i) => `${i / 10} > S 1000`).join('\n');
    const [attempt] = trackPackets(conversation(lines), END).handshakes;
    expect(attempt).toMatchObject({ outcome: 'no-reply', omittedSegments: 268, synRetransmissions: 254 });
  });
});

describe('a capture that shows one direction', () => {
  it('begun after the SYN takes its sequence number from the answer', () => {
    const text = '0 < S. 9000 ack 1001\n1 < S. 9000 ack 1001\n1.02 > S 1000';
    const [attempt, ...others] = trackPackets(conversation(text), END).handshakes;
    expect(others).toEqual([]);
    expect(attempt).toMatchObject({
      clientIsn: 1000,
      serverIsn: 9000,
      client: { port: 40_000 },
      server: { port: 443 },
    });
  });

  it('whose packets changed places is not one-sided', () => {
    const [attempt] = trackPackets(conversation('0 < S. 9000 ack 1001\n0.000001 > S 1000'), END).handshakes;
    expect(attempt!.outcome).toBe('half-open');
  });

  it('has a client that acknowledges what was not captured', () => {
    const text = '0 > S 1000\n0.02 > . 1001 ack 9001\n0.03 > P. 1001:1011(10) ack 9001';
    const [attempt] = trackPackets(conversation(text), END).handshakes;
    expect(attempt).toMatchObject({ outcome: 'one-sided', stage: 'ack' });
    expect(attempt!.serverIsn).toBeUndefined();
  });

  it('misses only the SYN-ACK when the server answers the data', () => {
    const text = '0 > S 1000\n0.02 > . 1001 ack 9001\n0.03 > P. 1001:1011(10) ack 9001\n0.05 < . 9001 ack 1011';
    expect(outcomes(conversation(text))).toEqual(['established']);
  });
});

describe('the limit of open attempts', () => {
  const clients = Array.from({ length: 100 }, (_, i) =>
    conversation('0 > S 1000', { client: `10.0.1.${i}:40000`, shift: i / 1000 }),
  );

  it('judges the older ones early and counts them', () => {
    const { report, counts } = collect(clients.flat(), { capacity: 10, ...END });
    expect(report.summary).toMatchObject({ handshakes: 100, failed: 100, outcomes: { 'no-reply': 100 } });
    expect(counts.attempts).toBe(100);
    expect(counts.evicted).toBeGreaterThan(0);
    expect(counts.peakOpen).toBeLessThanOrEqual(10);
  });

  it('does not disturb who fits in', () => {
    const { counts } = collect(clients.slice(0, 10).flat(), { capacity: 10, ...END });
    expect(counts).toMatchObject({ attempts: 10, evicted: 0, peakOpen: 10 });
  });

  it('leaves out what does not fit when every attempt is kept', () => {
    const { handshakes, counts } = trackPackets(clients.flat(), { capacity: 10, ...END });
    expect(handshakes).toHaveLength(10);
    expect(counts.evicted).toBe(90);
  });

  it('finds attempts again after their rows were used by others', () => {
    const rounds = Array.from({ length: 30 }, (_, round) =>
      Array.from({ length: 8 }, (_, i) =>
        conversation('0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > P. 1001:1011(10) ack 9001\n0.03 < . 9001 ack 1011', {
          client: `10.0.${round}.${i}:${1024 + round}`,
          shift: round + i / 1000,
        }),
      ),
    );
    const { report, counts } = collect(interleave(...rounds.flat()), { capacity: 10 });
    expect(report.summary).toMatchObject({ handshakes: 240, failed: 0, outcomes: { established: 240 } });
    expect(counts.evicted).toBe(0);
  });
});
