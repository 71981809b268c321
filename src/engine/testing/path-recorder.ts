import { expect } from 'vitest';
import { type BuiltPacket, icmp, type PacketOptions, packet } from '../../formats/wire/testing/packets.ts';
import type { TrackedCapture } from '../../handshake/compare/tracked-capture.ts';
import { trackPackets } from '../../handshake/testing/track.ts';
import type { Diagnosis } from '../../model/diagnosis.ts';
import { compareCaptures } from '../compare-captures.ts';

/** A capture point: what it sees as addresses, how its clock and TTLs are off. */
export interface Point {
  readonly name: string;
  readonly client?: string;
  readonly server?: string;
  /** Seconds that its clock is ahead. */
  readonly ahead?: number;
  /** Seconds from the client to this point. */
  readonly delay: number;
  /** Routers between the client and this point, and this point and the server. */
  readonly hops?: readonly [number, number];
  /** Added to every client ISN, as a rewriting firewall does. */
  readonly isnShift?: number;
  /** SYNs without timestamps. */
  readonly bare?: boolean;
}

/** Seconds from client to server and back. */
export const RTT = 0.02;
/** The usual two points. */
export const CLIENT: Point = { name: 'client.pcap', delay: 0, hops: [0, 7] };
export const SERVER: Point = { name: 'server.pcap', delay: RTT / 2, hops: [7, 0] };
const STAMPED = 'mss 1460,sackOK,TS val TSVAL ecr 0,nop,wscale 7';
const BARE = 'mss 1460,nop,wscale 8,nop,nop,sackOK';

/** One attempt: when the client makes it (seconds), from which port, with which ISN. */
export interface Attempt {
  readonly at: number;
  readonly port: number;
  readonly isn: number;
  readonly serverPort?: number;
}

/** Builds the packets of one point; each call adds one packet that passes it. Times are those at which the client acts. */
export class Recorder {
  readonly packets: BuiltPacket[] = [];
  readonly point: Point;

  constructor(point: Point) {
    this.point = point;
  }

  syn(attempt: Attempt, at: number = attempt.at): this {
    return this.toServer(at, attempt, `S ${this.isn(attempt)}`, this.point.bare ? BARE : STAMPED);
  }

  synAck(attempt: Attempt, at: number = attempt.at, serverIsn = 9000): this {
    return this.toClient(at, attempt, `S. ${serverIsn} ack ${this.isn(attempt) + 1}`, this.point.bare ? BARE : STAMPED);
  }

  ack(attempt: Attempt, at: number = attempt.at + RTT, serverIsn = 9000): this {
    return this.toServer(at, attempt, `. ${this.isn(attempt) + 1} ack ${serverIsn + 1}`);
  }

  /** Client and server exchange a few bytes, which proves the handshake. */
  data(attempt: Attempt, at: number = attempt.at + RTT, serverIsn = 9000): this {
    const isn = this.isn(attempt) + 1;
    this.toServer(at + 0.001, attempt, `P. ${isn}:${isn + 10}(10) ack ${serverIsn + 1}`);
    return this.toClient(at + 0.001, attempt, `. ${serverIsn + 1} ack ${isn + 10}`);
  }

  whole(attempt: Attempt): this {
    return this.syn(attempt).synAck(attempt).ack(attempt).data(attempt);
  }

  rst(attempt: Attempt, at: number = attempt.at): this {
    return this.toClient(at, attempt, `R. 0 ack ${this.isn(attempt) + 1}`);
  }

  icmp(attempt: Attempt, from: string, type: number, code: number): this {
    const back = attempt.at + RTT - this.point.delay + (this.point.ahead ?? 0);
    const quoted = this.build(attempt.at, attempt, `S ${this.isn(attempt)}`, STAMPED, {}, true);
    this.packets.push(icmp(from, type, code, quoted, { timeNs: seconds(back), ttl: 64 }));
    return this;
  }

  toServer(at: number, attempt: Attempt, segment: string, options = '', more: PacketOptions = {}): this {
    this.packets.push(this.build(at, attempt, segment, options, more, true));
    return this;
  }

  /** `at` is when the client asked for it. */
  toClient(at: number, attempt: Attempt, segment: string, options = '', more: PacketOptions = {}): this {
    this.packets.push(this.build(at, attempt, segment, options, more, false));
    return this;
  }

  capture(): TrackedCapture {
    const packets = this.packets.toSorted((a, b) => Number(a.timeNs - b.timeNs));
    return trackPackets(packets, { name: this.point.name });
  }

  private isn({ isn }: Attempt): number {
    return isn + (this.point.isnShift ?? 0);
  }

  private build(
    at: number,
    attempt: Attempt,
    segment: string,
    options: string,
    more: PacketOptions,
    toServer: boolean,
  ): BuiltPacket {
    const { client = '10.0.0.1', server = '192.0.2.5', delay, ahead = 0, hops = [0, 0] } = this.point;
    const [a, b] = [`${client}:${attempt.port}`, `${server}:${attempt.serverPort ?? 443}`];
    const time = 100 + ahead + (toServer ? at + delay : at + RTT - delay);
    const stamps = options.replace('TSVAL', String(Math.round(at * 1000) + attempt.isn));
    const line = `${time.toFixed(6)} ${toServer ? `${a} > ${b}` : `${b} > ${a}`} ${segment} win 64240${stamps === '' ? '' : ` <${stamps}>`}`;
    return packet(line, { ttl: 64 - hops[toServer ? 0 : 1], ...more });
  }
}

function seconds(at: number): bigint {
  return 100_000_000_000n + BigInt(Math.round(at * 1e9));
}

/** Attempts that work at every point, so that clocks and coverage are known; 0.5 s apart from `from` on. */
export function background(recorders: readonly Recorder[], from = 0, count = 60): void {
  for (let i = 0; i < count; i++) {
    const attempt = { at: from + i * 0.5, port: 30000 + from + i, isn: 5_000_000 + (from * 60 + i) * 7919 };
    for (const recorder of recorders) recorder.whole(attempt);
  }
}

/** The attempt that a test is about, and when its SYNs are sent. */
export const FAILED: Attempt = { at: 8.1, port: 50204, isn: 77_000 };
export const TRIES: readonly number[] = [8.1, 9.1, 11.1, 15.1];

/** Recorders of two points with some attempts that worked. */
export function pair(client: Point = CLIENT, server: Point = SERVER): [Recorder, Recorder] {
  const both: [Recorder, Recorder] = [new Recorder(client), new Recorder(server)];
  background(both);
  return both;
}

/** Compares what was recorded. */
export function compare(...recorders: readonly Recorder[]): ReturnType<typeof compareCaptures> {
  return compareCaptures(recorders.map((recorder) => recorder.capture()));
}

/** The only diagnosis of a comparison. */
export function only(...recorders: readonly Recorder[]): Diagnosis {
  const { diagnoses } = compare(...recorders);
  expect(diagnoses.map(({ sentence }) => sentence)).toHaveLength(1);
  return diagnoses[0]!;
}

/** Location and confidence. */
export function located({ path }: Diagnosis): string {
  return `${path!.location} ${path!.confidence}`;
}
