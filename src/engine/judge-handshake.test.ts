import { describe, expect, it } from 'vitest';
import { type BuiltPacket, icmp } from '../formats/wire/testing/packets.ts';
import type { ServerHistory } from '../handshake/tally.ts';
import { type ConversationOptions, conversation } from '../handshake/testing/conversation.ts';
import { trackPackets } from '../handshake/testing/track.ts';
import type { Diagnosis } from '../model/diagnosis.ts';
import type { CaptureContext } from './capture-context.ts';
import { judgeHandshake } from './judge-handshake.ts';

const END_NS = 300_000_000_000n;

/** The verdict on the first attempt in some packets. */
function judge(packets: readonly BuiltPacket[], server: Partial<ServerHistory> = {}, endNs = END_NS): Diagnosis {
  const { handshakes, firstNs, lastNs } = trackPackets(packets, { endNs });
  const context: CaptureContext = {
    name: 'web.pcap',
    firstNs,
    lastNs,
    server: { attempts: 1, established: 0, ...server },
  };
  return judgeHandshake(handshakes[0]!, context);
}

function judgeText(text: string, options?: ConversationOptions): Diagnosis {
  return judge(conversation(text, options));
}

function statements({ evidence }: Diagnosis): string[] {
  return evidence.map(({ statement, source }) => `${statement} [${source}]`);
}

function findingIds({ handshake }: Diagnosis): string[] {
  return handshake.findings.map(({ id }) => id);
}

describe('the sentence of an attempt', () => {
  it.each([
    ['0 > S 7', '10.0.0.2:443 never answered 1 SYN from 10.0.0.1.'],
    ['0 > S 7\n1 > S 7\n3 > S 7', '10.0.0.2:443 never answered 3 SYNs from 10.0.0.1 in 3 s.'],
    ['0 > S 7\n0.02 < R. 0 ack 8', '10.0.0.2:443 refused 10.0.0.1 with a RST.'],
    [
      '0 > S 7\n0.02 < S. 9000 ack 8\n0.03 < R 9001',
      '10.0.0.2:443 answered 10.0.0.1 with a SYN-ACK and then reset the connection.',
    ],
    [
      '0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > . 8 ack 9001\n0.04 < R 9001',
      "10.0.0.2:443 reset the connection of 10.0.0.1 right after the client's final ACK.",
    ],
    [
      '0 > S 7\n0.02 < R. 0 ack 8 ttl 62\n1 > S 7\n1.02 < S. 9000 ack 8\n1.03 < R 9001',
      'Something on the way refused 10.0.0.1 in the name of 10.0.0.2:443: the RST did not come from the server.',
    ],
    ['0 > S 7\n0.02 < S. 9000 ack 8', '10.0.0.2:443 sent its SYN-ACK and 10.0.0.1 never acknowledged it.'],
    [
      '0 > S 7\n0.02 < S. 9000 ack 8\n1.02 < S. 9000 ack 8\n3.02 < S. 9000 ack 8',
      '10.0.0.2:443 sent its SYN-ACK 3 times and 10.0.0.1 never acknowledged it.',
    ],
    [
      '0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > . 8 ack 9001\n1.02 < S. 9000 ack 8',
      '10.0.0.2:443 sent its SYN-ACK twice although 10.0.0.1 had acknowledged it: the final ACK was lost or ignored.',
    ],
    ['0 > S 7\n0.5 > R 8', '10.0.0.1 gave up before 10.0.0.2:443 answered.'],
    [
      '0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > R 8',
      '10.0.0.1 reset the connection after the SYN-ACK of 10.0.0.2:443: a scan, a health check, or a client that was gone.',
    ],
    [
      '0 > S 7\n0.02 < S. 9000 ack 555\n0.021 > R 555',
      '10.0.0.1 could not use the answer of 10.0.0.2:443: the SYN-ACK acknowledges 555 where the SYN needs 8: it answers another SYN.',
    ],
    [
      '0 > S 7\n0.02 < . 70000 ack 555\n0.021 > R 555',
      '10.0.0.2:443 did not accept the SYN of 10.0.0.1: instead of a SYN-ACK the server sent an ACK for 555, not 8: it still holds an older connection of these ports (RFC 5961 section 4).',
    ],
    ['0 > S 7\n0.02 > . 8 ack 9001', 'Only one direction of the handshake of 10.0.0.1 with 10.0.0.2:443 was captured.'],
    ['0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > . 8 ack 9001', '10.0.0.1 connected to 10.0.0.2:443.'],
    [
      '0 > S 7\n1 > S 7\n1.02 < S. 9000 ack 8\n1.021 > . 8 ack 9001',
      '10.0.0.1 connected to 10.0.0.2:443, but it worked only after 1.02 s: the SYN was sent twice.',
    ],
    [
      '0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > P. 8:18(10) ack 9001\n0.04 < R 9001',
      '10.0.0.1 connected to 10.0.0.2:443, but the server reset the connection right after the handshake, before it sent anything else.',
    ],
  ])('%j', (text, expected) => {
    expect(judgeText(text).sentence).toBe(expected);
  });

  it('names who sent an ICMP error', () => {
    const [syn] = conversation('0 > S 7');
    expect(judge([syn!, icmp('10.9.9.9', 3, 1, syn!)]).sentence).toBe(
      '10.0.0.2:443 is unreachable: the router 10.9.9.9 answered the SYN of 10.0.0.1 with ICMP "Host Unreachable".',
    );
    expect(judge([syn!, icmp('10.0.0.2', 3, 3, syn!)]).sentence).toBe(
      '10.0.0.2:443 answered the SYN of 10.0.0.1 with ICMP "Port Unreachable".',
    );
  });

  it('does without the ICMP error when there were too many packets to keep it', () => {
    const syns = conversation(Array.from({ length: 40 }, (_, i) => `${i} > S 7`).join('\n'));
    expect(judge([...syns, icmp('10.9.9.9', 3, 1, syns.at(-1)!)]).sentence).toBe(
      '10.0.0.2:443 is unreachable: an ICMP error answered the SYN of 10.0.0.1.',
    );
  });

  it('blames nobody for an attempt that the capture cut off', () => {
    const diagnosis = judge(conversation('0 > S 7'), {}, 500_000_000n);
    expect(diagnosis.sentence).toBe('The capture ended before 10.0.0.2:443 could be expected to answer 10.0.0.1.');
    expect(statements(diagnosis)[0]).toBe(
      'the capture ends 500 ms after the last packet, too soon to judge [web.pcap]',
    );
  });
});

