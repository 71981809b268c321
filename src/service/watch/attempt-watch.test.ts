import { describe, expect, it } from 'vitest';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { type BuiltPacket, icmp, packet, packets } from '../../formats/wire/testing/packets.ts';
import { AttemptWatch } from './attempt-watch.ts';
import { LocalAddresses } from './local-addresses.ts';

const C = '10.0.0.1:40000';
const S = '10.0.0.2:443';
const START_NS = 1_700_000_000_000_000_000n;

function at(seconds: number): bigint {
  return START_NS + BigInt(Math.round(seconds * 1e9));
}

/** A watch of the server (or of another address), with what it was told. */
function watchOf(local: string = '10.0.0.2'): {
  watch: AttemptWatch;
  told: string[];
  push(...built: BuiltPacket[]): void;
} {
  const addresses = new LocalAddresses();
  addresses.add(local);
  const told: string[] = [];
  const watch: AttemptWatch = new AttemptWatch(
    {
      onSilent: (row, direction) => told.push(`silent ${direction} ${watch.serverPort(row)}`),
      onFailed: (_row, direction, state, repeated) =>
        told.push(`failed ${direction} ${state}${repeated ? ' again' : ''}`),
      onAnswered: (_row, direction, late) => told.push(`answered ${direction}${late ? ' late' : ''}`),
      onEnded: (row) => told.push(`ended ${watch.handshakeAt(row).segments.length}`),
    },
    addresses,
    1000,
    65_536,
  );
  let isFirst = true;
  return {
    watch,
    told,
    push(...built) {
      const bytes = pcapFile(
        built.map((one) => ({ ...one, timeNs: START_NS + one.timeNs })),
        { linkType: 276, nanosecond: true },
      );
      watch.push(isFirst ? bytes : bytes.subarray(24));
      isFirst = false;
    },
  };
}

const sll2 = (text: string): BuiltPacket[] => packets(text, { link: 'sll2' });

