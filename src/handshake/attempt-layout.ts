/**
 * Where everything of an attempt lies: words of a row and of an event, and the flags in them. The scan (`wasm/`) and all that reads its
 * tables share this file, so there are only constants in it.
 */

/** Events with a fixed place in each row: most attempts have no more. */
export const OWN_EVENTS = 4;
/** Words of an event. */
export const EVENT = 6;
/** Words of a row's header; a multiple of {@link EVENT}, so that the events behind it have whole indexes. */
export const HEADER = 24;
/**
 * Words from one row to the next: its header and its own events, three cache lines in all. What every packet needs stands first in the
 * header. Addresses take four words each, an IPv4 address the first of them.
 */
export const ROW = 48;
export const ROW_STATE = 0;
/** Client port in the upper half, server port in the lower. */
export const ROW_PORTS = 1;
export const ROW_CLIENT = 2;
export const ROW_SERVER = 6;
export const ROW_CLIENT_ISN = 10;
export const ROW_SERVER_ISN = 11;
/** Float index is {@link ROW_LAST_TIME} / 2: when the attempt last showed life. */
export const ROW_LAST_TIME = 12;
export const ROW_LAST_EVENT = 14;
/** Lowest byte: events in use, those that are no packets too. Above it: index of the encapsulation. */
export const ROW_EVENTS = 15;
/** SYNs, SYN-ACKs, ICMP errors, RSTs: one byte each from the lowest, stopping at 255; copies are not counted. */
export const ROW_COUNTS = 16;
/** The event behind the row's own ones; 0 when there is none. From the last one on, each borrowed event leads to the one before it. */
export const ROW_BORROWED = 17;
/** Packets that took part, also those of which no event was kept; copies are not counted. */
export const ROW_SEGMENTS = 18;
/** Options of the SYN and of the SYN-ACK: see `synOptionBits`. Then their windows. */
export const ROW_CLIENT_OPTIONS = 19;
export const ROW_SERVER_OPTIONS = 20;
export const ROW_WINDOWS = 21;
/** A float of 32 bits: gap between the last two SYNs. */
export const ROW_LAST_GAP = 22;
/** Hash of the flow, by which the row is found. */
export const ROW_HASH = 23;
/** Next row of the free list while the row is free. */
export const ROW_NEXT_FREE = 1;

/**
 * From the lowest bit: kind (4 bits), to the server (1), recorded direction (2), has a timestamp (1), TTL (8), TCP flags (8), forms of
 * the sequence and of the acknowledgement number (2 each), copies of the packet (4, stopping at 15).
 */
export const EVENT_INFO = 0;
export const EVENT_FRAME = 1;
/** Float index is {@link EVENT_TIME} / 2 behind that of the event. */
export const EVENT_TIME = 2;
/** TSval; of an ICMP error its type, code and next-hop MTU. */
export const EVENT_TSVAL = 4;
/** IP Identification in the upper half, payload bytes (at most 65535) in the lower. */
export const EVENT_ID_LENGTH = 5;
/** First word of the address in an event of {@link KIND_ADDRESS}. */
export const EVENT_ADDRESS = 2;
/** Where the numbers lie in an event of {@link KIND_NUMBERS}. */
export const EVENT_SEQ = 4;
export const EVENT_ACK = 5;

/** Lowest bit of the forms in an event's info. */
export const SEQ_FORM = 24;
export const ACK_FORM = 26;
/**
 * Most sequence numbers of a handshake follow from the initial ones, so an event only says how: it is 0, the initial number of the one
 * who sends (or is acknowledged), the one behind that, or told by the event of {@link KIND_NUMBERS} behind it.
 */
export const FORM_ZERO = 0;
export const FORM_INITIAL = 1;
export const FORM_NEXT = 2;
export const FORM_TOLD = 3;

/** At most so many packets of one attempt are kept one by one. */
export const MAX_EVENTS = 32;

export const KIND_SYN = 1;
export const KIND_SYN_ACK = 2;
export const KIND_ACK = 3;
export const KIND_DATA = 4;
export const KIND_FIN = 5;
export const KIND_RST = 6;
export const KIND_ICMP = 7;
export const KIND_OTHER = 8;
/** Not a packet: the sequence and acknowledgement numbers of the packet before it. */
export const KIND_NUMBERS = 14;
/** Not a packet: the sender's address of the ICMP error before it. One that has none came from the first of these addresses. */
export const KIND_ADDRESS = 15;

/** Flags of {@link ROW_STATE}. */
export const STATE_USED = 1;
export const STATE_IPV6 = 0x2;
/** The SYN-ACK came without a SYN before it. */
export const STATE_SYN_MISSING = 0x4;
/** A SYN-ACK with the right acknowledgement number was seen. */
export const STATE_ANSWERED = 0x8;
/** The client acknowledged the SYN-ACK. */
export const STATE_ACKED = 0x10;
/** The server sent something that it can only send once the handshake is complete. */
export const STATE_PROVED = 0x20;
export const STATE_RST_SERVER = 0x40;
export const STATE_RST_CLIENT = 0x80;
export const STATE_ICMP = 0x100;
/** An answer acknowledged something that the client did not send in this attempt. */
export const STATE_WRONG_ACK = 0x200;
/** An ACK without SYN answered the SYN (RFC 5961 section 4, or a TIME-WAIT or half-open peer). */
export const STATE_CHALLENGED = 0x400;
export const STATE_SIMULTANEOUS = 0x800;
/** The client acknowledged although no SYN-ACK was captured. */
export const STATE_ANSWER_MISSING = 0x1000;
/** A later SYN-ACK had another initial sequence number. */
export const STATE_ANSWER_CHANGED = 0x2000;
/** A SYN-ACK was repeated after the client had acknowledged it. */
export const STATE_REPEATED_AFTER_ACK = 0x4000;
export const STATE_DATA_CLIENT = 0x8000;
export const STATE_DUPLICATES = 0x10000;
/** The RST of the server came after the client's ACK. */
export const STATE_RST_AFTER_ACK = 0x20000;
/** Closed because too many were open, or because the same port began anew. */
export const STATE_DISPLACED = 0x40000;
/** The end of the capture came before the attempt could be judged. */
export const STATE_CUT_OFF = 0x80000;
/** Judged; the row is only kept to be read. */
export const STATE_CLOSED = 0x100000;
/** A packet of the server was seen at all. */
export const STATE_SERVER_SEEN = 0x200000;
/** The client's SYN carried data, or the server acknowledged some (Fast Open). */
export const STATE_FAST_OPEN = 0x400000;
/** A RST of the server came before any valid answer: it answers the SYN. */
export const STATE_REFUSED = 0x800000;
/** The client repeated the first of its data, and the server has not acknowledged any. */
export const STATE_DATA_REPEATED = 0x1000000;
/** The same, twice or more: more than a single loss. */
export const STATE_DATA_UNHEARD = 0x2000000;

/** Bits of packed SYN options below the MSS (16 bits) and the window scale (4 bits, and a bit that says it is there). */
export const OPTION_WINDOW_SCALE = 0x10;
export const OPTION_SACK = 0x20;
export const OPTION_TIMESTAMPS = 0x40;
export const OPTION_FAST_OPEN_REQUEST = 0x80;
export const OPTION_FAST_OPEN_COOKIE = 0x100;
export const OPTION_MPTCP = 0x200;
export const OPTION_MD5 = 0x400;
export const OPTION_AO = 0x800;
export const OPTION_ECN = 0x1000;
export const OPTION_MSS = 0x2000;
/** Some options lie beyond what was captured. */
export const OPTION_CUT = 0x4000;
