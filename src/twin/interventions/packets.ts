import {
  bytesOf,
  macBytes,
  removeSignature,
  repairIpChecksum,
  repairTcpChecksum,
  shapeOf,
  TCP_SYN,
} from '../frames.ts';
import type { SynSpec } from '../syn.ts';
import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

/** An address that nobody has (RFC 5737, RFC 3849), from which the SYN could have come as well. */
const ELSEWHERE: Readonly<Record<4 | 6, string>> = { 4: '198.51.100.77', 6: '2001:db8:77::77' };

/** The same SYN with one thing different: what flips then lies in the packet, or is about its sender. */
export function packetInterventions({ twin, complete, device }: Bench): Intervention[] {
  const isV4 = complete.family === 4;
  const bytes = complete.frame;
  const { transport } = shapeOf(bytes);
  const found: Intervention[] = [];
  const packet = (
    element: string,
    change: string,
    edit: (frame: Buffer) => unknown,
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
  const own = twin.links.get(device)?.linkAddress;
  if (own !== undefined && !bytes.subarray(0, 6).equals(macBytes(own))) {
    packet('destination MAC address', own, (frame) => frame.set(macBytes(own), 0));
  }
  const repairs = [
    ['IP header checksum', (frame: Buffer) => repairIpChecksum(frame)],
    ['TCP checksum', (frame: Buffer) => repairTcpChecksum(frame)],
  ] as const;
  const wrong = repairs.filter(([, repair]) => {
    const repaired = Buffer.from(bytes);
    repair(repaired);
    return !repaired.equals(bytes);
  });
  if (wrong.length > 0) {
    packet(wrong.map(([name]) => name).join(' and '), 'right', () => undefined);
    // With any other change they would be right as well.
    return found;
  }
  if (transport > 0 && bytes[transport + 13] !== TCP_SYN) {
    packet('TCP flags', 'SYN alone', (frame) => {
      frame[transport + 13] = TCP_SYN;
    });
  }
  if (removeSignature(Buffer.from(bytes))) packet('TCP signature', 'removed', removeSignature);
  packet(isV4 ? 'TTL' : 'hop limit', '255', (frame) => {
    frame[isV4 ? 22 : 21] = 255;
  });
  const source = ELSEWHERE[complete.family];
  packet('source address', source, (frame) => frame.set(bytesOf(source), isV4 ? 26 : 22), { source });
  found.push({ ...found.pop()!, isDetour: true });
  return found;
}
