import { type BuiltPacket, type PacketOptions, packet } from '../../formats/wire/testing/packets.ts';

/** The two ends of a conversation, and how far away the capture is from each. */
export interface ConversationOptions extends PacketOptions {
  /** `address:port`, an IPv6 address in brackets (`10.0.0.1:40000`). */
  readonly client?: string;
  /** The same (`10.0.0.2:443`). */
  readonly server?: string;
  /** TTL of the client's packets (64: captured at the client). */
  readonly clientTtl?: number;
  /** TTL of the server's packets (57). */
  readonly serverTtl?: number;
  /** Added to every time, in seconds (0). */
  readonly shift?: number;
}

/** Ends of a conversation over IPv6. */
export const OVER_IPV6: ConversationOptions = { client: '[2001:db8::1]:40000', server: '[2001:db8:2::2]:443' };

const LINE = /^(\d+(?:\.\d+)?) ([<>]) (.*?)(?: ttl (\d+))?(?: id (\d+))?$/;

/**
 * Builds the packets of one connection, one a line: time in seconds, `>` for the client's and `<` for the server's, then the
 * segment as in the notation of `packet`; `ttl N` and `id N` (IPv4 Identification) may end the line. Without `id` every packet
 * gets another one. Empty lines and `//` comments do not count.
 *
 * ```
 * 0.00 > S 1000
 * 0.02 < S. 9000 ack 1001
 * 0.02 > . 1001 ack 9001
 * ```
 */
export function conversation(text: string, options: ConversationOptions = {}): BuiltPacket[] {
  const { client = '10.0.0.1:40000', server = '10.0.0.2:443', clientTtl = 64, serverTtl = 57, shift = 0 } = options;
  const lines = text
    .split('\n')
    .map((line) => line.replace(/\/\/.*/, '').trim())
    .filter((line) => line !== '');
  return lines.map((line, i) => {
    const match = LINE.exec(line);
    if (match === null) throw new Error(`not a line of a conversation: ${line}`);
    const [, seconds, arrow, segment, ttl, ipId] = match;
    const ends = arrow === '>' ? `${client} > ${server}` : `${server} > ${client}`;
    const time = (Number(seconds) + shift).toFixed(9);
    return packet(`${time} ${ends} ${segment}`, {
      ...options,
      ttl: Number(ttl ?? (arrow === '>' ? clientTtl : serverTtl)),
      ipId: Number(ipId ?? i + 1),
      outgoing: options.outgoing ?? (arrow === '>') === (clientTtl === 64),
    });
  });
}

/** Packets in the order of their times, as a capture holds them. */
export function interleave(...conversations: readonly (readonly BuiltPacket[])[]): BuiltPacket[] {
  return conversations.flat().sort((a, b) => Number(a.timeNs - b.timeNs));
}
