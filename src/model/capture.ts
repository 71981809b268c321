/** Something that limits or colours what a capture can show: damage, loss, a short snaplen. */
export interface Note {
  /** Stable name, for scripts. */
  readonly code: string;
  /** One sentence: what, with its number. */
  readonly statement: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A point of capture as the file names it: one pcapng interface, or the whole of a pcap file. */
export interface CaptureInterface {
  readonly name?: string;
  readonly description?: string;
  /** LINKTYPE_ value of https://www.tcpdump.org/linktypes.html. */
  readonly linkType: number;
  /** Bytes of each packet that were kept; 0 when unlimited. */
  readonly snapLength: number;
}

/** What is known of one capture after it was read. */
export interface CaptureSummary {
  /** Short and unique among the captures of a report; `-` is standard input. */
  readonly name: string;
  /** Path as the user gave it, when it is another than the name. */
  readonly path?: string;
  readonly format: 'pcap' | 'pcapng';
  readonly compression?: 'gzip' | 'zstd';
  readonly interfaces: readonly CaptureInterface[];
  readonly packets: number;
  /** Bytes of the (uncompressed) capture file that were read. */
  readonly bytes: number;
  readonly firstNs?: bigint;
  readonly lastNs?: bigint;
  readonly notes: readonly Note[];
}
