import type { Layers } from './layers.ts';
import { lacks, NEXT_LLC, NEXT_STOP } from './steps.ts';

/** Hardware types (linux/if_arp.h) whose protocol field is no EtherType. */
const ARPHRD_CAN = 280;
const ARPHRD_FRAD = 770;
const ARPHRD_IEEE80211_RADIOTAP = 803;
const ARPHRD_NETLINK = 824;

/**
 * Decodes the Linux cooked-mode header, version 1 (https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html):
 *
 * ```
 *  0 packet type (2)  2 ARPHRD_ type (2)  4 address length (2)  6 address (8)  14 protocol (2)
 * ```
 */
export function dissectSll(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 16)) return NEXT_STOP;
  layers.cursor = offset + 16;
  layers.direction = directionOf(view.getUint16(offset));
  return nextOf(view.getUint16(offset + 2), view.getUint16(offset + 14));
}

/**
 * Decodes the Linux cooked-mode header, version 2 (https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html):
 *
 * ```
 *  0 protocol (2)  2 reserved (2)  4 interface index (4)  8 ARPHRD_ type (2)  10 packet type (1)  11 address length (1)
 * 12 address (8)
 * ```
 */
export function dissectSll2(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 20)) return NEXT_STOP;
  layers.cursor = offset + 20;
  layers.direction = directionOf(view.getUint8(offset + 10));
  return nextOf(view.getUint16(offset + 8), view.getUint16(offset));
}

/** PACKET_HOST, PACKET_BROADCAST and PACKET_MULTICAST came in, PACKET_OTHERHOST (3) was for someone else. */
function directionOf(packetType: number): number {
  if (packetType === 4) return 2;
  return packetType <= 2 ? 1 : 0;
}

function nextOf(hardware: number, protocol: number): number {
  if (
    hardware === ARPHRD_NETLINK ||
    hardware === ARPHRD_IEEE80211_RADIOTAP ||
    hardware === ARPHRD_FRAD ||
    hardware === ARPHRD_CAN
  ) {
    return NEXT_STOP;
  }
  // ETH_P_802_2 of linux/if_ether.h; other values below 0x600 are no IP.
  if (protocol === 0x0004) return NEXT_LLC;
  return protocol >= 0x0600 ? protocol : NEXT_STOP;
}
