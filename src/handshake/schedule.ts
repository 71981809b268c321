import type { Handshake, Segment } from '../model/handshake.ts';

/** Gaps between the retransmissions of one kind of segment. */
export interface RetransmissionSchedule {
  /** Between one transmission and the next, in nanoseconds. */
  readonly gapsNs: readonly number[];
  /** Which systems repeat like this, when the gaps tell. */
  readonly system?: string;
}

interface KnownSchedule {
  readonly system: string;
  /** Gaps in units of the initial timeout of one second. */
  readonly gaps: readonly number[];
}

/**
 * Gaps in seconds of SYN retransmissions. Linux: `tcp_retransmit_timer()` doubles from TCP_TIMEOUT_INIT (1 s), and since
 * 6.5 keeps the first `tcp_syn_linear_timeouts` (4) equal; FreeBSD and Darwin: `tcp_syn_backoff[]`; Windows before 8 and all
 * systems of RFC 1122 times began with 3 s.
 */
const SYN_SCHEDULES: readonly KnownSchedule[] = [
  { system: 'Linux 6.5 or later, macOS or FreeBSD', gaps: [1, 1, 1, 1, 1, 2, 4, 8, 16, 33] },
  { system: 'Linux before 6.5 or Windows', gaps: [1, 2, 4, 8, 16, 32] },
  { system: 'Windows before 8 or another old system', gaps: [3, 6, 12, 24] },
];

/** Timers run on ticks and paths add jitter; a quarter of a second and a tenth of the gap covers both. */
function near(gapNs: number, seconds: number): boolean {
  return Math.abs(gapNs - seconds * 1e9) <= 0.25e9 + seconds * 0.1e9;
}

/** Gaps between the SYNs of an attempt, and the systems known to repeat so; at least two gaps must agree. */
export function synSchedule(handshake: Handshake): RetransmissionSchedule {
  const gapsNs = gaps(handshake, 'syn', 'to-server');
  const fits = SYN_SCHEDULES.filter(
    (known) => gapsNs.length <= known.gaps.length && gapsNs.every((gap, i) => near(gap, known.gaps[i] as number)),
  );
  return gapsNs.length >= 2 && fits.length === 1 ? { gapsNs, system: (fits[0] as KnownSchedule).system } : { gapsNs };
}

/** Gaps between the SYN-ACKs of an attempt; an answer to a repeated SYN is among them. */
export function synAckSchedule(handshake: Handshake): RetransmissionSchedule {
  return { gapsNs: gaps(handshake, 'syn-ack', 'to-client') };
}

function gaps({ segments }: Handshake, kind: Segment['kind'], direction: Segment['direction']): number[] {
  const times = segments.filter((segment) => segment.kind === kind && segment.direction === direction);
  return times.slice(1).map((segment, i) => Number(segment.timeNs - (times[i] as Segment).timeNs));
}
