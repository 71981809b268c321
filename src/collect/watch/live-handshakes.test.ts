import { describe, expect, it } from 'vitest';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { type BuiltPacket, icmp, packet, packets } from '../../formats/wire/testing/packets.ts';
import type { Flow } from '../../model/flow.ts';
import { LiveHandshakes } from './live-handshakes.ts';
import { neighbourActivityOf, sightingsOf } from './sightings.ts';

const FLOW: Flow = { client: { address: '10.0.0.1', port: 40000 }, server: { address: '10.0.0.2', port: 443 } };
const C = '10.0.0.1:40000';
const S = '10.0.0.2:443';
const START_S = 1_700_000_000n;
const SYN = `0.0 ${C} > ${S} S 1000 win 64240 <mss 1460>`;

/** A capture as a live one comes: cooked, with nanoseconds, at a real time. */
function stream(built: readonly BuiltPacket[]): Uint8Array {
  const at = built.map((one) => ({ ...one, timeNs: START_S * 1_000_000_000n + one.timeNs }));
  return pcapFile(at, { linkType: 276, nanosecond: true });
}

function incoming(text: string): BuiltPacket[] {
  return packets(text, { link: 'sll2', outgoing: false });
}

function outgoing(text: string): BuiltPacket[] {
  return packets(text, { link: 'sll2', outgoing: true });
}

function watch(built: readonly BuiltPacket[], port = 443): LiveHandshakes {
  const live = new LiveHandshakes(port);
  live.push(stream(built));
  return live;
}

function at(seconds: number): bigint {
  return START_S * 1_000_000_000n + BigInt(Math.round(seconds * 1e9));
}

describe('a live capture', () => {
  it('counts SYNs and answers of the port that is watched', () => {
    const live = watch([
      ...incoming(`${SYN}\n0.1 10.0.0.3:1 > ${S} S 1\n0.1 10.0.0.3:1 > 10.0.0.2:80 S 1`),
      ...outgoing(`0.2 ${S} > ${C} S. 9000 ack 1001`),
    ]);
    expect(live.counts).toMatchObject({ syns: 2, synAcks: 1 });
  });

  it('takes bytes in whatever pieces they come', () => {
    const bytes = stream(incoming(`${SYN}\n+1 ${C} > ${S} S 1000`));
    const live = new LiveHandshakes(443);
    for (const byte of bytes) live.push(Uint8Array.of(byte));
    expect(live.counts.syns).toBe(2);
  });

  it('looks early at silence, once more when the SYN is repeated, and never at an answered SYN', () => {
    const silent = watch(incoming(SYN));
    expect(silent.suspects(at(0.05), 120)).toEqual([]);
    expect(silent.suspects(at(0.2), 120)).toMatchObject([{ early: true, handshake: { outcome: 'no-reply' } }]);
    const repeated = watch(incoming(`${SYN}\n1.0 ${C} > ${S} S 1000`));
    expect(repeated.suspects(at(1.01), 120)).toMatchObject([{ early: false, handshake: { synRetransmissions: 1 } }]);
    const answered = watch([...incoming(SYN), ...outgoing(`0.001 ${S} > ${C} S. 9000 ack 1001`)]);
    expect(answered.suspects(at(0.5), 120)).toEqual([]);
    expect(answered.suspects(at(1.5), 120)).toMatchObject([{ handshake: { outcome: 'half-open' } }]);
  });

  it('waits a moment after a RST, so that what belongs to it has come', () => {
    const refused = watch([...incoming(SYN), ...outgoing(`0.001 ${S} > ${C} R. 0 ack 1001`)]);
    expect(refused.suspects(at(0.002), 120)).toEqual([]);
    expect(refused.suspects(at(0.1), 120)).toMatchObject([{ early: false, handshake: { outcome: 'refused' } }]);
  });

  it('tells each attempt once early and once when it has failed, those that failed first', () => {
    const live = watch(incoming(`${SYN}\n0.0 10.0.0.3:1 > ${S} S 1`));
    const told = (seconds: number, most?: number): [port: number, early: boolean][] =>
      live.suspects(at(seconds), 120, most).map(({ handshake, early }) => [handshake.client.port, early]);
    expect(told(0.2, 1)).toEqual([[40000, true]]);
    expect(told(0.3, 1)).toEqual([[1, true]]);
    expect(told(0.4)).toEqual([]);
    expect(told(5, 1)).toEqual([[40000, false]]);
    expect(told(5)).toEqual([[1, false]]);
    expect(told(6)).toEqual([]);
  });

  it('keeps count in a flood of more attempts than it tracks', () => {
    const live = new LiveHandshakes(443);
    const total = 210_000;
    const [syn] = incoming(SYN);
    const step = 10_000;
    for (let first = 0; first < total; first += step) {
      const flood = Array.from({ length: step }, (_, index): BuiltPacket => {
        const bytes = Uint8Array.from(syn!.bytes);
        new DataView(bytes.buffer).setUint32(20 + 12, 0x0a42_0000 + first + index);
        return { ...syn!, bytes, timeNs: START_S * 1_000_000_000n + BigInt(first + index) };
      });
      const file = pcapFile(flood, { linkType: 276, nanosecond: true });
      live.push(first === 0 ? file : file.subarray(24));
    }
    const closed = live.counts.outcomes['no-reply'] ?? 0;
    expect(live.counts.syns).toBe(total);
    expect(live.attempts).toBe(total);
    expect(live.displaced).toBeGreaterThan(0);
    expect(closed + (live.openOutcomes()['no-reply'] ?? 0)).toBe(total);
    expect(live.suspects(at(0.5), 120)).toHaveLength(64);
  });

  it('ignores other ports', () => {
    expect(watch(incoming(SYN), 80).suspects(at(5), 120)).toEqual([]);
  });

  it('finds an attempt again, by its port or without', () => {
    const live = watch(incoming(SYN));
    expect(live.find(FLOW.server, 40000)?.client.port).toBe(40000);
    expect(live.find(FLOW.server, 1)).toBeUndefined();
    expect(live.find(FLOW.server)?.client.port).toBe(40000);
  });
});

