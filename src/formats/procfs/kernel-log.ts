/** One message of the kernel log. */
export interface KernelLogLine {
  /** Seconds since boot by the kernel's own clock; of `dmesg`. */
  readonly sinceBootSeconds?: number;
  /** Milliseconds since 1970; of `journalctl -o short-unix`. */
  readonly unixMs?: number;
  readonly text: string;
}

/** Parses what `dmesg` prints: `[12345.678901] text`, with the caller's id behind the time on some kernels. Others are left out. */
export function parseDmesg(text: string): KernelLogLine[] {
  const lines: KernelLogLine[] = [];
  for (const line of text.split('\n')) {
    // By hand: the log has thousands of lines, and nearly all are of this form.
    const end = line.indexOf('] ');
    const [stamp = '', caller] = line.slice(1, end).split('][');
    if (line[0] !== '[' || end < 0 || (caller !== undefined && !/^\s*[TC]\d+$/.test(caller))) continue;
    const sinceBootSeconds = Number(stamp);
    if (stamp.includes('.') && sinceBootSeconds >= 0) lines.push({ sinceBootSeconds, text: line.slice(end + 2) });
  }
  return lines;
}

/** Parses what `journalctl -k -o short-unix` prints: `1700000000.123456 host kernel: text`. Others are left out. */
export function parseKernelJournal(text: string): KernelLogLine[] {
  return text.split('\n').flatMap((line) => {
    const [, seconds, message] = /^(\d+\.\d+) \S+ kernel: (.*)$/.exec(line) ?? [];
    return message === undefined ? [] : [{ unixMs: Number(seconds) * 1000, text: message }];
  });
}

/** What of the kernel log concerns a TCP handshake, by the words of its messages. */
const CONCERNS: readonly RegExp[] = [
  /Possible SYN flooding/i,
  /nf_conntrack: .*(table full|dropping packet)/,
  /nf_ct_\w+: /,
  /nf_queue: full|nfnetlink_queue/,
  /neighbou?r table overflow/i,
  /martian (source|destination)/,
  /duplicate address/i,
  /out of memory|oom-kill|oom_reaper|page allocation failure/i,
  /\bTCP: /,
  /too many orphaned sockets|time wait bucket table overflow/,
  /\bMD5 Hash\b/,
  /\bIN=\S* OUT=\S* .*PROTO=TCP\b/,
  /\b(avc: +denied|apparmor="DENIED"|type=14\d\d\b)/,
  /NETDEV WATCHDOG|transmit (queue|timed out)|tx timeout/i,
  /\blink (is )?(not ready|becomes ready|up|down)\b/i,
  /entered (blocking|disabled|forwarding|learning) state/,
  /dst cache overflow|Route cache is full/i,
];

/** Whether a message of the kernel log may have to do with a handshake that failed. */
export function concernsNetwork(text: string): boolean {
  return CONCERNS.some((pattern) => pattern.test(text));
}
