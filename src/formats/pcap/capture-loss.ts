import type { FrameInterface, FramingNote } from './frames.ts';
import { pcapngOptions } from './pcapng-options.ts';

/** Packets that a capture says it lost, by interface. */
export interface CaptureLoss {
  /** `isb_ifdrop`: for want of resources at the interface or in the capture buffer. */
  readonly byInterface: Map<number, number>;
  /** `isb_osdrop`: by the operating system. */
  readonly bySystem: Map<number, number>;
  /** Sum of the obsolete Packet Block's drop counts. */
  betweenPackets: number;
}

/** Makes the record of a capture that has not said that it lost something. */
export function createCaptureLoss(): CaptureLoss {
  return { byInterface: new Map(), bySystem: new Map(), betweenPackets: 0 };
}

/**
 * Adds what an Interface Statistics Block says. Its counters grow from the start of the capture, so the last one counts.
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html#name-interface-statistics-block
 * @param at offset of the block, which is wholly in `view` and has at least 24 bytes.
 * @param interfaceId index into the reader's interfaces.
 */
export function addInterfaceStatistics(
  loss: CaptureLoss,
  view: DataView,
  at: number,
  total: number,
  littleEndian: boolean,
  interfaceId: number,
): void {
  for (const option of pcapngOptions(view, at + 20, at + total - 4, littleEndian)) {
    if (option.bytes !== 8 || (option.code !== 5 && option.code !== 7)) continue;
    const value = view.getBigUint64(option.offset, littleEndian);
    // All ones is "not known" for writers that count nothing.
    if (value === 0xffff_ffff_ffff_ffffn) continue;
    (option.code === 5 ? loss.byInterface : loss.bySystem).set(interfaceId, Number(value));
  }
}

/** The note that says what was lost; undefined when nothing was. */
export function captureLossNote(loss: CaptureLoss, interfaces: readonly FrameInterface[]): FramingNote | undefined {
  const atInterface = sum(loss.byInterface);
  const inSystem = sum(loss.bySystem);
  const total = atInterface + inSystem + loss.betweenPackets;
  if (total === 0) return undefined;
  const parts: string[] = [];
  if (inSystem > 0) parts.push(`${inSystem} in the kernel`);
  if (atInterface > 0) parts.push(`${atInterface} at the interface or in its capture buffer`);
  if (loss.betweenPackets > 0) parts.push(`${loss.betweenPackets} between its packets`);
  const lossy = [
    ...new Set([...loss.byInterface, ...loss.bySystem].filter(([, count]) => count > 0).map(([id]) => id)),
  ];
  const names = lossy.flatMap((id) => interfaces[id]?.name ?? []).slice(0, 5);
  const where = names.length === 0 ? '' : `, on ${names.join(', ')}`;
  return {
    code: 'capture-lost-packets',
    statement: `The capture itself lost ${total} ${total === 1 ? 'packet' : 'packets'} (${parts.join(', ')})${where}.`,
    hint: 'A packet that seems missing may be one of them: capture with a filter, a small snaplen (-s 128) or a larger buffer (-B).',
  };
}

function sum(counts: ReadonlyMap<number, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