describe('sightings', () => {
  const names = new Map([[0, 'eth0']]);

  it('tell each packet of the attempt by kind and direction', () => {
    const error = icmp('10.0.0.254', 3, 1, packet(SYN), { link: 'sll2', outgoing: false });
    const live = watch([
      ...incoming(`${SYN}\n+1 ${C} > ${S} S 1000\n+0 10.0.0.9:7 > ${S} S 5`),
      ...outgoing(`1.1 ${S} > ${C} S. 9000 ack 1001`),
      error,
    ]);
    const seen = sightingsOf(live.history, FLOW, names).map(({ segment, direction, count }) => [
      segment,
      direction,
      count,
    ]);
    expect(seen).toContainEqual(['syn', 'in', 2]);
    expect(seen).toContainEqual(['syn-ack', 'out', 1]);
    expect(seen.flat()).not.toContain('other');
  });

  it('say to whom the frame was addressed', () => {
    const [syn] = incoming(SYN);
    for (const [type, name] of [
      [0, 'host'],
      [1, 'broadcast'],
      [2, 'multicast'],
      [3, 'otherhost'],
    ] as const) {
      const bytes = Uint8Array.from(syn!.bytes);
      bytes[10] = type;
      const live = watch([{ ...syn!, bytes }]);
      expect(sightingsOf(live.history, FLOW, names)).toMatchObject([{ segment: 'syn', linkDestination: name }]);
    }
  });

  it('count requests and replies of ARP', () => {
    const arp = (operation: number, from: string, to: string, type: number): BuiltPacket => {
      const bytes = new Uint8Array(48);
      const view = new DataView(bytes.buffer);
      view.setUint16(0, 0x0806);
      bytes[10] = type;
      view.setUint32(20, 0x0001_0800);
      view.setUint32(22, 0x0800_0604);
      view.setUint16(26, operation);
      bytes.set([2, 0, 0, 0, 0, 7], 28);
      bytes.set(from.split('.').map(Number), 34);
      bytes.set(to.split('.').map(Number), 44);
      return { timeNs: 0n, bytes, wireBytes: 48, linkType: 276, ip: new Uint8Array() };
    };
    const live = watch([
      arp(1, '10.0.0.2', '10.0.0.254', 4),
      arp(1, '10.0.0.2', '10.0.0.254', 4),
      arp(2, '10.0.0.254', '10.0.0.2', 0),
    ]);
    expect(neighbourActivityOf(live.history, names)).toEqual([
      {
        device: 'eth0',
        target: '10.0.0.254',
        direction: 'out',
        requests: 2,
        replies: 1,
        answeredBy: ['02:00:00:00:00:07'],
      },
    ]);
  });
});
