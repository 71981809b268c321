/** A packet to put into a capture that a test builds. */
export interface BuiltPacket {
  /** Nanoseconds since 1970-01-01 UTC. Rounded down to the resolution of the file. */
  readonly timeNs: bigint;
  /** Captured bytes, beginning with the link layer. */
  readonly bytes: Uint8Array;
  /** Length on the wire; the captured length when absent. */
  readonly wireBytes?: number;
}

/** Shape of a classic pcap file that a test builds. */
export interface PcapOptions {
  /** LINKTYPE_ value; Ethernet (1) when absent. Bits above 16 (FCS length) are written as given. */
  readonly linkType?: number;
  /** Times in nanoseconds (magic 0xa1b23c4d) instead of microseconds. */
  readonly nanosecond?: boolean;
  readonly bigEndian?: boolean;
  /** Alexey Kuznetzov's variant: magic 0xa1b2cd34, record headers of 24 bytes. */
  readonly modified?: boolean;
  /** Snap length of the header; 262144 when absent. */
  readonly snapLength?: number;
  /** Other magic number to write, with the layout that the rest says. */
  readonly magic?: number;
}

/** Joins pieces into one array. */
export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/**
 * Builds a classic pcap file.
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
 */
export function pcapFile(packets: readonly BuiltPacket[], options: PcapOptions = {}): Uint8Array<ArrayBuffer> {
  const { linkType = 1, nanosecond = false, bigEndian = false, modified = false, snapLength = 262144 } = options;
  const little = !bigEndian;
  const magic = options.magic ?? (modified ? 0xa1b2cd34 : nanosecond ? 0xa1b23c4d : 0xa1b2c3d4);
  const header = new Uint8Array(24);
  const headerView = new DataView(header.buffer);
  headerView.setUint32(0, magic, little);
  headerView.setUint16(4, 2, little);
  headerView.setUint16(6, 4, little);
  headerView.setUint32(16, snapLength, little);
  headerView.setUint32(20, linkType, little);
  const pieces: Uint8Array[] = [header];
  const unitsPerSecond = nanosecond ? 1_000_000_000n : 1_000_000n;
  for (const packet of packets) {
    const record = new Uint8Array(modified ? 24 : 16);
    const view = new DataView(record.buffer);
    view.setUint32(0, Number(packet.timeNs / 1_000_000_000n), little);
    view.setUint32(4, Number(((packet.timeNs % 1_000_000_000n) * unitsPerSecond) / 1_000_000_000n), little);
    view.setUint32(8, packet.bytes.length, little);
    view.setUint32(12, packet.wireBytes ?? packet.bytes.length, little);
    pieces.push(record, packet.bytes);
  }
  return concatBytes(pieces);
}

/** An option of a pcapng block: its code and its value. */
type BuiltOption = readonly [code: number, value: Uint8Array];

/** An interface of a pcapng section that a test builds. */
export interface BuiltInterface {
  /** LINKTYPE_ value; Ethernet (1) when absent. */
  readonly linkType?: number;
  /** 0 (unlimited) when absent. */
  readonly snapLength?: number;
  readonly name?: string;
  readonly description?: string;
  /** The byte of `if_tsresol`: 10^-n, or 2^-n with bit 0x80. No option and microseconds when absent. */
  readonly timestampResolution?: number;
  /** `if_tsoffset` in seconds. */
  readonly timestampOffset?: bigint;
}

/** A packet of a pcapng section that a test builds. */
export interface BuiltPcapngPacket extends BuiltPacket {
  /** Interface in the section; 0 when absent. */
  readonly interfaceId?: number;
  /** Enhanced (6) when absent; obsolete is type 2, simple is type 3 and keeps no time. */
  readonly block?: 'enhanced' | 'simple' | 'obsolete';
  readonly comments?: readonly string[];
  /** `epb_flags` (`pack_flags`): 1 inbound, 2 outbound in the two lowest bits. */
  readonly flags?: number;
}

/** Any block of a pcapng section that a test builds. */
export type BuiltBlock =
  | { readonly kind: 'interface'; readonly interface: BuiltInterface }
  | { readonly kind: 'packet'; readonly packet: BuiltPcapngPacket }
  /** Interface statistics: `isb_ifdrop` and `isb_osdrop`. */
  | { readonly kind: 'statistics'; readonly interfaceId?: number; readonly ifDrop?: bigint; readonly osDrop?: bigint }
  | { readonly kind: 'raw'; readonly type: number; readonly body: Uint8Array };

/** Shape of a pcapng section that a test builds. */
export interface SectionOptions {
  readonly bigEndian?: boolean;
  /** Section length of the header; -1 (not given) when absent. */
  readonly sectionLength?: bigint;
  /** Major version; 1 when absent. */
  readonly majorVersion?: number;
}

/**
 * Builds one section of a pcapng file: its header and these blocks, in this order.
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html
 */
export function pcapngSection(blocks: readonly BuiltBlock[], options: SectionOptions = {}): Uint8Array<ArrayBuffer> {
  const little = !(options.bigEndian ?? false);
  const header = new DataView(new ArrayBuffer(16));
  header.setUint32(0, 0x1a2b3c4d, little);
  header.setUint16(4, options.majorVersion ?? 1, little);
  header.setBigInt64(8, options.sectionLength ?? -1n, little);
  const pieces: Uint8Array[] = [pcapngBlock(0x0a0d0d0a, [new Uint8Array(header.buffer)], little)];
  const interfaces: BuiltInterface[] = [];
  for (const block of blocks) {
    if (block.kind === 'interface') {
      interfaces.push(block.interface);
      pieces.push(interfaceBlock(block.interface, little));
    } else if (block.kind === 'packet') {
      const described = interfaces[block.packet.interfaceId ?? 0] ?? {};
      pieces.push(packetBlock(block.packet, described, little));
    } else if (block.kind === 'statistics') {
      pieces.push(statisticsBlock(block, little));
    } else {
      pieces.push(pcapngBlock(block.type, [block.body], little));
    }
  }
  return concatBytes(pieces);
}

