import { expect, it } from 'vitest';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import { packet } from '../../formats/wire/testing/packets.ts';
import { KeptCapture } from './kept-capture.ts';

const SYN = packet('5.000 10.0.0.1:40000 > 10.0.0.2:443 S 1000:1000(0)');
const WATCHED = { name: 'web7', sinceNs: SYN.timeNs - 3_000_000_000n, atNs: SYN.timeNs + 1_000_000_000n, lost: 0 };

it.each([
  ['no packet', []],
  ['a late first packet', [SYN]],
])('covers the time since it is watched, with %s', (_what, packets) => {
  const kept = new KeptCapture();
  kept.push(pcapFile(packets, { linkType: SYN.linkType, nanosecond: true }));
  const { firstNs, lastNs } = kept.track(WATCHED).capture;
  expect([firstNs, lastNs]).toEqual([WATCHED.sinceNs, WATCHED.atNs]);
});

it('covers the time since its first packet when nobody knows more', () => {
  const kept = new KeptCapture();
  kept.push(pcapFile([SYN], { linkType: SYN.linkType, nanosecond: true }));
  expect(kept.track({ ...WATCHED, sinceNs: undefined }).capture.firstNs).toBe(SYN.timeNs);
});
