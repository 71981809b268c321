import { describe, expect, it } from 'vitest';
import { type BuiltPacket, icmp, type PacketOptions, packet } from '../formats/wire/testing/packets.ts';
import type { TrackedCapture } from '../handshake/compare/tracked-capture.ts';
import { trackPackets } from '../handshake/testing/track.ts';
import type { Diagnosis } from '../model/diagnosis.ts';
import { compareCaptures } from './compare-captures.ts';

/** A capture point: what it sees as addresses, how its clock and TTLs are off. */
interface Point {
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

const RTT = 0.02;
const CLIENT: Point = { name: 'client.pcap', delay: 0, hops: [0, 7] };
const SERVER: Point = { name: 'server.pcap', delay: RTT / 2, hops: [7, 0] };
const STAMPED = 'mss 1460,sackOK,TS val TSVAL ecr 0,nop,wscale 7';
const BARE = 'mss 1460,nop,wscale 8,nop,nop,sackOK';

interface Attempt {
  readonly at: number;
  readonly port: number;
  readonly isn: number;
  readonly serverPort?: number;
}

/** Builds the packets of one point; each call adds one packet that passes it. Times are those at which the client acts. */
class Recorder {
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
function background(recorders: readonly Recorder[], from = 0, count = 60): void {
  for (let i = 0; i < count; i++) {
    const attempt = { at: from + i * 0.5, port: 30000 + from + i, isn: 5_000_000 + (from * 60 + i) * 7919 };
    for (const recorder of recorders) recorder.whole(attempt);
  }
}

const FAILED: Attempt = { at: 8.1, port: 50204, isn: 77_000 };
const TRIES = [8.1, 9.1, 11.1, 15.1];

function pair(client: Point = CLIENT, server: Point = SERVER): [Recorder, Recorder] {
  const both: [Recorder, Recorder] = [new Recorder(client), new Recorder(server)];
  background(both);
  return both;
}

function compare(...recorders: readonly Recorder[]): ReturnType<typeof compareCaptures> {
  return compareCaptures(recorders.map((recorder) => recorder.capture()));
}

/** The only diagnosis of a comparison. */
function only(...recorders: readonly Recorder[]): Diagnosis {
  const { diagnoses } = compare(...recorders);
  expect(diagnoses.map(({ sentence }) => sentence)).toHaveLength(1);
  return diagnoses[0]!;
}

function located({ path }: Diagnosis): string {
  return `${path!.location} ${path!.confidence}`;
}

describe('where an attempt died', () => {
  it('was lost before the server', () => {
    const [client, server] = pair();
    for (const at of TRIES) client.syn(FAILED, at);
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('lost-before-server certain');
    expect(diagnosis.path!.between).toEqual(['client.pcap', 'server.pcap']);
    expect(diagnosis.sentence).toMatch(
      /^All 4 SYNs from 10\.0\.0\.1:50204 to 192\.0\.2\.5:443 left client\.pcap \(#.* and #\d+\) and none arrived in server\.pcap: lost in between\.$/,
    );
    expect(diagnosis.vantages).toMatchObject([{ capture: 'client.pcap' }, { capture: 'server.pcap', handshake: null }]);
  });

  it('reached a silent server, with some SYNs lost on the way', () => {
    const [client, server] = pair();
    for (const at of TRIES) client.syn(FAILED, at);
    for (const at of TRIES.slice(1)) server.syn(FAILED, at);
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('server-silent certain');
    expect(diagnosis.sentence).toContain('3 of 4 SYNs');
    expect(diagnosis.sentence).toContain('The other one was lost before it');
    expect(diagnosis.nextSteps.at(-1)!.command).toEqual(['sudo', 'synscope', 'listen', '443', '--from', '10.0.0.1']);
  });

  it('was answered and the answer was lost', () => {
    const [client, server] = pair();
    for (const at of TRIES) {
      client.syn(FAILED, at);
      server.syn(FAILED, at).synAck(FAILED, at);
    }
    expect(located(only(client, server))).toBe('answer-lost certain');
  });

  it('lost the final ACK', () => {
    const [client, server] = pair();
    client.syn(FAILED).synAck(FAILED).ack(FAILED);
    server.syn(FAILED).synAck(FAILED);
    for (const at of TRIES.slice(1)) {
      server.synAck(FAILED, at);
      client.synAck(FAILED, at).ack(FAILED, at + RTT);
    }
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('final-ack-lost certain');
    expect(diagnosis.handshake.outcome).toBe('half-open');
  });

  it('sent an ACK that the server ignored', () => {
    const [client, server] = pair();
    for (const recorder of [client, server]) recorder.syn(FAILED).synAck(FAILED).ack(FAILED);
    for (const at of TRIES.slice(1))
      for (const recorder of [client, server]) recorder.synAck(FAILED, at).ack(FAILED, at + RTT);
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('server-silent certain');
    expect(diagnosis.sentence).toContain('went on repeating its SYN-ACK');
  });

  it('was refused by the server, and by something in between', () => {
    const [client, server] = pair();
    client.syn(FAILED).rst(FAILED);
    server.syn(FAILED).rst(FAILED);
    expect(located(only(client, server))).toBe('refused-by-server certain');
    const [near, far] = pair();
    near.syn(FAILED).rst(FAILED);
    far.syn(FAILED).synAck(FAILED);
    const diagnosis = only(near, far);
    expect(located(diagnosis)).toBe('refused-by-middlebox certain');
    expect(diagnosis.sentence).toContain('the server had answered with SYN-ACK');
  });

  it('was refused by the server, but the RST was lost', () => {
    const [client, server] = pair();
    for (const at of TRIES) {
      client.syn(FAILED, at);
      server.syn(FAILED, at).rst(FAILED, at);
    }
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('refused-by-server certain');
    expect(diagnosis.sentence).toContain('never reached client.pcap');
  });

  it('got a RST at the server that the client never sent', () => {
    const [client, server] = pair();
    client.syn(FAILED);
    server
      .syn(FAILED)
      .synAck(FAILED)
      .toServer(FAILED.at + RTT, FAILED, `R ${FAILED.isn + 1}`);
    const diagnosis = only(client, server);
    expect(diagnosis.path!.location).toBe('refused-by-middlebox');
    expect(diagnosis.sentence).toContain('in the name of the client');
  });

  it('got ICMP from the server, from a router, and from something that pretends to be the server', () => {
    const [client, server] = pair();
    client.syn(FAILED).icmp(FAILED, '192.0.2.5', 3, 13);
    server.syn(FAILED).icmp(FAILED, '192.0.2.5', 3, 13);
    expect(located(only(client, server))).toBe('icmp-from-server certain');
    const [near, far] = pair();
    near.syn(FAILED).icmp(FAILED, '203.0.113.9', 3, 1);
    expect(located(only(near, far))).toBe('icmp-from-router certain');
    const [one, other] = pair();
    one.syn(FAILED).icmp(FAILED, '192.0.2.5', 3, 13);
    const pretended = only(one, other);
    expect(located(pretended)).toBe('icmp-from-router likely');
    expect(pretended.sentence).toContain('in the name of 192.0.2.5');
  });

  it('was answered for another connection, and the client rejected that', () => {
    const [client, server] = pair();
    for (const recorder of [client, server]) {
      recorder.syn(FAILED).toClient(FAILED.at, FAILED, '. 4000 ack 123456');
      recorder.toServer(FAILED.at + RTT, FAILED, 'R 123456');
    }
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('client-rejected-answer certain');
    expect(diagnosis.sentence).toContain('an older connection');
  });

  it('was answered, and the client ignored it', () => {
    const [client, server] = pair();
    for (const at of TRIES) for (const recorder of [client, server]) recorder.syn(FAILED, at).synAck(FAILED, at);
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('client-rejected-answer certain');
    expect(diagnosis.sentence).toContain('ignored');
  });

  it('worked late because a SYN was lost', () => {
    const [client, server] = pair();
    client.syn(FAILED);
    const again = { ...FAILED, at: 9.1 };
    for (const recorder of [client, server])
      recorder
        .syn(FAILED, 9.1)
        .synAck(FAILED, 9.1)
        .ack(FAILED, 9.1 + RTT)
        .data(again);
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('late certain');
    expect(diagnosis.sentence).toMatch(/after 1\.02 s: 1 of 2 SYNs/);
  });
});

describe('recognising an attempt', () => {
  const silent = (client: Point, server: Point): Diagnosis => {
    const [near, far] = pair(client, server);
    for (const at of TRIES) {
      near.syn(FAILED, at);
      far.syn(FAILED, at);
    }
    return only(near, far);
  };

  it('across destination translation', () => {
    const diagnosis = silent(CLIENT, { ...SERVER, server: '10.9.9.9', ahead: -1.25 });
    expect(located(diagnosis)).toBe('server-silent certain');
    expect(diagnosis.path!.match).toBe('same ISN and TSval; destination address translated');
  });

  it('across translation of both addresses, without timestamps', () => {
    const diagnosis = silent(
      { ...CLIENT, bare: true },
      { ...SERVER, bare: true, client: '203.0.113.1', server: '10.9.9.9' },
    );
    expect(diagnosis.path!.location).toBe('unmatched');
  });

  it('across source translation, without timestamps', () => {
    const diagnosis = silent({ ...CLIENT, bare: true }, { ...SERVER, bare: true, client: '203.0.113.1' });
    expect(located(diagnosis)).toBe('server-silent certain');
  });

  it('when a firewall rewrites sequence numbers', () => {
    const diagnosis = silent(CLIENT, { ...SERVER, isnShift: 1_234_567, ahead: 3 });
    expect(located(diagnosis)).toBe('server-silent likely');
    expect(diagnosis.path!.match).toBe('same addresses, ports and TSval; ISN rewritten');
  });

  it('when a firewall rewrites sequence numbers and addresses', () => {
    const diagnosis = silent(CLIENT, { ...SERVER, isnShift: 1_234_567, client: '203.0.113.1' });
    expect(located(diagnosis)).toBe('server-silent guess');
    expect(diagnosis.path!.match).toContain('same TSval, options and time');
  });

  it('twice at the server, before and after its own translation', () => {
    const [near, far] = pair();
    const inside = new Recorder({ ...SERVER, server: '172.17.0.2', delay: SERVER.delay + 1e-4 });
    for (const at of TRIES) {
      near.syn(FAILED, at);
      far.syn(FAILED, at);
      inside.syn(FAILED, at);
    }
    far.packets.push(...inside.packets);
    const report = compare(near, far);
    expect(report.diagnoses.map(located)).toEqual(['server-silent certain']);
    expect(report.notes.map(({ code }) => code)).toContain('translated-copies');
  });

  it('tells two attempts with the same ISN apart by address and time', () => {
    const [client, server] = pair();
    const other = { ...FAILED, port: 50999, at: 20.1 };
    for (const at of TRIES) client.syn(FAILED, at);
    client.whole(other);
    server.whole(other);
    expect(located(only(client, server))).toBe('lost-before-server certain');
  });
});

describe('two handshakes', () => {
  it('says that a SYN proxy answered what the server never did', () => {
    const [client, server] = pair();
    client
      .syn(FAILED)
      .synAck(FAILED, FAILED.at - 0.01, 123)
      .ack(FAILED, FAILED.at + RTT, 123);
    for (const at of TRIES) server.syn(FAILED, at + 0.03);
    const diagnosis = only(client, server);
    expect(diagnosis.path!.location).toBe('server-silent');
    expect(diagnosis.sentence).toMatch(
      /answered by something in between: SYN-ACK #\d+ in client\.pcap never left the server/,
    );
    expect(diagnosis.path!.confidence).not.toBe('certain');
  });

  it('says that a load balancer answered an attempt of which the server knows nothing', () => {
    const [client, server] = pair();
    client.syn(FAILED);
    for (const at of TRIES) client.synAck(FAILED, at);
    server.syn({ at: 8.11, port: 40000, isn: 1 });
    server.syn({ at: 12, port: 40001, isn: 2 });
    const diagnosis = only(client, server);
    expect(diagnosis.path!.location).toBe('unmatched');
    expect(diagnosis.sentence).toContain('Something in between (a proxy, a load balancer) answered');
    expect(diagnosis.sentence).toMatch(/may be #\d+ in server\.pcap, from 10\.0\.0\.1:40000/);
  });
});

describe('what the captures cover', () => {
  it('does not judge what lies before the server capture began', () => {
    const client = new Recorder(CLIENT);
    const server = new Recorder(SERVER);
    background([client]);
    background([client, server], 40, 20);
    for (const at of TRIES) client.syn(FAILED, at);
    const { diagnoses } = compare(client, server);
    const own = diagnoses.find(({ handshake }) => handshake.client.port === 50204)!;
    expect(located(own)).toBe('unmatched guess');
    expect(own.sentence).toContain('server.pcap began after it');
  });

  it('does not take a server that the other capture never shows for lost traffic', () => {
    const [client, server] = pair();
    const elsewhere = new Recorder({ ...CLIENT, server: '198.51.100.77' });
    for (const at of TRIES) elsewhere.syn(FAILED, at);
    client.packets.push(...elsewhere.packets);
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('unmatched guess');
    expect(diagnosis.sentence).toContain('holds nothing of 198.51.100.77:443');
  });

  it('says so when the captures share nothing', () => {
    const [client, server] = [new Recorder(CLIENT), new Recorder({ ...SERVER, server: '198.51.100.77' })];
    for (const at of TRIES) client.syn(FAILED, at);
    server.whole({ at: 9, port: 1000, isn: 42 });
    const report = compare(client, server);
    expect(report.diagnoses.map(located)).toEqual(['unmatched guess']);
    expect(report.clocks![0]!.confidence).toBe('none');
    expect(report.notes.map(({ code }) => code)).toContain('nothing-in-common');
  });

  it('knows the clocks only roughly when nothing was ever answered', () => {
    const [client, server] = [new Recorder(CLIENT), new Recorder({ ...SERVER, ahead: 100 })];
    for (const at of TRIES) {
      client.syn(FAILED, at);
      server.syn(FAILED, at);
    }
    const report = compare(client, server);
    expect(report.diagnoses.map(located)).toEqual(['server-silent likely']);
    expect(report.clocks![0]!.confidence).toBe('likely');
    expect(Math.abs(Number(report.clocks![0]!.offsetNs) + 100e9)).toBeLessThan(1e9);
  });

  it('does not call a server silent when the capture there never shows answers', () => {
    const [client, server] = [new Recorder(CLIENT), new Recorder(SERVER)];
    for (let i = 0; i < 10; i++) {
      const attempt = { at: i, port: 30000 + i, isn: 1000 + i * 77 };
      client.whole(attempt);
      server.syn(attempt).ack(attempt);
    }
    for (const at of TRIES) {
      client.syn(FAILED, at);
      server.syn(FAILED, at);
    }
    const diagnosis = only(client, server);
    expect(located(diagnosis)).toBe('unmatched guess');
    expect(diagnosis.sentence).toContain('server.pcap shows only one direction');
  });

  it('does not take captures that are filtered for SYNs for clients that ignore answers', () => {
    const [client, server] = [new Recorder(CLIENT), new Recorder(SERVER)];
    for (let i = 0; i < 10; i++) {
      const attempt = { at: i, port: 30000 + i, isn: 1000 + i * 77 };
      for (const recorder of [client, server]) recorder.syn(attempt).synAck(attempt);
    }
    const { diagnoses } = compare(client, server);
    expect(diagnoses.every(({ path }) => path!.location === 'unmatched')).toBe(true);
    expect(diagnoses[0]!.sentence).toContain('may be filtered for SYNs');
  });

  it('counts what only the server capture has as other clients', () => {
    const [client, server] = pair();
    const other = new Recorder({ ...SERVER, client: '10.7.7.7' });
    for (const at of TRIES) other.syn({ ...FAILED, isn: 99 }, at);
    server.packets.push(...other.packets);
    const report = compare(client, server);
    expect(report.diagnoses).toEqual([]);
    expect(report.summary.failed).toBe(0);
    expect(report.notes.map(({ code }) => code)).toContain('other-clients');
  });
});

describe('clocks and order', () => {
  it('finds a clock that is set in between', () => {
    const client = new Recorder(CLIENT);
    const before = new Recorder({ ...SERVER, ahead: 1 });
    const after = new Recorder({ ...SERVER, ahead: 4 });
    background([client, before], 0, 30);
    for (let i = 30; i < 60; i++) {
      const attempt = { at: i * 0.5, port: 30000 + i, isn: 5_000_000 + i * 7919 };
      for (const recorder of [client, after]) recorder.whole(attempt);
    }
    for (const at of TRIES) client.syn(FAILED, at);
    before.packets.push(...after.packets);
    const report = compare(client, before);
    expect(report.notes.map(({ code }) => code)).toContain('clock-step');
    expect(report.diagnoses.map(({ path }) => path!.location)).toEqual(['lost-before-server']);
  });

  it('notices the wrong order and judges in the right one', () => {
    const [client, server] = pair();
    for (const at of TRIES) client.syn(FAILED, at);
    const report = compare(server, client);
    expect(report.diagnoses.map(located)).toEqual(['lost-before-server certain']);
    const note = report.notes.find(({ code }) => code === 'captures-reordered')!;
    expect(note.statement).toContain('client.pcap and server.pcap, not as given');
    expect(report.diagnoses[0]!.vantages!.map(({ capture }) => capture)).toEqual(['server.pcap', 'client.pcap']);
  });

  it('says between which two of three points it died, whatever their order', () => {
    const middle = new Recorder({ name: 'middle.pcap', delay: 0.004, hops: [3, 4], ahead: -7 });
    const [client, server] = [new Recorder(CLIENT), new Recorder({ ...SERVER, client: '203.0.113.1', ahead: 2 })];
    background([client, middle, server]);
    for (const at of TRIES) {
      client.syn(FAILED, at);
      middle.syn(FAILED, at);
    }
    for (const order of [
      [client, middle, server],
      [server, client, middle],
    ]) {
      const diagnosis = only(...order);
      expect(located(diagnosis)).toBe('lost-before-server certain');
      expect(diagnosis.path!.between).toEqual(['middle.pcap', 'server.pcap']);
    }
  });

  it('sums up: groups, headline, limit', () => {
    const [client, server] = pair();
    for (let i = 0; i < 5; i++) {
      const attempt = { at: 8 + i, port: 51000 + i, isn: 900_000 + i * 31 };
      client.syn(attempt).syn(attempt, attempt.at + 1);
      server.syn(attempt).syn(attempt, attempt.at + 1);
    }
    const captures = [client.capture(), server.capture()];
    const report = compareCaptures(captures, { limit: 2 });
    expect(report.diagnoses).toHaveLength(2);
    expect(report.omittedDiagnoses).toBe(3);
    expect(report.groups).toMatchObject([{ count: 5, clients: 1, location: 'server-silent', outcome: 'no-reply' }]);
    expect(report.groups[0]!.examples).toHaveLength(3);
    expect(report.headline).toBe('5 attempts from 10.0.0.1 to 192.0.2.5:443 reached the server, which stayed silent.');
    expect(report.summary).toMatchObject({ handshakes: 65, failed: 5, late: 0 });
    expect(compareCaptures(captures, { all: true }).diagnoses).toHaveLength(65);
    expect(compareCaptures(captures, { filter: { ports: [22] } }).summary.handshakes).toBe(0);
  });
});
