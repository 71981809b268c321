/** One option of a pcapng block, as offsets into the walked buffer. */
export interface PcapngOption {
  readonly code: number;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The options of a pcapng block, in order, until their end, the end of the block or the first one that does not fit.
 *
 * ```text
 * +---------------------------------------------------------------+
 * |      Option Code              |         Option Length         |
 * /                       Option Value, padded to 32 bits         /
 * +---------------------------------------------------------------+
 * ```
 *
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html#name-options
 * @param start offset of the first option.
 * @param end offset behind the last one, where the block's trailing length is.
 */
export function* pcapngOptions(
  view: DataView,
  start: number,
  end: number,
  littleEndian: boolean,
): Generator<PcapngOption, void, undefined> {
  let at = start;
  while (at + 4 <= end) {
    const code = view.getUint16(at, littleEndian);
    const bytes = view.getUint16(at + 2, littleEndian);
    const offset = at + 4;
    if (code === 0 || offset + bytes > end) return;
    yield { code, offset, bytes };
    at = offset + bytes + (-bytes & 3);
  }
}

const decoder = new TextDecoder('utf-8');

/**
 * The UTF-8 text of an option, without the NUL bytes that some writers end it with.
 * @param limitBytes more than these are left out.
 */
export function optionText(view: DataView, option: PcapngOption, limitBytes = 65535): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + option.offset, Math.min(option.bytes, limitBytes));
  return decoder.decode(bytes).replace(/\0+$/, '');
}
