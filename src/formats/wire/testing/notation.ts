import { parseAddress } from '../address.ts';
import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG } from '../tcp.ts';
import { hex, join, u16, u32 } from './bytes.ts';

/** One TCP segment or UDP datagram as its notation says it. */
export interface NotedPacket {
  readonly timeNs: bigint;
  /** True for `+0.2`: nanoseconds after the packet before it. */
  readonly relative: boolean;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: 'tcp' | 'udp';
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  /** TCP options, padded to a multiple of four bytes. */
  readonly options: Uint8Array;
  readonly payloadBytes: number;
}

const FLAG_BITS: Readonly<Record<string, number>> = {
  F: TCP_FIN,
  S: TCP_SYN,
  R: TCP_RST,
  P: TCP_PSH,
  '.': TCP_ACK,
  U: TCP_URG,
  E: TCP_ECE,
  W: TCP_CWR,
};

const ENDPOINT = String.raw`(?:\[([0-9a-fA-F:.]+)\]|([\d.]+)):(\d+)`;
const TCP = String.raw`([FSRP.UEW]+|-) (\d+)(?::(\d+)\((\d+)\))?(?: ack (\d+))?(?: win (\d+))?(?: <([^>]*)>)?`;
const LINE = new RegExp(String.raw`^(\+?)(\d+(?:\.\d{1,9})?) ${ENDPOINT} > ${ENDPOINT} (?:udp \((\d+)\)|${TCP})$`);

/**
 * Parses one line of the packetdrill-like notation that {@link packet} describes.
 * @throws Error when the line does not follow it.
 */
export function parseNotation(line: string): NotedPacket {
  const match = LINE.exec(line.trim().replace(/\s+/g, ' '));
  if (match === null) throw new Error(`not in packet notation: ${line}`);
  const [, plus, time, source6, source4, sourcePort, destination6, destination4, destinationPort, udpBytes, ...tcp] =
    match;
  const [flags, seq, end, length, ack, window, options] = tcp;
  const payloadBytes = Number(udpBytes ?? length ?? 0);
  if (end !== undefined && Number(end) !== (Number(seq) + payloadBytes) % 2 ** 32) {
    throw new Error(`sequence numbers ${seq}:${end} do not span ${payloadBytes} bytes: ${line}`);
  }
  return {
    timeNs: parseSeconds(time!),
    relative: plus === '+',
    source: addressOf(source6 ?? source4!),
    destination: addressOf(destination6 ?? destination4!),
    sourcePort: Number(sourcePort),
    destinationPort: Number(destinationPort),
    protocol: udpBytes === undefined ? 'tcp' : 'udp',
    flags: [...(flags ?? '')].reduce((bits, letter) => bits | (FLAG_BITS[letter] ?? 0), 0),
    seq: Number(seq ?? 0),
    ack: Number(ack ?? 0),
    window: Number(window ?? 0),
    options: encodeOptions(options ?? ''),
    payloadBytes,
  };
}

/** Parses an address or throws. */
export function addressOf(text: string): Uint8Array {
  const bytes = parseAddress(text);
  if (bytes === undefined) throw new Error(`not an address: ${text}`);
  return bytes;
}

function parseSeconds(text: string): bigint {
  const [seconds, fraction] = text.split('.');
  return BigInt(seconds!) * 1_000_000_000n + BigInt((fraction ?? '').padEnd(9, '0'));
}

function encodeOptions(text: string): Uint8Array {
  const options = text.split(',').filter((option) => option.trim() !== '');
  const bytes = join(...options.map((option) => encodeOption(option.trim())));
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  if (padded.length > 40) throw new Error(`more than 40 bytes of TCP options: ${text}`);
  return padded;
}

function encodeOption(text: string): ArrayLike<number> {
  const [name, ...values] = text.split(' ');
  const first = Number(values[0] ?? 0);
  switch (name) {
    case 'eol':
      return [0];
    case 'nop':
      return [1];
    case 'mss':
      return [2, 4, ...u16(first)];
    case 'wscale':
      return [3, 3, first];
    case 'sackOK':
      return [4, 2];
    case 'sack':
      return join(
        5,
        2 + 8 * values.length,
        ...values.flatMap((block) => block.split(':').map((edge) => u32(Number(edge)))),
      );
    case 'TS':
      return [8, 10, ...u32(Number(values[1])), ...u32(Number(values[3]))];
    case 'md5':
      return join(19, 18, new Uint8Array(16));
    case 'ao':
      return join(29, 16, new Uint8Array(14));
    case 'mp_capable':
      return [30, 4, 0x01, 0x01];
    case 'mp_join':
      return join(30, 12, 0x10, 1, new Uint8Array(8));
    case 'FO':
      return withLength(34, hex(values[0] ?? ''));
    case 'FOEXP':
      return withLength(254, join(0xf9, 0x89, hex(values[0] ?? '')));
    case 'raw':
      return hex(values.join(''));
    default:
      throw new Error(`unknown TCP option in packet notation: ${text}`);
  }
}

function withLength(kind: number, value: Uint8Array): Uint8Array {
  return join(kind, 2 + value.length, value);
}
