import { describe, expect, it } from 'vitest';
import { annotationFor, annotations } from './annotate.ts';
import { hostile } from './testing/hostile.ts';
import { compareAnswerLost, compareMiddlebox, mixed, noReply } from './testing/samples.ts';

describe('annotations', () => {
  it('names each SYN of an attempt without reply, and puts the verdict on the first', () => {
    const frames = annotations(noReply).get('client.pcapng');
    expect(frames?.get(12)).toEqual([
      'synscope: SYN 1 of 4, no answer',
      'synscope: [2001:db8:2::2]:443 does not answer 2001:db8:1::2 port 50204: 4 SYNs in 7.08 s, nothing came back.',
    ]);
    expect(frames?.get(19)).toEqual(['synscope: SYN 2 of 4, no answer']);
    expect([...(frames?.keys() ?? [])]).toEqual([12, 19, 27, 41]);
  });

  it('says in each capture what became of the packet in the others', () => {
    const byCapture = annotations(compareAnswerLost);
    expect(byCapture.get('client.pcap')?.get(15)).toEqual(['synscope: SYN 2 of 3, the same as #140 of server.pcap']);
    expect(byCapture.get('server.pcap')?.get(141)).toEqual(['synscope: SYN-ACK 2 of 3, never seen in client.pcap']);
  });

  it('puts the verdict on the packet that the path names last', () => {
    const [, line] = annotations(compareAnswerLost).get('server.pcap')?.get(89) ?? [];
    expect(line).toBe(
      'synscope: The answer gets lost on the way back: server.pcap shows 3 SYN-ACKs, client.pcap none of them.',
    );
    const inside = annotations(compareMiddlebox).get('captures/site-a/firewall-inside.pcapng')?.get(701);
    expect(inside?.[0]).toBe(
      'synscope: RST, the same as #7 of captures/site-a/client.pcapng, never seen in captures/site-a/firewall-outside.pcapng',
    );
    expect(inside).toHaveLength(2);
  });

  it('puts the verdict of a refusal on the RST or ICMP error', () => {
    const frames = annotations(mixed).get('client.pcapng');
    expect(frames?.get(302)?.at(-1)).toMatch(/^synscope: A middlebox refuses/);
    expect(frames?.get(411)).toEqual([
      'synscope: ICMP from 203.0.113.1: Communication Administratively Prohibited',
      'synscope: Router 203.0.113.1 forbids 203.0.113.80:5432: ICMP "Communication Administratively Prohibited" after 12.4 ms.',
    ]);
  });

  it('names the capture of a diagnosis that has one', () => {
    const [diagnosis] = noReply.diagnoses;
    if (diagnosis === undefined) throw new Error('the sample has no diagnosis');
    expect(annotationFor({ ...diagnosis, capture: 'b.pcap' })[0]?.capture).toBe('b.pcap');
    expect(annotationFor(diagnosis)[0]).not.toHaveProperty('capture');
  });

  it('writes one comment per packet even when the attempt is listed twice', () => {
    const doubled = { ...noReply, diagnoses: [...noReply.diagnoses, ...noReply.diagnoses.map((one) => ({ ...one }))] };
    expect(annotations(doubled)).toEqual(annotations(noReply));
  });

  it('lets no control character into a comment', () => {
    for (const frames of annotations(hostile).values()) {
      for (const lines of frames.values()) expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });
});
