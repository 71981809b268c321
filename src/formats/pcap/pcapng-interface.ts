import type { FrameInterface } from './frames.ts';
import { optionText, pcapngOptions } from './pcapng-options.ts';
import type { TimestampScale } from './pcapng-time.ts';
import { createTimestampScale } from './pcapng-time.ts';

/** Interfaces of one capture that are told apart; more are taken for damage, because each one costs memory. */
export const MAX_INTERFACES: number = 65_536;

/** Bytes of a name or description that are kept, for the same reason. */
const MAX_NAME_BYTES = 256;

/** An interface of a pcapng section with the scale of its times. */
export interface PcapngInterface {
  readonly described: FrameInterface;
  readonly scale: TimestampScale;
}

/**
 * Decodes an Interface Description Block; `if_filter` and others are left out.
 *
 * ```text
 * +---------------------------------------------------------------+
 * |                    Block Type = 0x00000001                    |
 * |                      Block Total Length                       |
 * |           LinkType            |           Reserved            |
 * |                            SnapLen                            |
 * /                      Options (variable)                       /
 * |                      Block Total Length                       |
 * +---------------------------------------------------------------+
 * ```
 *
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html#name-interface-description-block
 * @param at offset of the block, which is wholly in `view` and has at least 20 bytes.
 */
export function decodeInterface(view: DataView, at: number, total: number, littleEndian: boolean): PcapngInterface {
  let name: string | undefined;
  let description: string | undefined;
  let resolution = 6;
  let offsetSeconds = 0n;
  for (const option of pcapngOptions(view, at + 16, at + total - 4, littleEndian)) {
    if (option.code === 2) name = optionText(view, option, MAX_NAME_BYTES);
    else if (option.code === 3) description = optionText(view, option, MAX_NAME_BYTES);
    else if (option.code === 9 && option.bytes >= 1) resolution = view.getUint8(option.offset);
    else if (option.code === 14 && option.bytes >= 8) offsetSeconds = view.getBigInt64(option.offset, littleEndian);
  }
  return {
    described: {
      linkType: view.getUint16(at + 8, littleEndian),
      snapLength: view.getUint32(at + 12, littleEndian),
      ...(name ? { name } : {}),
      ...(description ? { description } : {}),
    },
    scale: createTimestampScale(resolution, offsetSeconds),
  };
}