/** Builds a pcapng file of one section: first all interfaces (one of Ethernet when absent), then all packets. */
export function pcapngFile(
  packets: readonly BuiltPcapngPacket[],
  options: SectionOptions & { readonly interfaces?: readonly BuiltInterface[] } = {},
): Uint8Array<ArrayBuffer> {
  const described = (options.interfaces ?? [{}]).map((one): BuiltBlock => ({ kind: 'interface', interface: one }));
  return pcapngSection([...described, ...packets.map((packet): BuiltBlock => ({ kind: 'packet', packet }))], options);
}

/** Bytes of a small test packet: `length` bytes that differ from each other and from packet to packet. */
export function patternBytes(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + seed * 31) & 0xff);
}

function pcapngBlock(type: number, parts: readonly Uint8Array[], little: boolean): Uint8Array<ArrayBuffer> {
  const body = padded(concatBytes(parts));
  const total = body.length + 12;
  const edge = (values: readonly number[]): Uint8Array => {
    const view = new DataView(new ArrayBuffer(values.length * 4));
    values.forEach((value, index) => {
      view.setUint32(index * 4, value, little);
    });
    return new Uint8Array(view.buffer);
  };
  return concatBytes([edge([type, total]), body, edge([total])]);
}

function padded(bytes: Uint8Array): Uint8Array {
  return concatBytes([bytes, new Uint8Array(-bytes.length & 3)]);
}

function optionList(options: readonly BuiltOption[], little: boolean): Uint8Array {
  if (options.length === 0) return new Uint8Array(0);
  const pieces: Uint8Array[] = [];
  for (const [code, value] of [...options, [0, new Uint8Array(0)] as const]) {
    const head = new DataView(new ArrayBuffer(4));
    head.setUint16(0, code, little);
    head.setUint16(2, value.length, little);
    pieces.push(new Uint8Array(head.buffer), padded(value));
  }
  return concatBytes(pieces);
}

function interfaceBlock(one: BuiltInterface, little: boolean): Uint8Array {
  const fixed = new DataView(new ArrayBuffer(8));
  fixed.setUint16(0, one.linkType ?? 1, little);
  fixed.setUint32(4, one.snapLength ?? 0, little);
  const options: BuiltOption[] = [];
  if (one.name !== undefined) options.push([2, new TextEncoder().encode(one.name)]);
  if (one.description !== undefined) options.push([3, new TextEncoder().encode(one.description)]);
  if (one.timestampResolution !== undefined) options.push([9, Uint8Array.of(one.timestampResolution)]);
  if (one.timestampOffset !== undefined) options.push([14, int64(one.timestampOffset, little)]);
  return pcapngBlock(1, [new Uint8Array(fixed.buffer), optionList(options, little)], little);
}

function packetBlock(packet: BuiltPcapngPacket, described: BuiltInterface, little: boolean): Uint8Array {
  const wire = packet.wireBytes ?? packet.bytes.length;
  const kind = packet.block ?? 'enhanced';
  if (kind === 'simple') {
    const head = new DataView(new ArrayBuffer(4));
    head.setUint32(0, wire, little);
    return pcapngBlock(3, [new Uint8Array(head.buffer), packet.bytes], little);
  }
  const resolution = described.timestampResolution ?? 6;
  const perSecond = resolution & 0x80 ? 1n << BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
  const sinceOffset = packet.timeNs - (described.timestampOffset ?? 0n) * 1_000_000_000n;
  const ticks = (sinceOffset * perSecond) / 1_000_000_000n;
  const head = new DataView(new ArrayBuffer(20));
  if (kind === 'enhanced') head.setUint32(0, packet.interfaceId ?? 0, little);
  else head.setUint16(0, packet.interfaceId ?? 0, little);
  if (kind === 'obsolete') head.setUint16(2, 0xffff, little);
  head.setUint32(4, Number((ticks >> 32n) & 0xffff_ffffn), little);
  head.setUint32(8, Number(ticks & 0xffff_ffffn), little);
  head.setUint32(12, packet.bytes.length, little);
  head.setUint32(16, wire, little);
  const options: BuiltOption[] = (packet.comments ?? []).map((text) => [1, new TextEncoder().encode(text)]);
  if (packet.flags !== undefined) {
    const flags = new DataView(new ArrayBuffer(4));
    flags.setUint32(0, packet.flags, little);
    options.push([2, new Uint8Array(flags.buffer)]);
  }
  const type = kind === 'enhanced' ? 6 : 2;
  return pcapngBlock(type, [new Uint8Array(head.buffer), padded(packet.bytes), optionList(options, little)], little);
}

function statisticsBlock(block: BuiltBlock & { kind: 'statistics' }, little: boolean): Uint8Array {
  const head = new DataView(new ArrayBuffer(12));
  head.setUint32(0, block.interfaceId ?? 0, little);
  const options: BuiltOption[] = [];
  if (block.ifDrop !== undefined) options.push([5, int64(block.ifDrop, little)]);
  if (block.osDrop !== undefined) options.push([7, int64(block.osDrop, little)]);
  return pcapngBlock(5, [new Uint8Array(head.buffer), optionList(options, little)], little);
}

function int64(value: bigint, little: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, value, little);
  return new Uint8Array(view.buffer);
}
