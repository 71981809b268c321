/** One queueing discipline, as `tc -s qdisc show` prints it. */
export interface TcQdisc {
  readonly device: string;
  readonly kind: string;
  /** `1:`, `ffff:`. */
  readonly handle: string;
  /** Absent for the root one. */
  readonly parent?: string;
  readonly dropped: number;
  readonly overlimits: number;
  /** Its first line, without the counters. */
  readonly text: string;
}

/** At most so many disciplines are kept. */
const MAX_QDISCS = 5_000;

/** Parses `tc -s qdisc show`, of one interface or all, as text: that is the same in every version. */
export function parseQdiscs(output: string): readonly TcQdisc[] {
  const qdiscs: TcQdisc[] = [];
  for (const block of output.split(/^(?=qdisc )/m)) {
    const head = /^qdisc (\S+) (\S+) (?:\[offload\w*\] )?dev (\S+) (?:root|parent (\S+)|)(.*)/.exec(block);
    if (head === null || qdiscs.length >= MAX_QDISCS) continue;
    const [line, kind, handle, device, parent] = head;
    const { dropped, overlimits } = parseTcCounters(block);
    qdiscs.push({
      device: device!,
      kind: kind!,
      handle: handle!,
      ...(parent === undefined ? {} : { parent }),
      dropped,
      overlimits,
      text: line.trim().replace(/ -+$/, ''),
    });
  }
  return qdiscs;
}

/** Counters as tc prints them: ` Sent 242 bytes 3 pkt (dropped 12, overlimits 0 requeues 0)`; the sum of all such lines. */
export function parseTcCounters(block: string): { readonly dropped: number; readonly overlimits: number } {
  let [dropped, overlimits] = [0, 0];
  for (const match of block.matchAll(/\(dropped (\d+), overlimits (\d+)/g)) {
    dropped += Number(match[1]);
    overlimits += Number(match[2]);
  }
  return { dropped, overlimits };
}

/** Kinds of disciplines in which classifiers decide about packets on their way; those of the others only choose a class. */
export function hasFilterHooks({ kind }: TcQdisc): boolean {
  return kind === 'clsact' || kind === 'ingress';
}

/** Kinds that have classes, and so may have classifiers with actions. */
const CLASSFUL = new Set([
  'htb',
  'hfsc',
  'prio',
  'drr',
  'qfq',
  'cbq',
  'ets',
  'dsmark',
  'atm',
  'multiq',
  'sfb',
  'choke',
]);

/** Whether classifiers may hang on a discipline itself. */
export function isClassful({ kind }: TcQdisc): boolean {
  return CLASSFUL.has(kind);
}
