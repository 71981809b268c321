import { describe, expect, it } from 'vitest';
import { icmp } from '../formats/wire/testing/packets.ts';
import type { Handshake } from '../model/handshake.ts';
import { type ConversationOptions, conversation, OVER_IPV6 } from './testing/conversation.ts';
import { trackPackets } from './testing/track.ts';

/** The only attempt in a conversation; the capture goes on for two minutes after it unless told otherwise. */
function only(text: string, options: ConversationOptions & { endsAt?: number } = {}): Handshake {
  const { handshakes } = trackPackets(conversation(text, options), { endNs: seconds(options.endsAt ?? 300) });
  expect(handshakes).toHaveLength(1);
  return handshakes[0]!;
}

function ending(text: string, options: ConversationOptions & { endsAt?: number } = {}): string {
  const { outcome, stage } = only(text, options);
  return `${outcome} at ${stage}`;
}

function seconds(value: number): bigint {
  return BigInt(Math.round(value * 1e9));
}

describe.each([
  ['IPv4', {}],
  ['IPv6', OVER_IPV6],
] as const)('the outcome over %s', (_, ends) => {
  it.each([
    ['a SYN without an answer', 'no-reply at syn', '0 > S 1000'],
    ['a SYN that was repeated', 'no-reply at syn', '0 > S 1000\n1 > S 1000\n3 > S 1000\n7 > S 1000'],
    ['a RST that acknowledges the SYN', 'refused at syn', '0 > S 1000\n0.02 < R. 0 ack 1001'],
    ['a RST after the SYN-ACK', 'refused at syn-ack', '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.03 < R 9001'],
    [
      'a RST after the final ACK',
      'refused at ack',
      '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001\n0.04 < R 9001',
    ],
    [
      'data that is repeated, and the server says nothing more',
      'half-open at ack',
      '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > P. 1001:1011(10) ack 9001\n0.22 > P. 1001:1011(10) ack 9001\n0.6 > P. 1001:1011(10) ack 9001',
    ],
    [
      'data that is lost once, and the capture ends',
      'established at established',
      '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > P. 1001:1011(10) ack 9001\n0.22 > P. 1001:1011(10) ack 9001',
    ],
    [
      'data that is repeated once, and acknowledged',
      'established at established',
      '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > P. 1001:1011(10) ack 9001\n0.22 > P. 1001:1011(10) ack 9001\n0.23 < . 9001 ack 1011',
    ],
    [
      'bare ACKs of a server that goes on repeating its SYN-ACK',
      'half-open at ack',
      '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > P. 1001:1011(10) ack 9001\n0.03 < . 9001 ack 1001\n1.02 < S. 9000 ack 1001',
    ],
    ['a SYN-ACK that is never acknowledged', 'half-open at syn-ack', '0 > S 1000\n0.02 < S. 9000 ack 1001'],
    [
      'a SYN-ACK that is repeated until the server gives up',
      'half-open at syn-ack',
      '0 > S 1000\n0 < S. 9000 ack 1001\n1 < S. 9000 ack 1001\n3 < S. 9000 ack 1001\n7 < S. 9000 ack 1001',
    ],
    [
      'a SYN-ACK that is repeated although it was acknowledged',
      'half-open at ack',
      `0 > S 1000
       0.02 < S. 9000 ack 1001
       0.021 > . 1001 ack 9001
       1.02 < S. 9000 ack 1001
       1.021 > . 1001 ack 9001`,
    ],
    [
      'a SYN-ACK that is repeated although data followed its acknowledgement',
      'half-open at ack',
      `0 > S 1000
       0.02 < S. 9000 ack 1001
       0.021 > . 1001 ack 9001
       0.022 > P. 1001:1101(100) ack 9001
       0.25 > P. 1001:1101(100) ack 9001
       1.02 < S. 9000 ack 1001
       1.021 > . 1101 ack 9001`,
    ],
    ['a SYN that the client took back', 'abandoned at syn', '0 > S 1000\n0.5 > R 1001'],
    ['a scan that resets the SYN-ACK', 'abandoned at syn-ack', '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > R 1001'],
    [
      'a SYN-ACK that acknowledges something else',
      'abandoned at syn',
      '0 > S 1000\n0.02 < S. 9000 ack 555\n0.021 > R 555',
    ],
    ['a challenge ACK', 'abandoned at syn', '0 > S 1000\n0.02 < . 77000 ack 555\n0.021 > R 555'],
    ['a handshake', 'established at established', '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001'],
    [
      'a handshake completed by data',
      'established at established',
      '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > P. 1001:1011(10) ack 9001\n0.05 < . 9001 ack 1011',
    ],
    [
      'a handshake whose client leaves at once',
      'established at established',
      '0 > S 1000\n0.02 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001\n0.022 > R. 1001 ack 9001',
    ],
    [
      'a RST after the final ACK and data',
      'established at established',
      `0 > S 1000
       0.02 < S. 9000 ack 1001
       0.021 > . 1001 ack 9001
       0.022 > P. 1001:1011(10) ack 9001
       0.04 < R 9001`,
    ],
    [
      'only the packets of the client',
      'one-sided at ack',
      '0 > S 1000\n0.021 > . 1001 ack 9001\n0.03 > P. 1001:1011(10) ack 9001',
    ],
    ['only the packets of the server', 'one-sided at syn-ack', '0 < S. 9000 ack 1001\n1 < S. 9000 ack 1001'],
    [
      'a capture that began after the SYN',
      'established at established',
      '0 < S. 9000 ack 1001\n0.021 > . 1001 ack 9001\n0.04 < P. 9001:9011(10) ack 1001',
    ],
  ])('of %s is %s', (_, expected, text) => {
    expect(ending(text, ends)).toBe(expected);
  });

  it('of a SYN to a router that answers with an ICMP error is unreachable', () => {
    const [syn] = conversation('0 > S 1000', ends);
    const error = ends === OVER_IPV6 ? icmp('2001:db8:9::9', 1, 0, syn!) : icmp('10.9.9.9', 3, 1, syn!);
    const { handshakes } = trackPackets([syn!, error], { endNs: seconds(300) });
    expect(handshakes[0]).toMatchObject({ outcome: 'unreachable', stage: 'syn' });
  });
});