describe('the evidence', () => {
  it('that nothing came back counts the SYNs and names their frames', () => {
    expect(statements(judgeText('0 > S 7\n1 > S 7\n3 > S 7'))).toEqual([
      'the SYN was sent 3 times, and not one packet came back from 10.0.0.2 [web.pcap #1, #2 and #3]',
      'the SYN was repeated after 1 s and 2 s, as Linux before 6.5 or Windows does [web.pcap #1, #2 and #3]',
      'captured before the SYN crossed a router (TTL 64) [web.pcap]',
    ]);
  });

  it('does not say that nothing came back when a RST did that a client ignores', () => {
    const [first] = statements(judgeText('0 > S 7\n0.02 < R 0\n1 > S 7'));
    expect(first).toContain('only a RST came back from 10.0.0.2 that does not acknowledge the SYN');
  });

  it('does not say that nothing came back when the SYNs crossed', () => {
    const [first] = statements(judgeText('0 > S 7\n0.001 < S 9\n1 > S 7\n1.001 < S 9'));
    expect(first).toContain('10.0.0.2 sent a SYN of its own instead of an answer');
  });

  it('of a capture of one direction is the acknowledgement of what is missing', () => {
    expect(statements(judgeText('0 > S 7\n0.02 > . 8 ack 9001'))[0]).toBe(
      'the client acknowledged a SYN-ACK that is not in the capture [web.pcap #2]',
    );
  });

  it('says what an ICMP error implies, once for all of its repetitions', () => {
    const [first, second] = conversation('0 > S 7\n1 > S 7');
    const diagnosis = judge([first!, icmp('10.9.9.9', 3, 13, first!), second!, icmp('10.9.9.9', 3, 13, second!)]);
    const icmps = statements(diagnosis).filter((statement) => statement.startsWith('ICMP'));
    expect(icmps).toHaveLength(1);
    expect(icmps[0]).toMatch(
      /^ICMP 3\/13 "Communication Administratively Prohibited" from 10\.9\.9\.9: .* \[web\.pcap #2\]$/,
    );
  });

  it('says where it was captured, and how other attempts went', () => {
    const packets = conversation('0 > S 7\n0.02 < R. 0 ack 8');
    expect(statements(judge(packets, { attempts: 5, established: 4 })).at(-1)).toBe(
      '4 of 5 attempts to 10.0.0.2:443 in this capture succeeded [web.pcap]',
    );
    expect(statements(judge(packets, { attempts: 5 })).at(-1)).toBe(
      'none of the 5 attempts to 10.0.0.2:443 in this capture was answered with success [web.pcap]',
    );
    const answered = conversation('0 > S 7\n0.02 < S. 9000 ack 8', { clientTtl: 57, serverTtl: 64 });
    expect(statements(judge(answered))).toContain('captured at the server, or on its own link [web.pcap]');
  });
});

describe('the next steps', () => {
  it('ask for the other end, or for the host itself', () => {
    const commands = (diagnosis: Diagnosis): string[] =>
      diagnosis.nextSteps.map(({ command }) => (command ?? []).join(' '));
    expect(commands(judgeText('0 > S 7'))).toEqual([
      'synscope compare web.pcap server.pcap',
      'sudo synscope listen 443 --from 10.0.0.1',
      'synscope explain no-reply',
    ]);
    expect(commands(judgeText('0 > S 7\n0.02 < S. 9000 ack 8', { clientTtl: 57, serverTtl: 64 }))).toEqual([
      'sudo synscope listen 443 --from 10.0.0.1',
      'synscope compare client.pcap web.pcap',
      'synscope explain half-open',
    ]);
    expect(commands(judgeText('0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > . 8 ack 9001'))).toEqual([]);
  });

  it.each(['no-reply', 'refused', 'half-open', 'abandoned'])('are never missing after %s', (outcome) => {
    const texts = ['0 > S 7', '0 > S 7\n1 < R. 0 ack 8', '0 > S 7\n1 < S. 9 ack 8', '0 > S 7\n1 > R 8'];
    const diagnosis = texts.map((text) => judgeText(text)).find(({ handshake }) => handshake.outcome === outcome);
    expect(diagnosis!.nextSteps.length).toBeGreaterThan(0);
  });
});

describe('the findings', () => {
  it.each([
    [
      'fast-open',
      '0 > S 7:107(100) <mss 1460,FO 0011223344556677>',
      /carries a Fast Open cookie and 100 bytes of data/,
    ],
    ['fast-open', '0 > S 7 <mss 1460,FO>', /asks for a Fast Open cookie \(RFC 7413\)/],
    ['simultaneous-open', '0 > S 7\n0.001 < S 9\n0.002 > S. 7 ack 10\n0.003 < S. 9 ack 8', /both sides sent a SYN/],
    ['answer-changed', '0 > S 7\n0.02 < S. 9000 ack 8\n1.02 < S. 500000 ack 8', /\(9000 and 500000\)/],
    ['capture-began-late', '0 < S. 9000 ack 8\n0.02 > . 8 ack 9001', /the capture began in the middle/],
    ['late', '0 > S 7\n1 > S 7\n1.02 < S. 9 ack 8\n1.021 > . 8 ack 10', /it worked only after 1.02 s/],
  ])('%s', (id, text, statement) => {
    const finding = judgeText(text).handshake.findings.find((one) => one.id === id);
    expect(finding?.statement).toMatch(statement);
    expect(finding!.frames.length).toBeGreaterThan(0);
  });

  it('tell a capture of one direction from one that began late', () => {
    const packets = [...conversation('0 > S 7', { client: '10.0.0.9:1' }), ...conversation('30 < S. 9000 ack 8')];
    const { handshakes, firstNs, lastNs } = trackPackets(packets, { endNs: END_NS });
    const { handshake } = judgeHandshake(handshakes[1]!, {
      name: 'web.pcap',
      firstNs,
      lastNs,
      server: { attempts: 1, established: 0 },
    });
    expect(handshake.findings[0]!.statement).toContain("the client's packets are missing");
  });

  it('explain a late success by the challenge ACK that came before it', () => {
    const text = '0 > S 7\n0.02 < . 70000 ack 555\n0.021 > R 555\n1 > S 7\n1.02 < S. 9 ack 8\n1.021 > . 8 ack 10';
    expect(findingIds(judgeText(text))).toEqual(expect.arrayContaining(['late', 'challenge-ack']));
  });

  it('do not take a RST before the SYN-ACK for one after the handshake', () => {
    const diagnosis = judgeText('0 > S 7\n0.01 < R. 0 ack 8\n0.5 > S 7\n0.52 < S. 9 ack 8\n0.53 > . 8 ack 10');
    expect(findingIds(diagnosis)).not.toContain('reset-after-established');
    expect(diagnosis.sentence).toContain('but it worked only after');
  });

  it('name what the capture cut off', () => {
    const text = `0 > S 7 <mss 1460,sackOK>\n0.02 < S. 9 ack 8 <mss 1460,sackOK>\n0.021 > . 8 ack 10`;
    const ofFinding = (diagnosis: Diagnosis): unknown =>
      diagnosis.handshake.findings.find(({ id }) => id === 'segment-cut');
    expect(ofFinding(judgeText(text))).toBeUndefined();
    expect(ofFinding(judgeText(text, { snapBytes: 14 + 20 + 20 + 4 }))).toEqual({
      id: 'segment-cut',
      statement: 'the capture cut off TCP options of the SYN and the SYN-ACK: what they are is unknown',
      frames: [1, 2],
    });
  });

  it('count copies and name tunnels', () => {
    const once = conversation('0 > S 7 id 5', { vlan: [100] });
    const twice = once.map((packet) => ({ ...packet, timeNs: packet.timeNs + 1000n }));
    const { handshake } = judge([...once, ...twice]);
    expect(handshake.findings.map(({ statement }) => statement)).toEqual([
      'the capture holds each packet up to 2 times (several interfaces, or a mirror port); each counts once',
      'inside VLAN 100',
    ]);
  });
});
