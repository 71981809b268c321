import { IPPROTO_TCP, IPPROTO_UDP } from '../numbers.ts';
import { encapsulate, ipPayload, LINK_TYPES, type LinkName, link, type Payload, type Tunnel } from './encapsulate.ts';
import { encodeIcmp, encodeIp, encodeTransport, type IpOptions, icmpProtocol } from './internet.ts';
import { addressOf, type NotedPacket, parseNotation } from './notation.ts';

/** How a built packet looks around its TCP segment; see also {@link IpOptions}. */
export interface PacketOptions extends IpOptions {
  /** Link type of the capture (`ethernet`). */
  readonly link?: LinkName;
  /** 802.1Q tags, outermost first, outside of `tunnels`. */
  readonly vlan?: readonly number[];
  /** Encapsulations, outermost first. */
  readonly tunnels?: readonly Tunnel[];
  /** For `sll` and `sll2`: the capturing host sent the packet (false: it received it). */
  readonly outgoing?: boolean;
  /** Bytes of the frame that the capture keeps (all): cuts the packet as a snaplen does. */
  readonly snapBytes?: number;
  /** Smallest length of the frame: shorter ones get trailing zeros, as on Ethernet (none). */
  readonly padToBytes?: number;
}

/** A packet as it would lie in a capture. */
export interface BuiltPacket {
  /** Nanoseconds, on whatever scale the notation used. */
  readonly timeNs: bigint;
  /** The frame with its link-layer header, cut to `snapBytes`. */
  readonly bytes: Uint8Array;
  /** Length of the frame before it was cut. */
  readonly wireBytes: number;
  /** LINKTYPE_ value of the frame. */
  readonly linkType: number;
  /** The innermost IP packet, whole: what an ICMP error would quote. */
  readonly ip: Uint8Array;
}

/** How an ICMP error looks. */
export interface IcmpOptions extends PacketOptions {
  /** Time of the error (one millisecond after the packet that it quotes). */
  readonly timeNs?: bigint;
  /** Next-hop MTU: ICMP 3/4, ICMPv6 type 2 (0). */
  readonly mtuBytes?: number;
  /** Bytes of the packet that are quoted (548 in ICMP, 1232 in ICMPv6, as Linux does). 28 is the RFC 792 minimum. */
  readonly quoteBytes?: number;
}

/**
 * Builds a packet, with right checksums, from one line of a notation near to packetdrill's:
 *
 * ```
 * 0.000 10.0.0.1:1234 > 10.0.0.2:80 S 1000:1000(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>
 * 0.020 [2001:db8::2]:80 > [2001:db8::1]:1234 S. 9000 ack 1001 win 65535 <mss 1440>
 * 0.030 10.0.0.1:5353 > 10.0.0.2:53 udp (20)
 * ```
 *
 * Time in seconds; flags of `F S R P . U E W` (`.` is ACK, `E` ECE, `W` CWR, `-` none); `seq`, or `seq:end(payload bytes)`
 * where the SYN and FIN do not count, as in packetdrill; then, each optional, `ack`, `win`, and options: `mss N`, `wscale N`,
 * `sackOK`, `sack L:R L:R`, `TS val N ecr N`, `nop`, `eol`, `FO [hex cookie]`, `FOEXP [hex cookie]`, `md5`, `ao`,
 * `mp_capable`, `mp_join`, `raw HEX`. Options are padded with zeros to a multiple of four bytes.
 * @throws Error when the line does not follow the notation.
 */
export function packet(notation: string, options: PacketOptions = {}): BuiltPacket {
  return build(parseNotation(notation), 0n, options);
}

/**
 * Builds one packet for each line of `text`, see {@link packet}. Empty lines and `//` comments do not count; a time such as
 * `+0.2` counts from the line before.
 */
export function packets(text: string, options: PacketOptions = {}): BuiltPacket[] {
  const built: BuiltPacket[] = [];
  for (const line of text.split('\n').map((text) => text.replace(/\/\/.*/, '').trim())) {
    if (line !== '') built.push(build(parseNotation(line), built.at(-1)?.timeNs ?? 0n, options));
  }
  return built;
}

/**
 * Builds the ICMP or ICMPv6 error that `from` sends to the source of `quoted`, with right checksums.
 * @param from - address of the router or host that complains, of the same IP version as the quoted packet.
 */
export function icmp(
  from: string,
  type: number,
  code: number,
  quoted: Pick<BuiltPacket, 'ip' | 'timeNs'>,
  options: IcmpOptions = {},
): BuiltPacket {
  const source = addressOf(from);
  const version4 = source.length === 4;
  const destination = version4 ? quoted.ip.subarray(12, 16) : quoted.ip.subarray(8, 24);
  const quote = quoted.ip.subarray(0, options.quoteBytes ?? (version4 ? 548 : 1232));
  const message = encodeIcmp(source, destination, type, code, options.mtuBytes ?? 0, quote);
  const ip = encodeIp(source, destination, icmpProtocol(source), message, { dontFragment: false, ...options });
  return frame(options.timeNs ?? quoted.timeNs + 1_000_000n, ip, options);
}

function build(noted: NotedPacket, previousNs: bigint, options: PacketOptions): BuiltPacket {
  const protocol = noted.protocol === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP;
  const ip = encodeIp(noted.source, noted.destination, protocol, encodeTransport(noted), options);
  return frame(noted.relative ? previousNs + noted.timeNs : noted.timeNs, ip, options);
}

function frame(timeNs: bigint, ip: Uint8Array, options: PacketOptions): BuiltPacket {
  const vlans = (options.vlan ?? []).map((id): Tunnel => ({ kind: 'vlan', id }));
  const tunnels = [...vlans, ...(options.tunnels ?? [])];
  const payload = tunnels.reduceRight<Payload>(encapsulate, ipPayload(ip));
  const name = options.link ?? 'ethernet';
  const unpadded = link(payload, name, options.outgoing ?? false);
  const whole = new Uint8Array(Math.max(unpadded.length, options.padToBytes ?? 0));
  whole.set(unpadded);
  const bytes = whole.slice(0, options.snapBytes ?? whole.length);
  return { timeNs, bytes, wireBytes: whole.length, linkType: LINK_TYPES[name], ip };
}
