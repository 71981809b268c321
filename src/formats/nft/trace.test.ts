import { describe, expect, it } from 'vitest';
import { parseNftTrace } from './trace.ts';

/** Recorded with nftables 1.0.6 on Linux 6.18: a rate limit that lets one SYN pass and leaves the next to the policy. */
const RECORDED = `trace id a755a948 inet synscope_t1 in packet: iif "v1" ether saddr 2a:83:7d:52:ee:2e ether daddr 52:83:f1:77:af:88 ip saddr 198.18.0.1 ip daddr 198.18.0.2 ip dscp cs0 ip ecn not-ect ip ttl 64 ip id 57810 ip protocol tcp ip length 60 tcp sport 44954 tcp dport 4444 tcp flags == syn tcp window 64240 
trace id a755a948 inet synscope_t1 in rule tcp flags syn / syn,ack meta nftrace set 1 # handle 2 (verdict continue)
trace id a755a948 inet synscope_t1 in policy accept 
trace id a755a948 inet fw input rule tcp dport 4444 jump sub # handle 5 (verdict jump sub)
trace id a755a948 inet fw sub rule tcp dport 4444 limit rate 1/hour burst 1 packets accept # handle 3 (verdict accept)
trace id 84d1a2bf inet synscope_t1 in packet: iif "v1" ether saddr 2a:83:7d:52:ee:2e ether daddr 52:83:f1:77:af:88 ip saddr 198.18.0.1 ip daddr 198.18.0.2 ip dscp cs0 ip ecn not-ect ip ttl 64 ip id 23786 ip protocol tcp ip length 60 tcp sport 44962 tcp dport 4444 tcp flags == syn tcp window 64240 
trace id 84d1a2bf inet fw input packet: iif "v1" ip saddr 198.18.0.1 ip daddr 198.18.0.9 ip protocol tcp tcp sport 44962 tcp dport 4444 tcp flags == syn tcp window 64240 
trace id 84d1a2bf inet fw input rule tcp dport 4444 jump sub # handle 5 (verdict jump sub)
trace id 84d1a2bf inet fw input policy drop 
trace id ddd34fe4 inet synscope_t1 in packet: iif "v1" ip saddr 198.18.0.1 ip daddr 198.18.0.2 ip protocol tcp ip length 60 tcp sport 55386 tcp dport 4446 tcp flags == syn tcp window 64240 
trace id ddd34fe4 inet fw input rule tcp dport 4446 drop # handle 7 (verdict drop)
`;
const SYN = { source: '198.18.0.1', destination: '198.18.0.2', flags: 'syn' };

describe('a trace of nft', () => {
  it('tells for each packet where it ended, with the addresses that it had first', () => {
    expect(parseNftTrace(RECORDED)).toEqual([
      { ...SYN, sourcePort: 44954, destinationPort: 4444 },
      {
        ...SYN,
        sourcePort: 44962,
        destinationPort: 4444,
        end: { family: 'inet', table: 'fw', chain: 'input', text: 'policy drop', verdict: 'drop' },
      },
      {
        ...SYN,
        sourcePort: 55386,
        destinationPort: 4446,
        end: { family: 'inet', table: 'fw', chain: 'input', handle: 7, text: 'tcp dport 4446 drop', verdict: 'drop' },
      },
    ]);
  });

  it('understands IPv6 and flags in any order', () => {
    const line =
      'trace id 1 ip6 t out packet: oif "e" ip6 saddr 2001:db8::1 ip6 daddr 2001:db8::2 tcp sport 443 tcp dport 9 tcp flags == syn,ack tcp window 1';
    expect(parseNftTrace(line)).toEqual([
      { source: '2001:db8::1', destination: '2001:db8::2', sourcePort: 443, destinationPort: 9, flags: 'ack,syn' },
    ]);
  });

  it('survives every cut and what is no trace', () => {
    for (let end = 0; end < RECORDED.length; end += 7)
      expect(() => parseNftTrace(RECORDED.slice(0, end))).not.toThrow();
    expect(parseNftTrace('nonsense\ntrace id 5 inet a b packet: ip saddr evil ip daddr 1.2.3.4 tcp sport x')).toEqual(
      [],
    );
  });
});