describe('an attempt', () => {
  it('that is answered is looked at and forgotten; its ACK need not be seen', () => {
    const { watch, told, push } = watchOf();
    push(...sll2(`0.0 ${C} > ${S} S 1000\n0.001 ${S} > ${C} S. 9000 ack 1001`));
    for (const seconds of [0.2, 0.5, 1.5]) watch.look(at(seconds));
    expect(told).toEqual(['answered inbound']);
    expect(watch.open).toBe(0);
    expect(watch.look(at(2))).toBeUndefined();
  });

  it('that is silent is told early, then as failed, and at the end with all its packets', () => {
    const { watch, told, push } = watchOf();
    push(...sll2(`0.0 ${C} > ${S} S 1000`));
    expect(watch.look(at(0.1))).toBeGreaterThan(at(0.1));
    expect(told).toEqual([]);
    watch.look(at(0.2));
    push(...sll2(`1.0 ${C} > ${S} S 1000`));
    watch.look(at(1.6));
    push(...sll2(`3.0 ${C} > ${S} S 1000`));
    for (const seconds of [4, 10, 20, 40, 70, 110]) watch.look(at(seconds));
    expect(told).toEqual(['silent inbound 443', 'failed inbound silent again', 'ended 3']);
    expect(watch.open).toBe(0);
  });

  it('that sends a single SYN has failed when no client would wait any longer', () => {
    const { watch, told, push } = watchOf();
    push(...sll2(`0.0 ${C} > ${S} S 1000`));
    for (const seconds of [0.2, 1.5, 3]) watch.look(at(seconds));
    expect(told).toEqual(['silent inbound 443']);
    watch.look(at(6));
    expect(told).toEqual(['silent inbound 443', 'failed inbound silent', 'ended 1']);
  });

  it('that failed and then is answered is late', () => {
    const { watch, told, push } = watchOf();
    push(...sll2(`0.0 ${C} > ${S} S 1000\n1.0 ${C} > ${S} S 1000`));
    for (const seconds of [0.2, 1.5]) watch.look(at(seconds));
    push(...sll2(`3.0 ${C} > ${S} S 1000\n3.0001 ${S} > ${C} S. 9000 ack 1001`));
    for (const seconds of [4, 9, 20]) watch.look(at(seconds));
    expect(told).toEqual(['silent inbound 443', 'failed inbound silent again', 'ended 4', 'answered inbound late']);
  });

  it('that is refused has failed at the first look', () => {
    const { watch, told, push } = watchOf();
    push(...sll2(`0.0 ${C} > ${S} S 1000\n0.001 ${S} > ${C} R. 0 ack 1001`));
    for (const seconds of [0.2, 1.6]) watch.look(at(seconds));
    expect(told).toEqual(['failed inbound refused', 'ended 2']);
  });

  it('whose final ACK is refused or ignored has failed, whose connection ends has not', () => {
    const refused = watchOf();
    refused.push(...sll2(`0.0 ${C} > ${S} S 1000\n0.001 ${S} > ${C} S. 9000 ack 1001\n0.002 ${S} > ${C} R 9001`));
    const closed = watchOf();
    closed.push(
      ...sll2(`0.0 ${C} > ${S} S 1000\n0.001 ${S} > ${C} S. 9000 ack 1001\n0.5 ${S} > ${C} R. 9001 ack 1050`),
    );
    const probed = watchOf();
    probed.push(...sll2(`0.0 ${C} > ${S} S 1000\n0.001 ${S} > ${C} S. 9000 ack 1001\n0.002 ${C} > ${S} R 1001`));
    const ignored = watchOf();
    ignored.push(
      ...sll2(`0.0 ${C} > ${S} S 1000
0.001 ${S} > ${C} S. 9000 ack 1001
1.0 ${S} > ${C} S. 9000 ack 1001
3.0 ${S} > ${C} S. 9000 ack 1001`),
    );
    for (const { watch } of [refused, closed, probed, ignored]) {
      for (const seconds of [0.2, 1.6, 3.6, 9]) watch.look(at(seconds));
    }
    expect(refused.told[0]).toBe('failed inbound refused');
    expect(closed.told).toEqual(['answered inbound']);
    expect(probed.told).toEqual(['answered inbound']);
    expect(ignored.told[0]).toBe('failed inbound half-open');
  });

  it('is outbound for who sent it, and nobody\u2019s for a router', () => {
    const client = watchOf('10.0.0.1');
    const syn = packet(`0.0 ${C} > ${S} S 1000`, { link: 'sll2' });
    client.push(syn, icmp('10.0.0.254', 3, 1, syn, { link: 'sll2' }));
    const router = watchOf('10.0.0.254');
    router.push(syn);
    for (const { watch } of [client, router]) for (const seconds of [0.2, 1.6, 4]) watch.look(at(seconds));
    expect(client.told[0]).toBe('failed outbound unreachable');
    expect(router.told).toEqual([]);
  });

  it('is known although its answer was captured before its SYN', () => {
    const { watch, told, push } = watchOf();
    push(...sll2(`0.001 ${S} > ${C} S. 9000 ack 1001\n0.0 ${C} > ${S} S 1000`));
    for (const seconds of [0.2, 1.6]) watch.look(at(seconds));
    expect(told).toEqual(['answered inbound']);
  });
});

it('keeps up with more attempts than it has room for, and forgets none that failed', () => {
  const { watch, told, push } = watchOf();
  const flood = Array.from({ length: 3000 }, (_, i) =>
    packet(`${(i * 0.0001).toFixed(4)} 10.1.${i >> 8}.${i & 255}:${1024 + i} > ${S} S ${i}`, { link: 'sll2' }),
  );
  push(...flood, packet(`0.4 ${C} > ${S} S 1000`, { link: 'sll2' }));
  expect(watch.open).toBeLessThanOrEqual(1000);
  watch.look(at(0.7));
  push(packet(`1.4 ${C} > ${S} S 1000`, { link: 'sll2' }));
  for (const seconds of [1.8, 4]) watch.look(at(seconds));
  expect(told.filter((one) => one === 'failed inbound silent again')).toHaveLength(1);
});
