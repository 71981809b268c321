import type { FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { TCP_SYN } from '../formats/wire/tcp.ts';
import { foldIpv6, hashFlow } from './flow-index.ts';
import { type IntakeCounts, PacketIntake } from './packet-intake.ts';
import type { HandshakeTracker } from './tracker.ts';

/** What a scan met, packet by packet. */
export interface ScanCounts extends IntakeCounts {
  packets: number;
}

/** How the network layer is found in packets of the common link types without looking further. */
interface LinkLayout {
  /** Offset of the EtherType; -1 when the IP version is read from the IP header itself. */
  readonly etherType: number;
  /** Offset of the IP header. */
  readonly network: number;
}

const LAYOUTS: Readonly<Record<number, LinkLayout>> = {
  1: { etherType: 12, network: 14 },
  113: { etherType: 14, network: 16 },
  276: { etherType: 0, network: 20 },
  101: { etherType: -1, network: 0 },
  12: { etherType: -1, network: 0 },
  228: { etherType: -1, network: 0 },
  229: { etherType: -1, network: 0 },
};

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;

/**
 * Finds the few packets of a capture that can matter to a handshake and hands them to a tracker. One call a batch; most
 * packets cost a handful of loads: a TCP packet without SYN is passed over when its flow hash meets an empty slot.
 */
export class HandshakeScanner {
  readonly counts: ScanCounts = { packets: 0, cutTcp: 0, cutIcmp: 0, malformed: 0 };
  private readonly tracker: HandshakeTracker;
  private readonly intake: PacketIntake;

  constructor(tracker: HandshakeTracker) {
    this.tracker = tracker;
    this.intake = new PacketIntake(tracker, this.counts);
  }

  /** Takes the packets of one batch; `firstFrame` is the number of its first packet, counted from 1. */
  scan(reader: FrameReader, view: DataView, batch: FrameBatch, firstFrame: number): void {
    const { count, dataOffset, capturedBytes, interfaceId } = batch;
    const { index } = this.tracker;
    const { intake } = this;
    let currentInterface = -1;
    let etherTypeOffset = -2;
    let networkOffset = 0;
    this.counts.packets += count;
    intake.begin(reader, view, batch, firstFrame);
    for (let i = 0; i < count; i++) {
      if (interfaceId[i] !== currentInterface) {
        currentInterface = interfaceId[i]!;
        const layout = LAYOUTS[reader.interfaces[currentInterface]?.linkType ?? -1];
        etherTypeOffset = layout?.etherType ?? -2;
        networkOffset = layout?.network ?? 0;
      }
      const start = dataOffset[i]!;
      const end = start + capturedBytes[i]!;
      const ip = start + networkOffset;
      // Room for an IPv4 header and the TCP header up to its flags; whatever is shorter goes the careful way.
      if (etherTypeOffset === -2 || ip + 40 > end) {
        intake.careful(i);
        continue;
      }
      const versionAndLength = view.getUint8(ip);
      const etherType =
        etherTypeOffset < 0
          ? versionAndLength >>> 4 === 4
            ? ETHERTYPE_IPV4
            : ETHERTYPE_IPV6
          : view.getUint16(start + etherTypeOffset);
      let transport: number;
      let hash: number;
      let protocol: number;
      if (etherType === ETHERTYPE_IPV4) {
        protocol = view.getUint8(ip + 9);
        if (versionAndLength !== 0x45 || (view.getUint16(ip + 6) & 0x3fff) !== 0) {
          intake.careful(i);
          continue;
        }
        transport = ip + 20;
        hash = protocol === 6 ? hashFlow(view.getInt32(ip + 12), view.getInt32(ip + 16), view.getInt32(transport)) : 0;
      } else if (etherType === ETHERTYPE_IPV6) {
        protocol = view.getUint8(ip + 6);
        transport = ip + 40;
        if (transport + 20 > end) {
          intake.careful(i);
          continue;
        }
        hash = protocol === 6 ? hashIpv6(view, ip, transport) : 0;
      } else {
        if (etherType !== ETHERTYPE_ARP) intake.careful(i);
        continue;
      }
      if (protocol === 6) {
        const { slots, mask } = index;
        let at = hash & mask;
        let slot = slots[at]!;
        if (slot === 0 || (slot ^ hash) >>> 24 !== 0) {
          if ((view.getUint8(transport + 13) & TCP_SYN) === 0) {
            while (slot !== 0 && (slot ^ hash) >>> 24 !== 0) {
              at = (at + 1) & mask;
              slot = slots[at]!;
            }
            if (slot === 0) continue;
          }
        }
        intake.plain(i, ip, transport, hash, etherType === ETHERTYPE_IPV6);
      } else if (protocol !== 17 || isTunnelPort(view.getUint16(transport + 2))) {
        intake.careful(i);
      }
    }
  }
}

function hashIpv6(view: DataView, ip: number, transport: number): number {
  const from = foldIpv6(view.getInt32(ip + 8), view.getInt32(ip + 12), view.getInt32(ip + 16), view.getInt32(ip + 20));
  const to = foldIpv6(view.getInt32(ip + 24), view.getInt32(ip + 28), view.getInt32(ip + 32), view.getInt32(ip + 36));
  return hashFlow(from, to, view.getInt32(transport));
}

/** UDP destination ports of VXLAN (and Linux's old default) and Geneve. */
function isTunnelPort(port: number): boolean {
  return port === 4789 || port === 8472 || port === 6081;
}
