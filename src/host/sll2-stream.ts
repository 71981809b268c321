import { LINKTYPE_LINUX_SLL2 } from '../formats/wire/numbers.ts';

/** Magic number of a pcap file with nanoseconds (draft-ietf-opsawg-pcap section 4). */
const NANOSECOND_MAGIC = 0xa1b2_3c4d;

/** The file header of a pcap stream with times in nanoseconds and packets of LINKTYPE_LINUX_SLL2, little endian. */
export function sll2FileHeader(snapLengthBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, NANOSECOND_MAGIC, true);
  header.setUint16(4, 2, true);
  header.setUint16(6, 4, true);
  header.setUint32(16, snapLengthBytes + 20, true);
  header.setUint32(20, LINKTYPE_LINUX_SLL2, true);
  return new Uint8Array(header.buffer);
}
