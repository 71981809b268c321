import { describe, expect, it } from 'vitest';
import { compareCaptures } from './compare-captures.ts';
import {
  background,
  CLIENT,
  compare,
  FAILED,
  located,
  only,
  pair,
  Recorder,
  SERVER,
  TRIES,
} from './testing/path-recorder.ts';

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
