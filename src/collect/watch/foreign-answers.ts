import { formatIpv4, formatIpv6 } from '../../formats/wire/address.ts';
import { dissect } from '../../formats/wire/dissect.ts';
import { CONTENT_TCP, createLayers } from '../../formats/wire/layers.ts';
import { TCP_ACK, TCP_RST, TCP_SYN } from '../../formats/wire/tcp.ts';
import type { ForeignAnswer } from '../../model/facts/attempt.ts';
import type { Handshake } from '../../model/handshake.ts';
import type { PacketHistory } from './packet-history.ts';

const SYN_ACK = TCP_SYN | TCP_ACK;
/** More than so many senders answer nobody's SYN. */
const MAX_SENDERS = 8;

/**
 * SYN-ACKs that acknowledge the SYN of an attempt (RFC 9293 section 3.4: its sequence number plus one) and come from somebody else than
 * the one it was sent to. They look for a connection that does not exist.
 */
export function foreignAnswers(
  history: PacketHistory,
  { client, server, clientIsn }: Pick<Handshake, 'client' | 'server' | 'clientIsn'>,
): ForeignAnswer[] {
  if (clientIsn === undefined) return [];
  const expected = (clientIsn + 1) >>> 0;
  const layers = createLayers();
  const found = new Map<string, { address: string; port: number; count: number }>();
  for (const { view, start, end, linkType } of history.packets()) {
    dissect(view, start, end, linkType, layers);
    const { content, transportOffset: tcp, ipVersion, ipOffset } = layers;
    if (content !== CONTENT_TCP || tcp + 14 > layers.end) continue;
    if ((view.getUint8(tcp + 13) & (SYN_ACK | TCP_RST)) !== SYN_ACK || view.getUint32(tcp + 8) !== expected) continue;
    if (view.getUint16(tcp + 2) !== client.port) continue;
    const [source, destination] =
      ipVersion === 6
        ? [formatIpv6(view, ipOffset + 8), formatIpv6(view, ipOffset + 24)]
        : [formatIpv4(view, ipOffset + 12), formatIpv4(view, ipOffset + 16)];
    const port = view.getUint16(tcp);
    if (destination !== client.address || (source === server.address && port === server.port)) continue;
    const key = `${source} ${port}`;
    const known = found.get(key);
    if (known !== undefined) known.count++;
    else if (found.size < MAX_SENDERS) found.set(key, { address: source, port, count: 1 });
  }
  return [...found.values()];
}
