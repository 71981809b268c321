import { canonicalAddress } from '../wire/canonical-address.ts';

/** One end of a tracked connection. */
export interface TrackedTuple {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** One tracked TCP connection. */
export interface ConntrackEntry {
  /** State of the TCP tracker: `SYN_SENT`, `ESTABLISHED`, ... */
  readonly state?: string;
  readonly unreplied: boolean;
  readonly assured: boolean;
  readonly original: TrackedTuple;
  /** As the answer is expected: differs from the reversed original when it is translated. */
  readonly reply: TrackedTuple;
  /** The line without repeated spaces. */
  readonly text: string;
}

const TUPLE = /\bsrc=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g;

/**
 * Parses the TCP entries of /proc/net/nf_conntrack (net/netfilter/nf_conntrack_standalone.c, ct_seq_show()) or of `conntrack -L`,
 * which prints the same without the first two columns. Other lines are left out.
 */
export function parseConntrackEntries(text: string): ConntrackEntry[] {
  return text.split('\n').flatMap((line) => {
    const bare = line.trim().replace(/\s+/g, ' ');
    const head = /^(?:ipv[46] \d+ )?tcp 6 (?:\d+ )?(?:([A-Z][A-Z_0-9]*) )?/.exec(bare);
    if (head === null) return [];
    const [original, reply] = [...bare.matchAll(TUPLE)].map(tupleOf);
    if (original === undefined || reply === undefined) return [];
    const state = head[1];
    const flags = { unreplied: bare.includes('[UNREPLIED]'), assured: bare.includes('[ASSURED]') };
    return [{ ...(state === undefined ? {} : { state }), ...flags, original, reply, text: bare }];
  });
}

function tupleOf([, source = '', destination = '', sourcePort, destinationPort]: RegExpMatchArray): TrackedTuple {
  return {
    source: canonicalAddress(source)?.address ?? source,
    destination: canonicalAddress(destination)?.address ?? destination,
    sourcePort: Number(sourcePort),
    destinationPort: Number(destinationPort),
  };
}
