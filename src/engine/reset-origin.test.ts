import { describe, expect, it } from 'vitest';
import { type ConversationOptions, conversation, interleave, OVER_IPV6 } from '../handshake/testing/conversation.ts';
import type { Finding } from '../model/handshake.ts';
import { collect } from './testing/collect.ts';

const END = { endNs: 300_000_000_000n };

/** What is found of the RST of the last refused attempt in these conversations. */
function originOf(...conversations: readonly (readonly [text: string, options?: ConversationOptions])[]): Finding {
  const packets = interleave(...conversations.map(([text, options]) => conversation(text, options)));
  const { report } = collect(packets, END);
  const refused = report.diagnoses.filter(({ handshake }) => handshake.outcome === 'refused');
  const finding = refused.at(-1)!.handshake.findings.find(({ id }) => id.startsWith('reset-'));
  expect(finding).toBeDefined();
  return finding!;
}

const REFUSED = '10 > S 7\n10.02 < R. 0 ack 8';
const WORKED = '0 > S 500\n0.02 < S. 9000 ack 501\n0.021 > . 501 ack 9001\n0.03 < . 9001 ack 501';

describe('a RST', () => {
  it('of the same TTL as the SYN-ACK of its attempt is the server’s', () => {
    const finding = originOf(['0 > S 7\n0.02 < S. 9000 ack 8\n0.03 < R 9001']);
    expect(finding).toMatchObject({ id: 'reset-by-server', frames: [3, 2] });
    expect(finding.statement).toBe('the RST has TTL 57, as the SYN-ACK #2: it came from as far away as the server');
  });

  it('from nearer than the SYN-ACK of its attempt was made on the way', () => {
    const finding = originOf(['0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > . 8 ack 9001\n0.022 < R 9001 ttl 62']);
    expect(finding).toMatchObject({ id: 'reset-by-middlebox', frames: [4, 2] });
    expect(finding.statement).toBe(
      'the RST has TTL 62 where the SYN-ACK #2 has 57: it was made 5 hops nearer than the server',
    );
  });

  it('that overtook the SYN-ACK was made on the way', () => {
    const finding = originOf(['0 > S 7\n0.005 < R. 0 ack 8 ttl 62\n0.02 < S. 9000 ack 8\n0.021 > R 8']);
    expect(finding).toMatchObject({ id: 'reset-by-middlebox', frames: [2, 3] });
  });

  it('of another initial TTL has come as far when it has crossed as many routers', () => {
    for (const ttl of [121, 248]) {
      const finding = originOf([`0 > S 7\n0.02 < S. 9000 ack 8\n0.03 < R 9001 ttl ${ttl}`]);
      expect(finding.id).toBe('reset-by-server');
    }
  });

  it('from further away than the server proves nothing', () => {
    const finding = originOf(['0 > S 7\n0.02 < S. 9000 ack 8\n0.03 < R 9001 ttl 56']);
    expect(finding.id).toBe('reset-origin-unknown');
    expect(finding.statement).toContain('it came from one hop further away, by another path or from another host');
  });

  it.each([
    ['IPv4', {}],
    ['IPv6', OVER_IPV6],
  ])('is held against the SYN-ACKs of other attempts of the port, over %s', (_, ends) => {
    const port = (ends.client ?? '10.0.0.1:40000').replace('40000', '40001');
    expect(originOf([WORKED, { ...ends, client: port }], [REFUSED, ends])).toMatchObject({
      id: 'reset-by-server',
      statement:
        "the RST has TTL 57, as the server's SYN-ACK to other attempts: it came from as far away as the server",
    });
    const finding = originOf([WORKED, { ...ends, client: port }], [`10 > S 7\n10.002 < R. 0 ack 8 ttl 63`, ends]);
    expect(finding).toMatchObject({
      id: 'reset-by-middlebox',
      statement:
        "the RST has TTL 63 where the server's SYN-ACK to other attempts has 57: it was made 6 hops nearer than the server, and came after 2 ms where the server takes at least 20 ms",
    });
  });

  it('is held against the SYN-ACKs of other ports of the address', () => {
    const other = { client: '10.0.0.1:40001', server: '10.0.0.2:80' };
    expect(originOf([WORKED, other], [REFUSED])).toMatchObject({
      id: 'reset-by-server',
      statement:
        'the RST has TTL 57, as a SYN-ACK of another port of this address: it came from as far away as the server',
    });
    expect(originOf([WORKED, other], ['10 > S 7\n10.02 < R. 0 ack 8 ttl 60']).id).toBe('reset-by-middlebox');
  });

  it('is not held against the SYN-ACKs of another address', () => {
    const finding = originOf([WORKED, { server: '10.0.0.3:443' }], [REFUSED]);
    expect(finding).toMatchObject({
      id: 'reset-origin-unknown',
      statement: 'whose RST it is cannot be told: no other packet of the server to compare its TTL 57 with',
    });
  });

  it('is not held against SYN-ACKs that differ among themselves', () => {
    const finding = originOf(
      [WORKED, { client: '10.0.0.1:40001', serverTtl: 57 }],
      [WORKED, { client: '10.0.0.1:40002', serverTtl: 55 }],
      [REFUSED],
    );
    expect(finding.id).toBe('reset-origin-unknown');
  });

  it('that crossed no router, of a SYN that did, was made where it was captured', () => {
    const finding = originOf([REFUSED, { clientTtl: 57, serverTtl: 64 }]);
    expect(finding).toMatchObject({
      id: 'reset-by-server',
      statement: 'the RST (TTL 64) has crossed no router and the SYN has: it was made where this was captured',
    });
  });

  it('on one link with both ends tells nothing', () => {
    expect(originOf([REFUSED, { clientTtl: 64, serverTtl: 64 }]).id).toBe('reset-origin-unknown');
  });

  it('is compared once the whole capture is known, in the groups', () => {
    const later = WORKED.replaceAll(/^(\d)/gm, '2$1');
    const packets = interleave(conversation(REFUSED), conversation(later, { client: '10.0.0.1:40001' }));
    const { report } = collect(packets, END);
    const [group] = report.groups;
    expect(group).toMatchObject({ outcome: 'refused', count: 1 });
    expect(group!.examples[0]!.handshake.findings[0]!.id).toBe('reset-by-server');
  });
});
