import { describe, expect, it } from 'vitest';
import { shortSource } from './source.ts';
import { capture, report } from './testing/build.ts';

function among(...names: string[]): ReturnType<typeof report> {
  return report({ headline: '', groups: [], captures: names.map((name) => capture(name, 1)) });
}

describe('shortSource', () => {
  it('leaves out the name of the only capture before frame numbers', () => {
    expect(shortSource('a/client.pcap #1 and #2', among('a/client.pcap'))).toBe('#1 and #2');
    expect(shortSource('a/client.pcap', among('a/client.pcap'))).toBe('client.pcap');
    expect(shortSource('/proc/net/netstat', among('a/client.pcap'))).toBe('/proc/net/netstat');
  });

  it('leaves out the folders of several captures, unless their names need them', () => {
    const two = among('a/client.pcap', 'b/server.pcap');
    expect(shortSource('a/client.pcap #1, b/server.pcap #2', two)).toBe('client.pcap #1, server.pcap #2');
    expect(shortSource('a/x.pcap #1', among('a/x.pcap', 'b/x.pcap'))).toBe('a/x.pcap #1');
    expect(shortSource('a/b/x #1', among('b/x', 'a/b/x'))).toBe('a/b/x #1');
  });
});
