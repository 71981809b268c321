import { KIND_ICMP, ROW, ROW_CLIENT, ROW_COUNTS, ROW_SERVER, ROW_STATE } from '../handshake/attempt-layout.ts';
import { firstEvent, senderAddress } from '../handshake/attempt-table.ts';
import { type AttemptColumns, nextEvent } from '../handshake/compare/attempt-columns.ts';
import { type Comparison, referenceNs } from '../handshake/compare/comparison.ts';
import { covers } from '../handshake/compare/coverage.ts';
import { hashAddress, mix, sameWords } from '../handshake/compare/hash-chains.ts';
import { isInSketch } from '../handshake/compare/hash-sketch.ts';

/**
 * Hash of what decides a verdict on an attempt, short of its packets one by one: which captures have it, its state and its
 * counts there, how it was recognised, what they know of its server, and which of them cover its beginning and its end.
 */
export function signatureOf(comparison: Comparison, story: number): number {
  const { columns, order, rowOf, basisOf, traits } = comparison;
  const near = order.find((capture) => rowOf[capture]![story]! >= 0)!;
  const nearRow = rowOf[near]![story]!;
  const { firstNs, lastNs, rows: nearRows } = columns[near]!;
  const begin = referenceNs(comparison, near, firstNs[nearRow]!);
  const end = referenceNs(comparison, near, lastNs[nearRow]!);
  const serverHash = hashAddress(nearRows, nearRow * ROW + ROW_SERVER);
  const client = hashAddress(nearRows, nearRow * ROW + ROW_CLIENT);
  let hash = 0;
  for (const capture of order) {
    const row = rowOf[capture]![story]!;
    const { rows } = columns[capture]!;
    const server = traits[capture]!.servers.get(serverHash);
    let known = (covers(comparison, capture, begin, near) ? 1 : 0) + (covers(comparison, capture, end, near) ? 2 : 0);
    if (server !== undefined) known += 4 + (server.shared > 0 ? 8 : 0) + (server.manyClients ? 16 : 0);
    if (isInSketch(traits[capture]!.sharedClients, client)) known += 32;
    if (row >= 0) {
      hash = mix(hash ^ rows[row * ROW + ROW_STATE]!) ^ rows[row * ROW + ROW_COUNTS]!;
      known += 64 + (icmpIsOfServer(columns[capture]!, row) ? 128 : 0);
    }
    hash = mix(hash + known * 31 + basisOf[capture]![story]! * 7);
  }
  return hash;
}

function icmpIsOfServer({ capture: { table }, rows }: AttemptColumns, row: number): boolean {
  const base = row * ROW;
  if (((rows[base + ROW_COUNTS]! >>> 16) & 255) === 0) return false;
  const error = nextEvent(table, row, firstEvent(table, row), KIND_ICMP, false);
  return error !== 0 && sameWords(table.events, senderAddress(table, row, error), rows, base + ROW_SERVER);
}
