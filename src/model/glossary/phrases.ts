import type { Check, Explanation } from './entry.ts';

/** Of what drops a SYN on input without a word. */
export const SILENT: Pick<Explanation, 'wire' | 'application'> = {
  wire: 'SYN, repeated, without an answer.',
  application: 'ETIMEDOUT.',
};

/** Of what drops packets of this host after TCP and before the wire. */
export const OUTPUT_DROP: Pick<Explanation, 'wire' | 'application' | 'traps'> = {
  wire: 'The packet is not in a capture on this host: tcpdump listens after this point.',
  application: 'ETIMEDOUT, on either side; never EPERM.',
  traps: [
    'TcpOutSegs counts the packet although it never left. For a SYN-ACK TCPTimeouts moves, and TCPSynRetrans and ListenDrops do not.',
  ],
};

/** Shows every drop with its reason and kernel function. */
export const TRACE_DROPS: Check = {
  statement: 'Every drop of 10 s with its reason and place (as root):',
  command: 'perf record -qae skb:kfree_skb sleep 10; perf script',
};
