/**
 * Where everything lies in the memory that the scan (`wasm/`) shares with what calls it, in bytes from its start: only constants, as
 * both sides use them.
 */

/** Attempts that were begun: a float. */
export const AT_ATTEMPTS = 64;
/** Attempts that were judged before their time: a float. */
export const AT_EVICTED = 72;
/** ICMP errors about a segment of no attempt: a float. */
export const AT_STRAY_ICMP = 80;
/** Rows that were ever in use. */
export const AT_ROW_END = 88;
/** The first event that was never in use. */
export const AT_EVENT_END = 92;
/** Heads of the lists of rows and events that can be used again; -1 and 0 when empty. */
export const AT_FREE_ROW = 96;
export const AT_FREE_EVENT = 100;
/** Attempts that are open now, and the most that ever were. */
export const AT_OPEN = 104;
export const AT_PEAK_OPEN = 108;
/** Answers of the caller about one packet: its recorded direction, the packed options of its header, and its timestamp. */
export const AT_SEEN = 112;
export const AT_HAS_TSVAL = 116;
export const AT_TSVAL = 120;
/** Sender of an ICMP error in four words; an IPv4 address is the first of them. */
export const AT_SENDER = 128;
/** ICMP errors whose quoted packet the capture cut off before the sequence number: a float. */
export const AT_CUT_ICMP = 144;
/** Packets in the batch after a walk over records. */
export const AT_WALKED = 156;
/** Nothing of use: see `keepLoads`. */
export const AT_LOADED = 152;

/** Packets of a batch, at most. */
export const BATCH_PACKETS = 512;
/** The columns of a batch, with room for {@link BATCH_PACKETS} words each; those of the caller first. */
export const AT_DATA_OFFSET = 4096;
export const AT_CAPTURED_BYTES = 8192;
export const AT_RECORD_OFFSET = 12288;
export const AT_INTERFACE_ID = 16384;
/** What the scan notes of each packet: the hash of its flow, and how it is to be taken. */
export const AT_HASH = 20480;
export const AT_CLASS = 24576;

/** Bytes of the capture lie here: a record of the longest kind and as much again, so that a buffer can double. */
export const AT_INPUT = 65536;
export const INPUT_BYTES = 34603008;
/** The index of flows, and behind it the rows. */
export const AT_SLOTS = 34668544;