describe('an attempt at the end of a capture', () => {
  it.each([
    ['a SYN just before the end', '0 > S 1000', 1, 'in-progress at syn'],
    ['a SYN three seconds before the end', '0 > S 1000', 3.1, 'in-progress at syn'],
    ['a SYN that had its time', '0 > S 1000', 3.3, 'no-reply at syn'],
    ['a repeated SYN a second before the end', '0 > S 1000\n1 > S 1000', 2, 'no-reply at syn'],
    ['a SYN repeated just now', '0 > S 1000\n1 > S 1000', 1.3, 'in-progress at syn'],
    ['a SYN-ACK just before the end', '0 > S 1000\n0.1 < S. 9000 ack 1001', 0.5, 'in-progress at syn-ack'],
    ['a SYN-ACK that had its time', '0 > S 1000\n0.1 < S. 9000 ack 1001', 1.5, 'half-open at syn-ack'],
    ['a SYN that was refused just before the end', '0 > S 1000\n0.1 < R. 0 ack 1001', 0.1, 'refused at syn'],
    [
      'a final ACK as the last packet',
      '0 > S 1\n0.1 < S. 9 ack 2\n0.1 > . 2 ack 10',
      0.1,
      'established at established',
    ],
  ])('with %s', (_, text, endsAt, expected) => {
    expect(ending(text, { endsAt })).toBe(expected);
  });
});

