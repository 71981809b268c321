import type { CompleteSyn } from './complete-syn.ts';
import { shapeOf } from './frames.ts';

/** The same SYN from another port: its checksum stays as right or wrong as it was (RFC 1624). */
export function withSourcePort(syn: CompleteSyn, sourcePort: number): CompleteSyn {
  const frame = Buffer.from(syn.frame);
  const { transport } = shapeOf(frame);
  if (transport >= 0 && transport + 18 <= frame.length) {
    let sum = (~frame.readUInt16BE(transport + 16) & 0xffff) + (~frame.readUInt16BE(transport) & 0xffff) + sourcePort;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    frame.writeUInt16BE(sourcePort, transport);
    frame.writeUInt16BE(~sum & 0xffff, transport + 16);
  }
  return { ...syn, sourcePort, frame };
}

/** The `number`-th of several source ports that differ from each other. */
export function variedPort(port: number, number: number): number {
  return 1024 + ((port + number * 7) % 60_000);
}
