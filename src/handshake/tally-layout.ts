/**
 * What the scan (`wasm/tally.ts`) counts of attempts as they end, and where it lies: only constants, as both sides use them. Counters of
 * a fixed place are bytes from the start of the memory, beside those of `scan-layout.ts`; tables lie behind the attempts, where they are
 * bytes from their own start; words of a record are words.
 */

/** The key that a server is looked up by. */
export const AT_KEY = 256;
/** Descriptions of the three tables of records: see `wasm/probe-table.ts`. */
export const AT_SERVERS = 320;
export const AT_HOSTS = 384;
export const AT_GROUPS = 448;
/** The word of a description that says how many records there are. */
export const USED_RECORDS = 6;
/** Float: attempts that were established, but only after something was repeated. */
export const AT_LATE = 512;
/** Float: attempts that would have been shown, but for the limit. */
export const AT_OMITTED = 520;
/** Floats: attempts of each outcome, by its index in OUTCOMES. */
export const AT_OUTCOMES = 528;
/** Of each outcome what matters about it, a byte. */
export const AT_TRAITS = 656;
/** Of each TTL how many routers a packet that has it has crossed and one, a byte. */
export const AT_HOPS = 1024;
/** Attempts that are over and not counted yet: eight words each, the first ones with the key of the group. */
export const AT_WAITING = 2048;
export const MOST_WAITING = 64;
export const WAITING_ROW = 3;
export const WAITING_GROUPED = 4;
/** An estimate of the clients of several groups together. */
export const AT_UNION = 3072;
/** Rules that give an outcome: see `outcome.ts`. */
export const AT_RULES = 1280;
export const RULE_BYTES = 12;

export const TRAIT_FAILURE = 1;
export const TRAIT_ESTABLISHED = 2;
/** Attempts with this outcome are told apart by the ICMP error that ended them; by the RST that did. */
export const TRAIT_BY_ERROR = 4;
export const TRAIT_BY_RESET = 8;

/** More servers than this are lumped together: a scan of a whole network must not take the memory. */
export const MAX_SERVERS = 50_000;
/** More groups than this share the last one. */
export const MAX_GROUPS = 200_000;
/** Attempts that are kept as examples of a group, at most. */
export const MAX_EXAMPLES = 3;
/** Groups that appear after so many others keep one example: with so many, few are shown at all. */
export const FULL_GROUPS = 1000;
/** Examples of all groups, at most. */
export const ALL_EXAMPLES = 202_000;

/** A server: its address in four words, its port, and whether it is IPv6; then a hash of these, and what is known of it. */
export const SERVER_KEY = 6;
export const SERVER_PORT = 4;
export const SERVER_IPV6 = 5;
export const SERVER_ATTEMPTS = 7;
export const SERVER_ESTABLISHED = 8;
/** Number of its host. */
export const SERVER_HOST = 9;
/** Float: shortest time from a SYN to its answer in nanoseconds, once there is a {@link SERVER_TTL}. */
export const SERVER_FASTEST = 10;
/** TTL of its answers and one, 0 when there is none, or {@link TTL_VARIES}. */
export const SERVER_TTL = 12;
export const SERVER = 16;

/** A host: a server without a port, then the TTL of its answers, coded alike. */
export const HOST_TTL = 7;
export const HOST = 8;

export const TTL_VARIES = -1;

/** A group: server, outcome and variant, then a hash of these and what is counted of it. */
export const GROUP_KEY = 3;
export const GROUP_SERVER = 0;
export const GROUP_OUTCOME = 1;
export const GROUP_VARIANT = 2;
export const GROUP_COUNT = 4;
/** Attempts without any repeated SYN. */
export const GROUP_SINGLE = 5;
/** Floats: start of the first and end of the last attempt. */
export const GROUP_FIRST = 6;
export const GROUP_LAST = 8;
/** How many examples there are; their rows, best first; and how clear each is, a byte each from the lowest. */
export const GROUP_EXAMPLES = 10;
export const GROUP_EXAMPLE = 11;
export const GROUP_CLARITIES = 14;
/** How many distinct clients are noted; once they are too many, the complement of the number of an estimate. */
export const GROUP_KNOWN = 15;
export const GROUP_CLIENTS = 16;
/** Clients, folded to a word each, that a group notes one by one: it has three cache lines in all. */
export const EXACT_CLIENTS = 32;
export const GROUP = 48;

/** Registers of an estimate of distinct clients, of 5 bits: so many to a word, from the lowest bit. */
export const REGISTERS = 512;
export const WORD_REGISTERS = 6;
export const REGISTER_BITS = 5;
export const ESTIMATE_BYTES = 344;

/** Slots of a table: twice as many as records, or more, of two words each; their number is a power of two. */
export const SERVER_SLOTS = 131_072;
export const GROUP_SLOTS = 524_288;
export const SLOT_BYTES = 8;

/** Where the parts lie, from the start of the tables, and how long they are in all: the slots of servers first, then those of hosts. */
export const HOST_SLOTS_OFFSET = 1_048_576;
export const GROUP_SLOTS_OFFSET = 2_097_152;
export const SERVERS_OFFSET = 6_291_456;
export const HOSTS_OFFSET = 9_491_456;
export const GROUPS_OFFSET = 11_091_456;
export const ESTIMATES_OFFSET = 49_491_456;
export const TALLY_BYTES = 118_291_456;
