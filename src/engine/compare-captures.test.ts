import { describe, expect, it } from 'vitest';
import type { Diagnosis } from '../model/diagnosis.ts';
import {
  CLIENT,
  compare,
  FAILED,
  located,
  only,
  type Point,
  pair,
  Recorder,
  RTT,
  SERVER,
  TRIES,
} from './testing/path-recorder.ts';

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
