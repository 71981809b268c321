import { formatIpv4, formatIpv6 } from '../formats/wire/address.ts';
import { icmpErrorName } from '../formats/wire/icmp.ts';
import type { Endpoint } from '../model/flow.ts';
import type { Handshake, IcmpError, Segment, SegmentKind, SynOptions } from '../model/handshake.ts';
import {
  EVENT,
  EVENT_FRAME,
  EVENT_ID_LENGTH,
  EVENT_INFO,
  EVENT_TSVAL,
  KIND_ACK,
  KIND_ADDRESS,
  KIND_DATA,
  KIND_FIN,
  KIND_ICMP,
  KIND_NUMBERS,
  KIND_OTHER,
  KIND_RST,
  KIND_SYN,
  KIND_SYN_ACK,
  OPTION_AO,
  OPTION_CUT,
  OPTION_ECN,
  OPTION_FAST_OPEN_COOKIE,
  OPTION_FAST_OPEN_REQUEST,
  OPTION_MD5,
  OPTION_MPTCP,
  OPTION_MSS,
  OPTION_SACK,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
  ROW,
  ROW_CLIENT,
  ROW_CLIENT_ISN,
  ROW_CLIENT_OPTIONS,
  ROW_LAST_TIME,
  ROW_PORTS,
  ROW_SEGMENTS,
  ROW_SERVER,
  ROW_SERVER_ISN,
  ROW_SERVER_OPTIONS,
  ROW_STATE,
  ROW_WINDOWS,
  STATE_ANSWERED,
  STATE_IPV6,
} from './attempt-layout.ts';
import {
  type AttemptTable,
  encapsulationOf,
  eventAck,
  eventAfter,
  eventNs,
  eventSeq,
  firstEvent,
  senderAddress,
} from './attempt-table.ts';
import { ENCAPSULATION_SEPARATOR } from './encapsulation.ts';
import { outcomeOf, stageOf, synAckCount, synCount } from './outcome.ts';

const KIND_NAMES: Readonly<Record<number, SegmentKind>> = {
  [KIND_SYN]: 'syn',
  [KIND_SYN_ACK]: 'syn-ack',
  [KIND_ACK]: 'ack',
  [KIND_DATA]: 'data',
  [KIND_FIN]: 'fin',
  [KIND_RST]: 'rst',
  [KIND_ICMP]: 'icmp',
  [KIND_OTHER]: 'other',
};

const addressBytes = new DataView(new ArrayBuffer(16));

/** Text form of the address in four words at `offset`; an IPv4 address is the first of them. */
export function addressAt(words: Int32Array, offset: number, ipv6: boolean): string {
  for (let word = 0; word < (ipv6 ? 4 : 1); word++) addressBytes.setInt32(word * 4, words[offset + word]!);
  return ipv6 ? formatIpv6(addressBytes, 0) : formatIpv4(addressBytes, 0);
}

/** The two ends of the attempt in a row. */
export function flowAt(table: AttemptTable, row: number): { client: Endpoint; server: Endpoint } {
  const base = row * ROW;
  const { rows } = table;
  const ipv6 = (rows[base + ROW_STATE]! & STATE_IPV6) !== 0;
  const ports = rows[base + ROW_PORTS]!;
  return {
    client: { address: addressAt(rows, base + ROW_CLIENT, ipv6), port: ports >>> 16 },
    server: { address: addressAt(rows, base + ROW_SERVER, ipv6), port: ports & 0xffff },
  };
}

/** Makes the model's handshake of one row; findings are left to whoever judges it. */
export function materialize(table: AttemptTable, row: number, baseNs: bigint): Handshake {
  const { rows } = table;
  const base = row * ROW;
  const state = rows[base + ROW_STATE]!;
  const segments = segmentsOf(table, row, baseNs);
  const windows = rows[base + ROW_WINDOWS]!;
  const syn = synCount(rows, base);
  const synAck = synAckCount(rows, base);
  const outcome = outcomeOf(state);
  const encapsulation = table.encapsulations[encapsulationOf(rows, base)] ?? '';
  const handshake: Building<Handshake> = {
    ...flowAt(table, row),
    outcome,
    stage: stageOf(state),
    segments,
    omittedSegments: Math.max(0, rows[base + ROW_SEGMENTS]! - segments.length),
    synRetransmissions: Math.max(0, syn - 1),
    synAckRetransmissions: Math.max(0, synAck - 1),
    startedAtNs: segments[0]?.timeNs ?? baseNs,
    endedAtNs: endOf(table, base, baseNs, segments),
    encapsulation: encapsulation === '' ? [] : encapsulation.split(ENCAPSULATION_SEPARATOR),
    findings: [],
  };
  const answered = (state & STATE_ANSWERED) !== 0;
  if (syn > 0 || answered) handshake.clientIsn = rows[base + ROW_CLIENT_ISN]! >>> 0;
  if (answered) handshake.serverIsn = rows[base + ROW_SERVER_ISN]! >>> 0;
  if (syn > 0) handshake.clientOptions = synOptions(rows[base + ROW_CLIENT_OPTIONS]!, windows >>> 16);
  if (synAck > 0) handshake.serverOptions = synOptions(rows[base + ROW_SERVER_OPTIONS]!, windows & 0xffff);
  if (outcome === 'established' || outcome === 'half-open') addTimings(handshake, segments);
  return handshake;
}

/** An object of the model while its optional properties are still to be set. */
type Building<T> = { -readonly [Key in keyof T]: T[Key] };

