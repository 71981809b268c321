import type { FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { parseAddress } from '../formats/wire/address.ts';
import { readCapture } from '../host/capture-input.ts';

const LINKTYPE_ETHERNET = 1;
const ETHERTYPE_ARP = 0x0806;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;
/** Ethernet header and the ARP of IPv4. */
const ARP_FRAME_BYTES = 42;

/**
 * Whether a capture holds questions of ARP for an address (IPv4) and no answer: then whoever would deliver a SYN to it asks for it first.
 * @throws ParseError as `readCapture` does.
 */
export async function isAskedInVain(
  file: string,
  address: string,
  options: { readonly signal?: AbortSignal },
): Promise<boolean> {
  const wanted = parseAddress(address);
  if (wanted === undefined || wanted.length !== 4) return false;
  let questions = 0;
  let answers = 0;
  const take = (reader: FrameReader, view: DataView, batch: FrameBatch): void => {
    for (let index = 0; index < batch.count; index++) {
      const start = batch.dataOffset[index]!;
      const isEthernet = reader.interfaces[batch.interfaceId[index]!]?.linkType === LINKTYPE_ETHERNET;
      if (!isEthernet || batch.capturedBytes[index]! < ARP_FRAME_BYTES) continue;
      if (view.getUint16(start + 12) !== ETHERTYPE_ARP) continue;
      const has = (at: number): boolean => wanted.every((byte, offset) => view.getUint8(start + at + offset) === byte);
      const operation = view.getUint16(start + 20);
      if (operation === ARP_REQUEST && has(38)) questions += 1;
      if (operation === ARP_REPLY && has(28)) answers += 1;
    }
  };
  await readCapture(file, take, options);
  return questions > 0 && answers === 0;
}
