import { bytesOf, macBytes, repairIpChecksum, repairTcpChecksum, shapeOf, TCP_SYN } from '../frames.ts';
import type { SynSpec } from '../syn.ts';
import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

/** An address that nobody has (RFC 5737, RFC 3849), from which the SYN could have come as well. */
const ELSEWHERE: Readonly<Record<4 | 6, string>> = { 4: '198.51.100.77', 6: '2001:db8:77::77' };

/** The same SYN with one thing different: what flips then lies in the packet, or is about its sender. */
export function packetInterventions({ twin, original }: Bench): Intervention[] {
  const isV4 = original.family === 4;
  const bytes = Buffer.from(twin.frameOf(original));
  const { transport } = shapeOf(bytes);
  const found: Intervention[] = [];
  const packet = (
    element: string,
    change: string,
    edit: (frame: Buffer) => void,
    spec: Partial<SynSpec> = {},
  ): void => {
    const frame = Buffer.from(bytes);
    edit(frame);
    repairIpChecksum(frame);
    repairTcpChecksum(frame);
    found.push({
      element: { kind: 'packet', element, change },
      rank: 'packet',
      breadth: 1,
      apply(bench) {
        bench.syn = { ...bench.syn, ...spec, frame: frame.toString('hex') };
      },
      revert(bench) {
        bench.syn = bench.original;
      },
    });
  };
  const link = original.device === undefined ? undefined : twin.links.get(original.device);
  const own = (link?.master === undefined ? link : twin.links.get(link.master))?.linkAddress;
  if (own !== undefined && !bytes.subarray(0, 6).equals(macBytes(own))) {
    packet('destination MAC address', own, (frame) => frame.set(macBytes(own), 0));
  }
  const repaired = Buffer.from(bytes);
  repairIpChecksum(repaired);
  repairTcpChecksum(repaired);
  if (!repaired.equals(bytes)) packet('checksums', 'right', () => undefined);
  if (transport > 0 && bytes[transport + 13] !== TCP_SYN) {
    packet('TCP flags', 'SYN alone', (frame) => {
      frame[transport + 13] = TCP_SYN;
    });
  }
  packet(isV4 ? 'TTL' : 'hop limit', '255', (frame) => {
    frame[isV4 ? 22 : 21] = 255;
  });
  const source = ELSEWHERE[original.family];
  packet('source address', source, (frame) => frame.set(bytesOf(source), isV4 ? 26 : 22), { source });
  return found;
}
