import type { FrameBatch } from './frames.ts';
import { MAX_RECORD_BYTES } from './frames.ts';

/** Block type of the Enhanced Packet Block. */
export const ENHANCED_PACKET = 6;
/** Bytes of an Enhanced Packet Block (and of the obsolete one) before the packet. */
export const PACKET_HEADER_BYTES = 28;

/**
 * Appends the packets of Enhanced Packet Blocks from `at` on. This is the hot loop: locals only and no allocation.
 *
 * ```text
 * +---------------------------------------------------------------+
 * |                    Block Type = 0x00000006                    |
 * |                      Block Total Length                       |
 * |                         Interface ID                          |
 * |                   Timestamp (High), (Low)                     |
 * |                    Captured Packet Length                     |
 * |                    Original Packet Length                     |
 * /              Packet Data, padded to 32 bits; Options          /
 * |                      Block Total Length                       |
 * +---------------------------------------------------------------+
 * ```
 *
 * It stops at any other block, at one that is not whole, and at one whose lengths or interface are wrong, and leaves the decision
 * to the caller.
 * @param firstInterface index of the section's first interface among those of the whole capture.
 * @param interfaceCount interfaces of the section.
 * @returns the offset where it stopped.
 */
export function walkEnhancedPackets(
  view: DataView,
  at: number,
  end: number,
  batch: FrameBatch,
  littleEndian: boolean,
  firstInterface: number,
  interfaceCount: number,
): number {
  const { dataOffset, capturedBytes, recordOffset, interfaceId } = batch;
  const capacity = dataOffset.length;
  const lastHeader = end - 32;
  let count = batch.count;
  while (count < capacity && at <= lastHeader) {
    if (view.getInt32(at, littleEndian) !== ENHANCED_PACKET) break;
    const total = view.getInt32(at + 4, littleEndian);
    if (total < 32 || total > end - at || total > MAX_RECORD_BYTES || (total & 3) !== 0) break;
    const captured = view.getInt32(at + 20, littleEndian);
    const id = view.getInt32(at + 8, littleEndian);
    if (captured < 0 || captured > total - 32 || id < 0 || id >= interfaceCount) break;
    const next = at + total;
    if (view.getInt32(next - 4, littleEndian) !== total) break;
    dataOffset[count] = at + PACKET_HEADER_BYTES;
    capturedBytes[count] = captured;
    recordOffset[count] = at;
    interfaceId[count] = firstInterface + id;
    count += 1;
    at = next;
  }
  batch.count = count;
  return at;
}
