import { isIcmpError } from '../../formats/wire/icmp.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from '../../formats/wire/numbers.ts';
import { SLL2_BYTES } from '../sll2-stream.ts';
import type { Pseudonyms } from './pseudonyms.ts';

const ICMP_REDIRECT = 5;
const ND_MESSAGES = { solicitation: 135, advertisement: 136, redirect: 137 };
const MAC_BYTES = 6;

/** Replaces the addresses of captured packets in place; checksums stay as right or wrong as they were. */
export class PacketAnonymizer {
  private readonly pseudonyms: Pseudonyms;
  private bytes: Uint8Array = new Uint8Array(0);
  private view: DataView = new DataView(new ArrayBuffer(0));
  private end = 0;

  constructor(pseudonyms: Pseudonyms) {
    this.pseudonyms = pseudonyms;
  }

  /** Of one packet with its LINKTYPE_LINUX_SLL2 header. */
  packet(view: DataView, start: number, end: number): void {
    this.view = view;
    this.bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    this.end = end;
    if (view.getUint8(start + 11) === MAC_BYTES) this.mac(start + 12);
    const network = start + SLL2_BYTES;
    switch (view.getUint16(start)) {
      case ETHERTYPE_ARP:
        this.arp(network);
        break;
      case ETHERTYPE_IPV4:
      case ETHERTYPE_IPV6:
        this.ip(network, true);
        break;
    }
  }

  /** RFC 826: hardware type, protocol type, lengths of their addresses, operation, sender's and target's addresses. */
  private arp(at: number): void {
    if (at + 28 > this.end || this.view.getUint16(at + 2) !== ETHERTYPE_IPV4) return;
    this.mac(at + 8);
    this.address(at + 14, 4);
    this.mac(at + 18);
    this.address(at + 24, 4);
  }

  /** An IP packet, or the quote of one. */
  private ip(at: number, isOuter: boolean): void {
    if (at >= this.end) return;
    const version = this.view.getUint8(at) >>> 4;
    if (version === 4) this.ipv4(at, isOuter);
    else if (version === 6) this.ipv6(at, isOuter);
  }

  private ipv4(at: number, isOuter: boolean): void {
    if (at + 20 > this.end) return;
    const changed = this.address(at + 12, 4) + this.address(at + 16, 4);
    this.adjust(at + 10, changed);
    const payload = at + (this.view.getUint8(at) & 15) * 4;
    const isLaterFragment = (this.view.getUint16(at + 6) & 0x1fff) !== 0;
    if (!isLaterFragment) this.transport(this.view.getUint8(at + 9), payload, changed, isOuter);
  }

  private ipv6(at: number, isOuter: boolean): void {
    if (at + 40 > this.end) return;
    const changed = this.address(at + 8, 16) + this.address(at + 24, 16);
    this.transport(this.view.getUint8(at + 6), at + 40, changed, isOuter);
  }

  /** @param changed by how much the sum of the addresses grew, which is part of the checksum of what they carry. */
  private transport(protocol: number, at: number, changed: number, isOuter: boolean): void {
    if (protocol === IPPROTO_TCP) this.adjust(at + 16, changed);
    else if (protocol === IPPROTO_UDP && at + 8 <= this.end && this.view.getUint16(at + 6) !== 0)
      this.adjust(at + 6, changed);
    else if (protocol === IPPROTO_ICMP && isOuter) this.icmp(at);
    else if (protocol === IPPROTO_ICMPV6) this.icmpv6(at, changed, isOuter);
  }

  private icmp(at: number): void {
    if (at + 8 > this.end) return;
    const type = this.view.getUint8(at);
    const before = this.sum(at + 4);
    if (type === ICMP_REDIRECT) this.address(at + 4, 4);
    if (type === ICMP_REDIRECT || isIcmpError(4, type)) this.ip(at + 8, false);
    this.adjust(at + 2, this.sum(at + 4) - before);
  }

  private icmpv6(at: number, changed: number, isOuter: boolean): void {
    if (at + 8 > this.end) return;
    const type = this.view.getUint8(at);
    const before = this.sum(at + 4);
    if (isOuter) {
      if (isIcmpError(6, type)) this.ip(at + 8, false);
      else this.neighbourDiscovery(type, at);
    }
    this.adjust(at + 2, changed + this.sum(at + 4) - before);
  }

  /** RFC 4861 section 4: one or two addresses, then options in units of eight bytes. */
  private neighbourDiscovery(type: number, at: number): void {
    const addresses =
      type === ND_MESSAGES.redirect
        ? 2
        : type === ND_MESSAGES.solicitation || type === ND_MESSAGES.advertisement
          ? 1
          : 0;
    if (addresses === 0) return;
    let option = at + 8 + 16 * addresses;
    for (let index = 0; index < addresses; index++) this.address(at + 8 + 16 * index, 16);
    while (option + 8 <= this.end) {
      const kind = this.view.getUint8(option);
      const length = this.view.getUint8(option + 1) * 8;
      // Source and target link-layer address.
      if ((kind === 1 || kind === 2) && length === 8) this.mac(option + 2);
      if (length === 0) return;
      option += length;
    }
  }

  /** Replaces an address; returns by how much the sum of its words grew. */
  private address(at: number, length: 4 | 16): number {
    if (at + length > this.end) {
      // Cut in the middle: what is there of it would still tell.
      this.bytes.fill(0, at, this.end);
      return 0;
    }
    const before = this.sum(at, at + length);
    this.pseudonyms.addressBytes(this.bytes.subarray(at, at + length));
    return this.sum(at, at + length) - before;
  }

  private mac(at: number): void {
    if (at + MAC_BYTES <= this.end) this.pseudonyms.macBytes(this.bytes.subarray(at, at + MAC_BYTES));
  }

  private sum(at: number, end: number = this.end): number {
    let sum = 0;
    for (let offset = at; offset + 1 < end; offset += 2) sum += this.view.getUint16(offset);
    if (end > at && (end - at) % 2 === 1) sum += this.view.getUint8(end - 1) << 8;
    return sum;
  }

  /** RFC 1624: a checksum after the sum of what it covers grew. */
  private adjust(at: number, grown: number): void {
    if (at + 2 > this.end || grown === 0) return;
    let sum = (~this.view.getUint16(at) & 0xffff) + (((grown % 0xffff) + 0xffff) % 0xffff);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    this.view.setUint16(at, ~sum & 0xffff);
  }
}
