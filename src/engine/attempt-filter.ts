import { parseAddress } from '../formats/wire/address.ts';
import { ROW, ROW_CLIENT, ROW_PORTS, ROW_SERVER, ROW_STATE, STATE_IPV6 } from '../handshake/attempt-layout.ts';
import { type AttemptTable, eventNs, firstEvent } from '../handshake/attempt-table.ts';
import { formatList, formatQuantity } from '../model/text.ts';

/** A moment: nanoseconds since 1970, or since the first packet of the capture. */
export interface TimePoint {
  readonly ns: bigint;
  readonly relative: boolean;
}

/** Which attempts a user wants to see; everything given must hold. */
export interface AttemptFilter {
  /** Client or server address, any of these. */
  readonly hosts?: readonly string[];
  /** Server port, any of these. */
  readonly ports?: readonly number[];
  /** The first packet of the attempt is not before `since` and not after `until`. */
  readonly since?: TimePoint;
  readonly until?: TimePoint;
}

/** Whether a filter leaves anything out. */
export function isFilter({ hosts = [], ports = [], since, until }: AttemptFilter): boolean {
  return hosts.length > 0 || ports.length > 0 || since !== undefined || until !== undefined;
}

/**
 * Compiles a filter to a predicate on rows; undefined when it lets everything pass.
 * @param firstNs time of the capture's first packet, from which relative moments count.
 * @throws RangeError when a host is not an IP address.
 */
export function compileFilter(
  filter: AttemptFilter,
  table: AttemptTable,
  firstNs: bigint,
): ((row: number, baseNs: bigint) => boolean) | undefined {
  if (!isFilter(filter)) return undefined;
  const { hosts = [], ports = [], since, until } = filter;
  const wanted = hosts.map(addressWords);
  const wantedPorts = new Set(ports);
  const { rows } = table;
  return (row, baseNs) => {
    const base = row * ROW;
    if (wantedPorts.size > 0 && !wantedPorts.has(rows[base + ROW_PORTS]! & 0xffff)) return false;
    const ipv6 = (rows[base + ROW_STATE]! & STATE_IPV6) !== 0;
    const isEnd = (words: Int32Array): boolean =>
      (words.length === 4) === ipv6 &&
      (startsWith(rows, base + ROW_CLIENT, words) || startsWith(rows, base + ROW_SERVER, words));
    if (wanted.length > 0 && !wanted.some(isEnd)) return false;
    if (since === undefined && until === undefined) return true;
    const startNs = eventNs(table, firstEvent(table, row));
    const after = ({ ns, relative }: TimePoint): number => Number((relative ? firstNs + ns : ns) - baseNs);
    return !(since !== undefined && startNs < after(since)) && !(until !== undefined && startNs > after(until));
  };
}

/** The verdict over captures of whose handshakes none passes a filter. */
export function nothingPasses(
  { hosts = [], ports = [], since, until }: AttemptFilter,
  names: readonly string[],
  handshakes: number,
): string {
  const wanted = [
    ...(hosts.length === 0 ? [] : [`is from or to ${formatList(hosts, 'or')}`]),
    ...(ports.length === 0 ? [] : [`is to port ${formatList(ports.map(String), 'or')}`]),
    ...(since === undefined && until === undefined ? [] : ['begins in the time that was asked for']),
  ];
  const none = handshakes === 1 ? 'it is not one that' : 'none of them';
  return `${formatList(names)} ${names.length === 1 ? 'holds' : 'hold'} ${formatQuantity(handshakes, 'handshake')}, and ${none} ${formatList(wanted)}.`;
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