describe('a RST', () => {
  it('without an ACK does not answer a SYN (RFC 9293 section 3.10.7.3)', () => {
    expect(ending('0 > S 1000\n0.02 < R 0\n1 > S 1000')).toBe('no-reply at syn');
  });

  it('that acknowledges something else does not answer a SYN', () => {
    expect(ending('0 > S 1000\n0.02 < R. 0 ack 7777\n1 > S 1000')).toBe('no-reply at syn');
  });

  it('can be followed by another try with the same sequence number, as Windows does', () => {
    const text = `
      0 > S 1000
      0.01 < R. 0 ack 1001
      0.5 > S 1000
      0.51 < R. 0 ack 1001
      1 > S 1000
      1.01 < R. 0 ack 1001`;
    expect(only(text)).toMatchObject({ outcome: 'refused', synRetransmissions: 2 });
    const success = `${text}
      1.5 > S 1000
      1.51 < S. 9000 ack 1001
      1.52 > . 1001 ack 9001`;
    expect(only(success)).toMatchObject({ outcome: 'established', synRetransmissions: 3 });
  });

  it('of the client after a wrong SYN-ACK does not keep the next try from succeeding', () => {
    const text = `
      0 > S 1000
      0.02 < S. 9000 ack 555
      0.021 > R 555
      1 > S 1000
      1.02 < S. 20000 ack 1001
      1.021 > . 1001 ack 20001`;
    expect(only(text)).toMatchObject({ outcome: 'established', serverIsn: 20_000, synAckRetransmissions: 0 });
  });

  it('of the client after a challenge ACK does not keep the next try from succeeding', () => {
    const text = `
      0 > S 1000
      0.02 < . 77000 ack 555
      0.021 > R 555
      1 > S 1000
      1.02 < S. 20000 ack 1001
      1.021 > . 1001 ack 20001`;
    expect(ending(text)).toBe('established at established');
  });

  it('that overtakes the SYN-ACK refuses the client, which then resets the SYN-ACK', () => {
    const text = '0 > S 1000\n0.005 < R. 0 ack 1001 ttl 62\n0.02 < S. 9000 ack 1001\n0.021 > R 1001';
    expect(ending(text)).toBe('refused at syn');
    expect(ending('0 > S 1000\n0.005 < R. 0 ack 1001\n0.02 < S. 9000 ack 1001')).toBe('refused at syn');
  });

  it('after the final ACK refuses the client also when the SYN-ACK was not captured', () => {
    expect(ending('0 > S 1000\n0.02 > . 1001 ack 9001\n0.04 < R 9001')).toBe('refused at ack');
  });

  it('of the client before the right SYN-ACK does not explain why that is not acknowledged', () => {
    const text = `
      0 > S 1000
      0.02 < S. 9000 ack 555
      0.021 > R 555
      1 > S 1000
      1.02 < S. 20000 ack 1001
      2.02 < S. 20000 ack 1001`;
    expect(ending(text)).toBe('half-open at syn-ack');
  });

  it('without an ACK before the SYN-ACK does not explain why that is not acknowledged', () => {
    expect(ending('0 > S 1000\n0.02 < R 0\n1 > S 1000\n1.02 < S. 20000 ack 1001')).toBe('half-open at syn-ack');
  });
});

describe('a simultaneous open', () => {
  it('is established when both sides answer', () => {
    const text = `
      0 > S 1000
      0.001 < S 9000
      0.002 > S. 1000 ack 9001
      0.003 < S. 9000 ack 1001`;
    expect(only(text)).toMatchObject({ outcome: 'established', serverIsn: 9000, synRetransmissions: 0 });
  });

  it('is one attempt even when only the SYNs crossed', () => {
    expect(only('0 > S 1000\n0.001 < S 9000\n1 > S 1000\n1.001 < S 9000').outcome).toBe('no-reply');
  });

  it('is none when the SYN of the other side comes after the attempt was refused', () => {
    const { handshakes } = trackPackets(conversation('0 > S 1000\n0.01 < R. 0 ack 1001\n0.5 < S 9000'));
    expect(handshakes.map(({ client, server }) => `${client.port} to ${server.port}`)).toEqual([
      '40000 to 443',
      '443 to 40000',
    ]);
  });

  it('with oneself works: the kernel chose the port that it connects to', () => {
    const text = '0 > S 1000\n0.00001 > S. 1000 ack 1001\n0.00002 > . 1001 ack 1001';
    expect(ending(text, { client: '127.0.0.1:40000', server: '127.0.0.1:40000' })).toBe('established at established');
  });
});

describe('TCP Fast Open', () => {
  const syn = '0 > S 1000:1100(100) <mss 1460,FO 0011223344556677>';

  it('is established when the data is accepted', () => {
    const text = `${syn}\n0.02 < S. 9000 ack 1101\n0.021 > . 1101 ack 9001`;
    expect(only(text)).toMatchObject({ outcome: 'established', clientOptions: { fastOpen: 'cookie' } });
  });

  it('is established when the data is not accepted and sent again', () => {
    const text = `${syn}\n0.02 < S. 9000 ack 1001\n0.021 > P. 1001:1101(100) ack 9001\n0.04 < . 9001 ack 1101`;
    expect(ending(text)).toBe('established at established');
  });

  it('lets the server send before the final ACK, which may still be lost', () => {
    const early = `${syn}\n0.02 < S. 9000 ack 1101\n0.0201 < P. 9001:9011(10) ack 1101`;
    expect(ending(`${early}\n1.02 < S. 9000 ack 1101`)).toBe('half-open at syn-ack');
    expect(ending(`${early}\n0.021 > . 1101 ack 9011`)).toBe('established at established');
  });

  it('falls back to a SYN without data', () => {
    const text = `${syn}\n1 > S 1000 <mss 1460>\n1.02 < S. 9000 ack 1001\n1.021 > . 1001 ack 9001`;
    expect(only(text)).toMatchObject({ outcome: 'established', synRetransmissions: 1 });
  });
});
