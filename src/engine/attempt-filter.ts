import { parseAddress } from '../formats/wire/address.ts';
import {
  type AttemptTable,
  EVENT,
  ROW,
  ROW_CLIENT,
  ROW_FIRST_EVENT,
  ROW_PORTS,
  ROW_SERVER,
  ROW_STATE,
  STATE_IPV6,
} from '../handshake/attempt-table.ts';

/** Which attempts a user wants to see; everything given must hold. */
export interface AttemptFilter {
  /** Client or server address, any of these. */
  readonly hosts?: readonly string[];
  /** Server port, any of these. */
  readonly ports?: readonly number[];
  /** The first packet of the attempt is not before `sinceNs` and not after `untilNs` (nanoseconds since 1970). */
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
}

/**
 * Compiles a filter to a predicate on rows; undefined when it lets everything pass.
 * @throws RangeError when a host is not an IP address.
 */
export function compileFilter(
  { hosts = [], ports = [], sinceNs, untilNs }: AttemptFilter,
  table: AttemptTable,
  baseNs: () => bigint,
): ((row: number) => boolean) | undefined {
  if (hosts.length === 0 && ports.length === 0 && sinceNs === undefined && untilNs === undefined) return undefined;
  const wanted = hosts.map(addressWords);
  const wantedPorts = new Set(ports);
  const { rows, eventTimes } = table;
  return (row) => {
    const base = row * ROW;
    if (wantedPorts.size > 0 && !wantedPorts.has(rows[base + ROW_PORTS]! & 0xffff)) return false;
    const ipv6 = (rows[base + ROW_STATE]! & STATE_IPV6) !== 0;
    const isEnd = (words: Int32Array): boolean =>
      (words.length === 4) === ipv6 && (startsWith(rows, base + ROW_CLIENT, words) || startsWith(rows, base + ROW_SERVER, words));
    if (wanted.length > 0 && !wanted.some(isEnd)) return false;
    if (sinceNs === undefined && untilNs === undefined) return true;
    const firstNs = baseNs() + BigInt(Math.round(eventTimes[rows[base + ROW_FIRST_EVENT]! * (EVENT / 2)]!));
    return (sinceNs === undefined || firstNs >= sinceNs) && (untilNs === undefined || firstNs <= untilNs);
  };
}

function addressWords(address: string): Int32Array {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw new RangeError(`"${address}" is not an IP address`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.byteLength / 4 }, (_, word) => view.getInt32(word * 4));
}

function startsWith(rows: Int32Array, offset: number, words: Int32Array): boolean {
  return words.every((word, i) => rows[offset + i] === word);
}
