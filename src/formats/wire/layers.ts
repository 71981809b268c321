/** What a packet turned out to carry, innermost. */
export const CONTENT_NONE = 0;
export const CONTENT_TCP = 1;
export const CONTENT_ICMP = 2;
export const CONTENT_ICMPV6 = 3;
export const CONTENT_OTHER = 4;

/** Kinds of encapsulation, in {@link Layers.tunnelKind}. */
export const TUNNEL_VLAN = 1;
export const TUNNEL_MPLS = 2;
export const TUNNEL_PPPOE = 3;
export const TUNNEL_IPIP = 4;
export const TUNNEL_GRE = 5;
export const TUNNEL_VXLAN = 6;
export const TUNNEL_GENEVE = 7;

/** Most encapsulations that are followed in one packet; deeper ones are left undissected. */
export const MAX_TUNNELS = 8;

/**
 * Where the headers of one packet lie: reused for every packet, all offsets into the buffer given to `dissect`.
 * Valid only for the fields that `content` implies.
 */
export interface Layers {
  content: number;
  /** 4 or 6: the innermost IP header. */
  ipVersion: number;
  ipOffset: number;
  /** IPv4 protocol or the last next header of IPv6: of what starts at `transportOffset`. */
  ipProtocol: number;
  /** Start of the TCP, ICMP or ICMPv6 header. */
  transportOffset: number;
  /** Bytes of that header and its payload on the wire, by the lengths in the IP header; may exceed what was captured. */
  transportBytes: number;
  /** First byte after what was captured of this packet (Ethernet padding removed). */
  end: number;
  /**
   * True when the capture ends before the headers that matter do: snaplen too short. `content` may be set nevertheless: check
   * that the bytes that are read lie before `end`.
   */
  cut: boolean;
  /** True when a header contradicts itself; the layers before it are still right. */
  malformed: boolean;
  /** True for the first fragment of a fragmented packet; later fragments have `CONTENT_OTHER`. */
  firstFragment: boolean;
  /** True for the other fragments of a fragmented packet, which have no transport header. */
  laterFragment: boolean;
  /** 0 unknown, 1 incoming, 2 outgoing, by the packet type of Linux cooked captures. */
  direction: number;
  tunnelCount: number;
  readonly tunnelKind: Uint8Array;
  /** VLAN id, MPLS label, PPPoE session, GRE key or ERSPAN session, VNI; 0 where there is none. */
  readonly tunnelId: Uint32Array;
  /** Scratch of `dissect`: where the next header starts. */
  cursor: number;
  /** Scratch of `dissect`: where the packet ends on the wire by the lengths in its headers; Infinity before the first one. */
  wireEnd: number;
}

/** Makes a `Layers` to be filled by `dissect`. */
export function createLayers(): Layers {
  return {
    content: CONTENT_NONE,
    ipVersion: 0,
    ipOffset: 0,
    ipProtocol: 0,
    transportOffset: 0,
    transportBytes: 0,
    end: 0,
    cut: false,
    malformed: false,
    firstFragment: false,
    laterFragment: false,
    direction: 0,
    tunnelCount: 0,
    tunnelKind: new Uint8Array(MAX_TUNNELS),
    tunnelId: new Uint32Array(MAX_TUNNELS),
    cursor: 0,
    wireEnd: Number.POSITIVE_INFINITY,
  };
}
