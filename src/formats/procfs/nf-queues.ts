/** One queue of NFQUEUE, as /proc/net/netfilter/nfnetlink_queue lists it. */
export interface QueueRow {
  readonly number: number;
  /** Netlink port of the program that bound it; its process id, as a rule. */
  readonly pid: number;
  readonly waiting: number;
  /** Dropped because the queue was full, and because the program could not be told. */
  readonly dropped: number;
  readonly userDropped: number;
}

/**
 * Parses /proc/net/netfilter/nfnetlink_queue (net/netfilter/nfnetlink_queue.c, seq_show()): queue number, port of the program,
 * packets that wait, copy mode, copy range, dropped, dropped for the program, id of the last packet, 1.
 */
export function parseNfQueues(text: string): QueueRow[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    if (fields.length < 7 || !fields.slice(0, 7).every((field) => /^\d+$/.test(field))) return [];
    const [number = 0, pid = 0, waiting = 0, , , dropped = 0, userDropped = 0] = fields.map(Number);
    return [{ number, pid, waiting, dropped, userDropped }];
  });
}
