import { expect, it } from 'vitest';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { CapturePump } from '../../host/capture-pump.ts';
import { PacketHistory } from './packet-history.ts';

it('keeps the latest packets in order when it is full', () => {
  const history = new PacketHistory();
  const total = 9000;
  const file = pcapFile(
    Array.from({ length: total }, (_, index) => {
      const bytes = new Uint8Array(1500 + (index % 7));
      new DataView(bytes.buffer).setUint32(0, index);
      return { timeNs: 1_700_000_000_000_000_000n + BigInt(index), bytes };
    }),
    { linkType: 276, nanosecond: true },
  );
  const pump = new CapturePump((reader, view, batch) => history.add(reader, view, batch), 256 * 1024);
  pump.push(file);
  const numbers = [...history.packets()].map(({ view, start }) => view.getUint32(start));
  expect(numbers.at(-1)).toBe(total - 1);
  expect(numbers.length).toBeGreaterThan(4000);
  expect(numbers.every((number, index) => index === 0 || number === numbers[index - 1]! + 1)).toBe(true);
  const last = [...history.packets()].at(-1)!;
  expect(last.end - last.start).toBe(1500 + ((total - 1) % 7));
  expect(last.linkType).toBe(276);
});