/** When the last packet came, also when it was not kept. */
function endOf({ rows, rowTimes }: AttemptTable, base: number, baseNs: bigint, segments: readonly Segment[]): bigint {
  const last = segments.at(-1)?.timeNs ?? baseNs;
  if (rows[base + ROW_SEGMENTS]! <= segments.length) return last;
  const shown = absoluteNs(baseNs, rowTimes[(base + ROW_LAST_TIME) / 2]!);
  return shown > last ? shown : last;
}

/** Time in whole nanoseconds of a float that counts from `baseNs`. */
export function absoluteNs(baseNs: bigint, ns: number): bigint {
  return baseNs + BigInt(Math.round(ns));
}

function segmentsOf(table: AttemptTable, row: number, baseNs: bigint): Segment[] {
  const { rows, events } = table;
  const ipv6 = (rows[row * ROW + ROW_STATE]! & STATE_IPV6) !== 0;
  const segments: Segment[] = [];
  for (let event = firstEvent(table, row); event !== 0; event = eventAfter(table, row, event)) {
    const at = event * EVENT;
    const info = events[at + EVENT_INFO]!;
    const kind = info & 15;
    if (kind !== KIND_ADDRESS && kind !== KIND_NUMBERS) {
      const idLength = events[at + EVENT_ID_LENGTH]!;
      const seen = (info >>> 5) & 3;
      const direction = (info & 16) !== 0 ? 'to-server' : 'to-client';
      const name = KIND_NAMES[kind] ?? 'other';
      const seq = eventSeq(table, row, event);
      const segment: Building<Segment> = {
        kind: name,
        direction,
        frame: events[at + EVENT_FRAME]! >>> 0,
        timeNs: absoluteNs(baseNs, eventNs(table, event)),
        repeat: repeatOf(segments, name, direction, seq),
        copies: kind === KIND_ICMP ? 0 : info >>> 28,
        seq,
        ack: eventAck(table, row, event),
        flags: (info >>> 16) & 255,
        payloadBytes: idLength & 0xffff,
        ttl: (info >>> 8) & 255,
      };
      if (!ipv6) segment.ipId = idLength >>> 16;
      if ((info & 128) !== 0) segment.tsval = events[at + EVENT_TSVAL]! >>> 0;
      if (seen !== 0) segment.seen = seen === 1 ? 'incoming' : 'outgoing';
      if (kind === KIND_ICMP) segment.icmp = icmpOf(table, row, event, ipv6);
      segments.push(segment);
    }
  }
  return segments;
}

/** How many earlier segments are the same one: kind, direction and sequence number agree. */
function repeatOf(
  earlier: readonly Segment[],
  kind: SegmentKind,
  direction: Segment['direction'],
  seq: number,
): number {
  let repeat = 0;
  for (const segment of earlier) {
    if (segment.kind === kind && segment.direction === direction && segment.seq === seq) repeat++;
  }
  return repeat;
}

function icmpOf(table: AttemptTable, row: number, event: number, ipv6: boolean): IcmpError {
  const { events } = table;
  const typeCode = events[event * EVENT + EVENT_TSVAL]! >>> 0;
  const version = ipv6 ? 6 : 4;
  const [type, code, mtuBytes] = [typeCode >>> 24, (typeCode >>> 16) & 255, typeCode & 0xffff];
  return {
    version,
    type,
    code,
    from: addressAt(events, senderAddress(table, row, event), ipv6),
    name: icmpErrorName(version, type, code),
    ...(mtuBytes === 0 ? {} : { mtuBytes }),
  };
}

function synOptions(packed: number, windowBytes: number): SynOptions {
  const has = (bit: number): boolean => (packed & bit) !== 0;
  return {
    ...(has(OPTION_MSS) ? { mssBytes: packed >>> 16 } : {}),
    windowBytes,
    ...(has(OPTION_WINDOW_SCALE) ? { windowScaleShift: packed & 15 } : {}),
    sackPermitted: has(OPTION_SACK),
    timestamps: has(OPTION_TIMESTAMPS),
    ...(has(OPTION_FAST_OPEN_COOKIE)
      ? { fastOpen: 'cookie' as const }
      : has(OPTION_FAST_OPEN_REQUEST)
        ? { fastOpen: 'request' as const }
        : {}),
    mptcp: has(OPTION_MPTCP),
    md5: has(OPTION_MD5),
    ao: has(OPTION_AO),
    ecnSetup: has(OPTION_ECN),
    ...(has(OPTION_CUT) ? { cut: true as const } : {}),
  };
}

function addTimings(handshake: Building<Handshake>, segments: readonly Segment[]): void {
  const answer = segments.find((segment) => segment.kind === 'syn-ack' && segment.direction === 'to-client');
  if (answer === undefined) return;
  const ack = segments.find(
    (segment) => segment.direction === 'to-server' && segment.timeNs >= answer.timeNs && isAcknowledging(segment),
  );
  if (ack === undefined) return;
  const first = segments.find((segment) => segment.kind === 'syn');
  const asked = segments.findLast((segment) => segment.kind === 'syn' && segment.timeNs <= answer.timeNs);
  if (first === undefined || asked === undefined) return;
  handshake.initialRttNs = Number(ack.timeNs - asked.timeNs);
  handshake.establishedAfterNs = Number(ack.timeNs - first.timeNs);
}

function isAcknowledging(segment: Segment): boolean {
  return segment.kind === 'ack' || segment.kind === 'data' || segment.kind === 'fin';
}
