import {
  ROW,
  ROW_CLIENT,
  ROW_SERVER,
  ROW_STATE,
  STATE_ACKED,
  STATE_ANSWER_MISSING,
  STATE_ANSWERED,
  STATE_SERVER_SEEN,
  STATE_SYN_MISSING,
} from '../attempt-layout.ts';
import { type AttemptColumns, eventTtl, firstSyn, firstSynAck } from './attempt-columns.ts';
import { hashAddress } from './hash-chains.ts';
import { createHashSketch, type HashSketch } from './hash-sketch.ts';

/** What one capture sees of one server. */
export interface ServerTraffic {
  /** Attempts of this server that were also found in another capture. */
  shared: number;
  attempts: number;
  /** Attempts of which a packet of the server was captured. */
  answered: number;
  /** Hash of the address of one client, and whether there are others. */
  client: number;
  manyClients: boolean;
}

/** What one capture shows on the whole: what it can be relied on to have seen. */
export interface PointTraits {
  /** By hash of the server's address, as this or another capture writes it. */
  readonly servers: ReadonlyMap<number, ServerTraffic>;
  /** Clients, under the addresses that other captures have for them, of which this capture has an attempt. */
  readonly sharedClients: HashSketch;
  readonly attempts: number;
  /** Attempts of which a packet to the client was captured. */
  readonly answered: number;
  /** Attempts that went on with the server, as another capture shows, of which this one holds nothing of the server. */
  missedAnswers: number;
  /** Attempts of which the client's ACK was captured. */
  readonly acknowledged: number;
  /** Attempts of which the SYN was captured. */
  readonly asked: number;
  /** Routers between the client and this point, and this point and the server, as most TTLs have it; undefined without any. */
  readonly hopsFromClient: number | undefined;
  readonly hopsFromServer: number | undefined;
  /** Part of the packets that this capture must have seen and does not hold. */
  readonly lossRate: number;
}

const SAMPLES = 2000;
/** What is incomplete so soon after the capture began may have begun before it. */
const BEGINNING_NS = 3e9;

/** Reads the traits of one capture; `shared` marks the primary rows that another capture has too. */
export function traitsOf(columns: AttemptColumns, shared: Uint8Array): PointTraits {
  const { rows, count, firstNs, primary, capture } = columns;
  const servers = new Map<number, ServerTraffic>();
  const hopsClient = new Int32Array(256);
  const hopsServer = new Int32Array(256);
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  const beganNs = Number(capture.firstNs - capture.baseNs);
  let [attempts, answered, asked, missed, acknowledged] = [0, 0, 0, 0, 0];
  for (let row = 0; row < count; row++) {
    if (Number.isNaN(firstNs[row]!)) continue;
    const base = row * ROW;
    const state = rows[base + ROW_STATE]!;
    attempts++;
    if ((state & STATE_SERVER_SEEN) !== 0) answered++;
    if ((state & STATE_SYN_MISSING) === 0) asked++;
    if ((state & STATE_ACKED) !== 0) acknowledged++;
    // The ACK or the SYN-ACK proves that there was a SYN or a SYN-ACK.
    const lost =
      (state & STATE_ANSWER_MISSING) !== 0 ||
      (state & (STATE_SYN_MISSING | STATE_ANSWERED)) === (STATE_SYN_MISSING | STATE_ANSWERED);
    if (lost && firstNs[row]! > beganNs + BEGINNING_NS) missed++;
    noteServer(
      servers,
      hashAddress(rows, base + ROW_SERVER),
      hashAddress(rows, base + ROW_CLIENT),
      shared[primary[row]!] === 1,
      (state & STATE_SERVER_SEEN) !== 0,
    );
    if (row % stride !== 0 || primary[row] !== row) continue;
    const syn = firstSyn(capture.table, row);
    if (syn !== 0) hopsClient[hopsOf(eventTtl(capture.table, syn))]!++;
    const answer = firstSynAck(capture.table, row);
    if (answer !== 0) hopsServer[hopsOf(eventTtl(capture.table, answer))]!++;
  }
  return {
    servers,
    sharedClients: createHashSketch(),
    attempts,
    answered,
    missedAnswers: 0,
    acknowledged,
    asked,
    hopsFromClient: mostFrequent(hopsClient),
    hopsFromServer: mostFrequent(hopsServer),
    // In a capture of one direction every attempt "misses" something; that is not loss.
    lossRate: answered === 0 || asked === 0 ? 0 : missed / (2 * attempts),
  };
}

/** Routers that a packet has crossed, by the usual initial TTLs. */
export function hopsOf(ttl: number): number {
  if (ttl <= 32) return 32 - ttl;
  if (ttl <= 64) return 64 - ttl;
  return ttl <= 128 ? 128 - ttl : 255 - ttl;
}

/** Adds one attempt to what is known of a server. */
export function noteServer(
  servers: Map<number, ServerTraffic>,
  server: number,
  client: number,
  shared: boolean,
  answered: boolean,
): void {
  const known = servers.get(server);
  if (known === undefined) {
    servers.set(server, {
      shared: shared ? 1 : 0,
      attempts: 1,
      answered: answered ? 1 : 0,
      client,
      manyClients: false,
    });
    return;
  }
  known.attempts++;
  if (shared) known.shared++;
  if (answered) known.answered++;
  if (known.client !== client) known.manyClients = true;
}

function mostFrequent(counts: Int32Array): number | undefined {
  let best = 0;
  for (let i = 1; i < counts.length; i++) if (counts[i]! > counts[best]!) best = i;
  return counts[best]! > 0 ? best : undefined;
}
